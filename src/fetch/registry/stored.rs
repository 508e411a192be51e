//! Stored credentials, and the helper programs that may have them. The types have no `Debug`, so that nothing prints a
//! secret.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use reqwest::header::HeaderValue;

use crate::error::{Error, Kind, Result};
use crate::text::visible;

/// User and password, encoded for Basic authentication.
#[derive(Clone)]
pub(in crate::fetch) struct Credentials(String);

impl Credentials {
    /// Returns credentials that are stored in encoded form.
    pub fn encoded(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Encodes user and password. Returns `None` if the user contains a colon, which Basic authentication cannot
    /// express.
    pub fn new(user: &str, password: &str) -> Option<Self> {
        let text = || base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        (!user.contains(':')).then(|| Self(text()))
    }

    /// Returns the value of the Authorization header.
    pub fn header(&self) -> Result<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Basic {}", self.0))
            .map_err(|_| Error::new(Kind::Invalid, "the credentials for a registry cannot be sent"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// A helper, and the file that names it.
#[derive(Clone)]
pub(in crate::fetch) struct Helper {
    pub name: String,
    file: PathBuf,
}

impl Helper {
    pub fn new(name: &str, file: &Path) -> Self {
        Self { name: name.to_owned(), file: file.to_owned() }
    }

    /// Returns the program's name for messages.
    pub fn program(&self) -> String {
        format!("docker-credential-{}", visible(&self.name))
    }

    /// Returns the file that names it.
    pub fn file(&self) -> impl std::fmt::Display {
        self.file.display()
    }
}

/// The credentials stored for a repository, and their place, as in "stored in FILE".
#[derive(Clone)]
pub(in crate::fetch) enum Stored {
    /// User and password.
    Login(Credentials, String),
    /// A helper program may have them; it was not asked yet.
    Helper(Helper),
    /// The helper program has none.
    HelperWithout(Helper),
    /// An identity token without a password.
    IdentityToken(String),
    /// Nothing at all.
    Nothing,
}

impl Stored {
    /// Returns user and password, if they are known.
    pub fn login(&self) -> Option<&Credentials> {
        if let Self::Login(credentials, _) = self { Some(credentials) } else { None }
    }
}
