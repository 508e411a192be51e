//! Settings of object stores, as AWS's own tools have them: variables, `~/.aws/credentials` and `~/.aws/config`.

use std::path::{Path, PathBuf};

use rusty_s3::{Bucket, BucketError, Credentials, UrlStyle};
use url::Url;

use crate::error::{Error, Kind, Result};

/// The region if none is set, as for AWS's own tools.
const REGION: &str = "us-east-1";
/// Ways to credentials that need AWS's own tools.
const OTHER_WAYS: [&str; 5] = ["credential_process", "credential_source", "role_arn", "sso_session", "sso_start_url"];

/// Settings of an object store.
#[derive(Debug, Clone)]
pub struct Settings {
    endpoint: Option<Url>,
    region: String,
    /// Without them requests are not signed: a public bucket can be read so.
    pub(super) credentials: Option<Credentials>,
}

impl Settings {
    /// Reads the settings. Those in the address of a remote, `endpoint`, `region` and `profile`, come first.
    pub fn read(
        address: &[(String, String)],
        variable: &dyn Fn(&str) -> Option<String>,
        home: Option<&Path>,
    ) -> Result<Self> {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let named = |wanted: &str| address.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
        let profile = named("profile").or_else(|| variable("AWS_PROFILE"));
        let files = Files::read(&variable, home, profile.as_deref())?;
        let endpoint = named("endpoint")
            .or_else(|| variable("AWS_ENDPOINT_URL_S3"))
            .or_else(|| variable("AWS_ENDPOINT_URL"))
            .or_else(|| files.get("endpoint_url"));
        let endpoint = endpoint.map(|text| {
            Url::parse(&text).map_err(|error| {
                Error::new(Kind::Invalid, "invalid endpoint of an object store").fact("endpoint", &text).because(&error)
            })
        });
        let region = named("region")
            .or_else(|| variable("AWS_REGION"))
            .or_else(|| variable("AWS_DEFAULT_REGION"))
            .or_else(|| files.get("region"));
        // A profile that was named for the remote comes before the variables.
        let of_variables = || {
            let token = variable("AWS_SESSION_TOKEN");
            Some(credentials(variable("AWS_ACCESS_KEY_ID")?, variable("AWS_SECRET_ACCESS_KEY")?, token))
        };
        let of_files = || {
            let token = files.get("aws_session_token");
            Some(credentials(files.get("aws_access_key_id")?, files.get("aws_secret_access_key")?, token))
        };
        let found = if named("profile").is_some() { of_files() } else { of_variables().or_else(of_files) };
        if found.is_none()
            && let Some(way) = OTHER_WAYS.into_iter().find(|way| files.get(way).is_some())
        {
            return Err(Error::new(Kind::Invalid, format!("`{way}` of the AWS configuration is not supported"))
                .hint("`aws configure export-credentials --format env` prints variables that are read"));
        }
        Ok(Self {
            endpoint: endpoint.transpose()?,
            region: region.unwrap_or_else(|| REGION.to_owned()),
            credentials: found,
        })
    }

    /// Returns the address of a bucket.
    pub(super) fn bucket(&self, name: &str) -> Result<Bucket, BucketError> {
        let region = self.region.clone();
        if let Some(endpoint) = &self.endpoint {
            return Bucket::new(endpoint.clone(), UrlStyle::Path, name.to_owned(), region);
        }
        let aws = Url::parse(&format!("https://s3.{region}.amazonaws.com"))?;
        // The certificates of AWS are for one part before the host.
        let style = if name.contains('.') { UrlStyle::Path } else { UrlStyle::VirtualHost };
        Bucket::new(aws, style, name.to_owned(), region)
    }
}

fn credentials(key: String, secret: String, token: Option<String>) -> Credentials {
    match token {
        Some(token) => Credentials::new_with_token(key, secret, token),
        None => Credentials::new(key, secret),
    }
}

/// The settings of a profile in both files.
struct Files(Vec<(String, String)>);

