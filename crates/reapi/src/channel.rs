//! Connections to a service: time-outs, TLS, client certificates and tokens.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring::default_provider;
use rustls_platform_verifier::Verifier;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::address::Address;
use crate::error::{Error, Kind, Result};

/// Time for a connection to be made.
const CONNECT: Duration = Duration::from_secs(20);
/// Interval at which the kernel asks whether the other side is still there.
const TCP_ALIVE: Duration = Duration::from_secs(30);
/// Interval at which the service is asked while it is silent, as during a long build. Servers of gRPC close a
/// connection on which they are asked more often than every five minutes.
const ALIVE: Duration = Duration::from_secs(330);
/// Time for the answer to that.
const ALIVE_ANSWER: Duration = Duration::from_secs(30);

/// A service, and how to reach it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The service.
    pub address: Address,
    /// Certificates of authorities in PEM; those of the system without it.
    pub authorities: Option<PathBuf>,
    /// A client certificate and its key, in PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// A file with a bearer token, which is read at each request.
    pub token: Option<PathBuf>,
    /// Number of attempts of each request.
    pub attempts: u32,
    /// Time in which a request must be answered, and between two parts of a transfer.
    pub patience: Duration,
    /// Time in which a service that has answered once may be started again.
    pub restart: Duration,
    /// Time after which a job that no worker has taken is told as such.
    pub queue: Duration,
}

impl Settings {
    /// Returns the settings for a service that is reached without TLS and without credentials.
    #[must_use]
    pub fn new(address: Address) -> Self {
        let minute = Duration::from_secs(60);
        let (authorities, identity, token) = (None, None, None);
        Self { address, authorities, identity, token, attempts: 5, patience: minute, restart: minute, queue: minute }
    }

    /// Returns a channel to the service, which connects when it is first used. Must be called in a runtime.
    pub(crate) fn channel(&self) -> Result<Channel> {
        let endpoint = Endpoint::from_shared(self.address.origin()).map_err(|error| self.refused(&error))?;
        let endpoint = endpoint
            .connect_timeout(CONNECT)
            .tcp_keepalive(Some(TCP_ALIVE))
            .http2_keep_alive_interval(ALIVE)
            .keep_alive_timeout(ALIVE_ANSWER)
            .http2_adaptive_window(true);
        let endpoint = if self.address.tls { self.encrypted(endpoint)? } else { self.demand_plain(endpoint)? };
        Ok(endpoint.connect_lazy())
    }

    fn encrypted(&self, endpoint: Endpoint) -> Result<Endpoint> {
        let mut tls = ClientTlsConfig::new();
        if let Some((certificate, key)) = &self.identity {
            tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
        }
        let endpoint = if let Some(file) = &self.authorities {
            endpoint.tls_config(tls.ca_certificate(Certificate::from_pem(read(file)?)))
        } else {
            let verifier = Verifier::new(Arc::new(default_provider())).map_err(|error| self.refused(&error))?;
            endpoint.tls_config_with_verifier(tls, Arc::new(verifier))
        };
        endpoint.map_err(|error| self.refused(&error))
    }

    /// Fails if something secret would be sent in the clear, to another machine than this.
    fn demand_plain(&self, endpoint: Endpoint) -> Result<Endpoint> {
        let host = self.address.host.as_str();
        let number = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let is_here = host == "localhost" || number.is_ok_and(|number| number.is_loopback());
        if self.identity.is_some() || self.authorities.is_some() || (self.token.is_some() && !is_here) {
            return Err(Error::new(Kind::Invalid, "the remote builder has certificates or a token, and no TLS")
                .fact("builder", &self.address)
                .hint(format!("the address with TLS begins with reapis://: {}", self.with_tls())));
        }
        Ok(endpoint)
    }

    fn with_tls(&self) -> Address {
        Address { tls: true, ..self.address.clone() }
    }

    fn refused(&self, error: &dyn std::error::Error) -> Error {
        Error::new(Kind::Invalid, "these settings give no connection to the remote builder")
            .fact("builder", &self.address)
            .because(error)
    }
}

pub(crate) fn read(file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).map_err(|error| {
        Error::new(Kind::Invalid, "cannot read a file of the remote builder")
            .fact("path", file.display())
            .because(&error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_sent_in_the_clear() {
        let with = |address: &str| Settings::new(address.parse().unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _inside = runtime.enter();
        let token = |address: &str| Settings { token: Some("/token".into()), ..with(address) };
        assert!(with("reapi://build").channel().is_ok() && with("reapis://build").channel().is_ok());
        assert!(token("reapi://127.0.0.1").channel().is_ok() && token("reapis://build").channel().is_ok());
        assert!(token("reapi://[::1]").channel().is_ok() && token("reapi://localhost").channel().is_ok());
        let error = token("reapi://build").channel().unwrap_err().to_string();
        assert!(error.contains("reapis://build:50051"), "{error}");
        assert!(token("reapi://127.0.0.1.example").channel().is_err());
        let files = Some(("/no/certificate".into(), "/no/key".into()));
        let error = Settings { identity: files, ..with("reapis://build") }.channel().unwrap_err().to_string();
        assert!(error.contains("/no/certificate"), "{error}");
    }
}
