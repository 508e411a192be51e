//! Addresses of services.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// The port of a service without TLS, if the address names none: that of BuildGrid, buildbox and NativeLink.
const PLAIN: u16 = 50051;
/// The port of a service with TLS.
const TLS: u16 = 443;

/// The address of a service: `reapi://HOST[:PORT][/INSTANCE]`, or `reapis://` with TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The host's name or address, in brackets if it is one of IPv6.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The part of the service that is meant; empty for the usual one.
    pub instance: String,
    /// True if the connection is encrypted.
    pub tls: bool,
}

impl Address {
    /// Returns the URL by which HTTP knows the service.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}://{}:{}", if self.tls { "https" } else { "http" }, self.host, self.port)
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected reapi://HOST[:PORT][/INSTANCE], or reapis:// with TLS".to_owned();
        let url = Url::parse(text).map_err(|_| expected())?;
        let tls = match url.scheme() {
            "reapi" => false,
            "reapis" => true,
            _ => return Err(expected()),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("an address holds no user and no password: use `builder-token`".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(expected());
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(expected)?;
        let port = url.port().unwrap_or(if tls { TLS } else { PLAIN });
        let instance = url.path().trim_matches('/');
        // Words of resource names, which no instance may contain.
        let reserved = ["blobs", "uploads", "actions", "actionResults", "operations", "compressed-blobs"];
        if let Some(word) = instance.split('/').find(|word| reserved.contains(word)) {
            return Err(format!("the name of an instance cannot contain `{word}`"));
        }
        Ok(Self { host: host.to_owned(), port, instance: instance.to_owned(), tls })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", if self.tls { "reapis" } else { "reapi" }, self.host, self.port)?;
        if self.instance.is_empty() { Ok(()) } else { write!(f, "/{}", self.instance) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_in_full() {
        for (text, shown, origin) in [
            ("reapi://build", "reapi://build:50051", "http://build:50051"),
            ("reapi://10.0.0.7:8980/", "reapi://10.0.0.7:8980", "http://10.0.0.7:8980"),
            ("reapis://build.example/main", "reapis://build.example:443/main", "https://build.example:443"),
            ("reapi://[::1]:9/a/b", "reapi://[::1]:9/a/b", "http://[::1]:9"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!((address.to_string().as_str(), address.origin().as_str()), (shown, origin));
            assert_eq!(address.to_string().parse(), Ok(address));
        }
    }

    #[test]
    fn other_addresses_are_refused() {
        for text in [
            "",
            "build:8980",
            "http://build",
            "reapi://",
            "reapi://a:b@build",
            "reapi://build?x",
            "reapi://build/blobs",
            "reapi://build:99999",
            "reapi:build",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
