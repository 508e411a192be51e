//! Configuration files. All errors of a file are reported at once, with their lines.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::DeTable;
use url::Url;

use super::builder::{BuilderFile, property};
use super::{Config, MirrorSetting, Number, Origin, RemoteSetting, Set, Switch, remote_name};
use crate::cli::paths::{address, expand, usual_archive};
use crate::error::{Error, Kind, Result};
use crate::fields::{SourceText, Table};

/// Reads a configuration file, if it exists.
pub(super) fn read(path: &Path) -> Result<Option<Config>> {
    let text = match fs_err::read_to_string(path) {
        Ok(text) => text,
        // A home that is a file, such as /dev/null, has no configuration either.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(Error::new(Kind::Invalid, "cannot read the configuration").because(&error)),
    };
    let name = path.display().to_string();
    let source = SourceText::new(&text, &name);
    let document = source.parse()?;
    let file = std::path::absolute(path)?;
    let reader = Reader { source: &source, directory: file.parent().unwrap_or(Path::new("/")), file: &file };
    let config = source.gather(Some(document.get_ref()), || reader.config(document.get_ref()));
    source.finish(config)
}

/// A configuration file that is being read.
struct Reader<'r, 't> {
    source: &'r SourceText<'t>,
    file: &'r Path,
    /// The directory to which paths in the file are relative, whatever the current directory.
    directory: &'r Path,
}

impl Reader<'_, '_> {
    fn config(&self, document: &DeTable) -> Result<Config> {
        let top = Table::top(self.source, document);
        let mut config = Config::default();
        if let Some(text) = top.text("store")? {
            config.store = Some(self.set(&text, |text| self.path(text))?);
        }
        if let Some(text) = top.text("archive")? {
            config.archive = Some(self.set(&text, |text| Ok(self.directory.join(usual_archive(text)?)))?);
        }
        if let Some(text) = top.text("profile")? {
            config.profile =
                Some(self.set(&text, |text| text.parse().map_err(|error: Error| error.message().to_owned()))?);
        }
        for text in top.texts("insecure-hosts")?.unwrap_or_default() {
            config.insecure_hosts.push(self.set(&text, |text| Ok(text.to_owned()))?);
        }
        for table in top.tables("mirrors")? {
            config.mirrors.push(self.mirror(table)?);
        }
        for table in top.tables("remotes")? {
            config.remotes.push(self.remote(table)?);
        }
        for switch in Switch::ALL {
            if let Some(value) = top.field(switch.name()) {
                let origin = self.origin(value.span().start);
                config.switches.insert(switch, Set { value: top.flag(switch.name())?, origin });
            }
        }
        if let Some(text) = top.text("builder")? {
            config.builder.builder = Some(self.set(&text, str::parse)?);
        }
        for file in BuilderFile::ALL {
            if let Some(text) = top.text(file.name())? {
                config.builder.files.insert(file, self.set(&text, |text| self.path(text))?);
            }
        }
        for text in top.texts("builder-platform")?.unwrap_or_default() {
            config.builder.platform.push(self.set(&text, property)?);
        }
        for number in Number::ALL {
            let Some(value) = top.number(number.name())? else { continue };
            if let Some(fault) = number.fault(*value.get_ref()) {
                let message = format!("invalid value of `{}`", number.name());
                return Err(self.source.error(value.span(), message, &fault));
            }
            config.numbers.insert(number, Set { value: *value.get_ref(), origin: self.origin(value.span().start) });
        }
        top.finish()?;
        Ok(config)
    }

    fn mirror(&self, table: Table) -> Result<Set<MirrorSetting>> {
        let origin = self.origin(table.span.start);
        let (of, at) = (table.text("of")?, table.text("at")?);
        let of = of.ok_or_else(|| table.missing("of", &[]))?;
        let at = at.ok_or_else(|| table.missing("at", &[]))?;
        table.finish()?;
        let of = self.set(&of, |text| Url::parse(text).map_err(|error| error.to_string()))?.value;
        let at = self.set(&at, |text| address(text, self.directory))?.value;
        Ok(Set { value: MirrorSetting { of, at }, origin })
    }

    fn remote(&self, table: Table) -> Result<Set<RemoteSetting>> {
        let origin = self.origin(table.span.start);
        let (name, address) = (table.text("name")?, table.text("address")?);
        let name = name.ok_or_else(|| table.missing("name", &[]))?;
        let address = address.ok_or_else(|| table.missing("address", &[]))?;
        table.finish()?;
        let name = self.set(&name, remote_name)?.value;
        let address = self.set(&address, str::parse)?.value;
        Ok(Set { value: RemoteSetting { name, address }, origin })
    }

    fn path(&self, text: &str) -> Result<PathBuf, String> {
        Ok(self.directory.join(expand(Path::new(text))?))
    }

    /// Parses a text. Its parser's fault is the label beside the caret.
    fn set<T>(&self, text: &Spanned<String>, parse: impl Fn(&str) -> Result<T, String>) -> Result<Set<T>> {
        match parse(text.get_ref()) {
            Ok(value) => Ok(Set { value, origin: self.origin(text.span().start) }),
            Err(fault) => Err(self.source.error(text.span(), format!("invalid configuration: {fault}"), "here")),
        }
    }

    fn origin(&self, place: usize) -> Origin {
        Origin::File { file: self.file.to_path_buf(), line: self.source.line(place) }
    }
}