impl Files {
    fn read(variable: &dyn Fn(&str) -> Option<String>, home: Option<&Path>, profile: Option<&str>) -> Result<Self> {
        let name = profile.unwrap_or("default");
        let place = |named: &str, usual: &str| {
            variable(named).map(PathBuf::from).or_else(|| home.map(|home| home.join(".aws").join(usual)))
        };
        let sections = if name == "default" { vec![name.to_owned()] } else { vec![format!("profile {name}")] };
        let mut all = Vec::new();
        let mut found = profile.is_none();
        for (place, sections) in [
            (place("AWS_SHARED_CREDENTIALS_FILE", "credentials"), vec![name.to_owned()]),
            (place("AWS_CONFIG_FILE", "config"), sections),
        ] {
            let text = place.and_then(|place| std::fs::read_to_string(place).ok()).unwrap_or_default();
            for section in sections {
                let settings = section_of(&text, &section);
                found |= settings.is_some();
                all.extend(settings.unwrap_or_default());
            }
        }
        if found {
            return Ok(Self(all));
        }
        Err(Error::new(Kind::NotFound, format!("there is no profile `{name}` in the AWS configuration"))
            .hint("`aws configure list-profiles` lists them"))
    }

    fn get(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }
}

/// Returns the settings of a section of an INI file, if it is there.
fn section_of(text: &str, wanted: &str) -> Option<Vec<(String, String)>> {
    let mut found: Option<Vec<(String, String)>> = None;
    let mut inside = false;
    for line in text.lines() {
        let trimmed = line.trim();
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = name.split_whitespace().eq(wanted.split_whitespace());
            if inside {
                found.get_or_insert_default();
            }
        } else if inside
            // Indented lines belong to the setting before them.
            && !line.starts_with([' ', '\t', '#', ';'])
            && let (Some((name, value)), Some(settings)) = (trimmed.split_once('='), found.as_mut())
        {
            settings.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(address: &[(&str, &str)], variables: &[(&str, &str)], home: &Path) -> Result<Settings> {
        let address: Vec<_> = address.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, v)| (*v).to_owned());
        Settings::read(&address, &variable, Some(home))
    }

    #[test]
    fn settings_come_from_the_address_then_variables_then_files() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(home.path().join(".aws").join(name), text).unwrap();
        write(
            "credentials",
            "[default]\naws_access_key_id = of file\naws_secret_access_key=s\n\
             [ci]\n# x\naws_access_key_id=ci\naws_secret_access_key=t\n",
        );
        write(
            "config",
            "[default]\nregion = eu-1\ns3 =\n  region = nested\n[profile ci]\nregion=eu-2\nendpoint_url=https://ci.example/s3\n[profile sso]\nsso_session = x\n",
        );
        let url = |settings: &Settings| settings.bucket("b").unwrap().base_url().to_string();
        let key = |settings: &Settings| settings.credentials.as_ref().map(|one| one.key().to_owned());
        let plain = read(&[], &[], home.path()).unwrap();
        assert_eq!((url(&plain), key(&plain)), ("https://b.s3.eu-1.amazonaws.com/".into(), Some("of file".into())));
        let dotted = plain.bucket("a.b").unwrap().base_url().to_string();
        assert_eq!(dotted, "https://s3.eu-1.amazonaws.com/a.b/");
        let ci = read(&[], &[("AWS_PROFILE", "ci")], home.path()).unwrap();
        assert_eq!((url(&ci), key(&ci)), ("https://ci.example/s3/b/".into(), Some("ci".into())));
        let variables = [
            ("AWS_ACCESS_KEY_ID", "of variable"),
            ("AWS_SECRET_ACCESS_KEY", "u"),
            ("AWS_REGION", "us-2"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:9000"),
        ];
        let set = read(&[], &variables, home.path()).unwrap();
        assert_eq!((url(&set), key(&set)), ("http://127.0.0.1:9000/b/".into(), Some("of variable".into())));
        let named = read(&[("endpoint", "https://m.example"), ("profile", "ci")], &variables, home.path()).unwrap();
        assert_eq!((url(&named), key(&named)), ("https://m.example/b/".into(), Some("ci".into())));
        let empty = tempfile::tempdir().unwrap();
        assert!(key(&read(&[], &[], empty.path()).unwrap()).is_none());
        assert_eq!(read(&[], &[("AWS_PROFILE", "nobody")], home.path()).unwrap_err().kind(), Kind::NotFound);
        assert!(read(&[("profile", "sso")], &[], home.path()).unwrap_err().to_string().contains("sso_session"));
        assert!(read(&[("endpoint", "x")], &[], home.path()).is_err());
        // A secret is never shown.
        assert!(!format!("{set:?}").contains("\"u\""));
    }
}
