//! The deb822 format of source lists: `*.sources`.

use super::{Entry, SourceReader};
use crate::error::Result;
use crate::upstream::debs::sources::SignedBy;
use crate::upstream::debs::stanza::{Stanza, Stanzas};

pub(super) fn read(reader: &mut SourceReader, text: &str) -> Result<()> {
    let mut stanzas = Stanzas::new(text.as_bytes(), &[]);
    while let Some(stanza) = stanzas.read()? {
        add(reader, &stanza)?;
    }
    Ok(())
}

fn add(reader: &mut SourceReader, stanza: &Stanza) -> Result<()> {
    let named = |field: &str| stanza.words(field).any(|one| one == reader.architecture);
    let wanted = (stanza.get("Architectures").is_none() || named("Architectures")) && !named("Architectures-Remove");
    if stanza.flag("Enabled") == Some(false) || !wanted || !stanza.words("Types").any(|kind| kind == "deb") {
        return Ok(());
    }
    let signed_by = SignedBy::parse(stanza.get("Signed-By").unwrap_or_default());
    let components: Vec<String> = stanza.words("Components").map(str::to_owned).collect();
    let own =
        ["uris", "suites", "components", "signed-by", "architectures", "architectures-add", "architectures-remove"];
    let own = own.into_iter().chain(["languages-add", "languages-remove"]).collect::<Vec<_>>();
    let options: Vec<(String, String)> = stanza
        .fields()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .filter(|(name, _)| !own.contains(&name.as_str()))
        .collect();
    for url in stanza.words("URIs") {
        for suite in stanza.words("Suites") {
            let (components, signed_by, options) = (components.clone(), signed_by.clone(), options.clone());
            reader.add(Entry { url, suite, components, signed_by, options })?;
        }
    }
    Ok(())
}
