//! A server and the way to speak to it: where it is, and with or without TLS.

use super::tls::{Tls, TlsSettings};
use crate::error::Result;
use crate::target::Endpoint;
use std::fmt;

/// What an address with TLS begins with.
pub const TLS_SCHEME: &str = "tls://";

/// A server and the way to speak to it.
#[derive(Debug, Clone)]
pub struct Server {
    /// Where it is.
    pub endpoint: Endpoint,
    /// TLS, if it is spoken.
    pub tls: Option<Tls>,
}

impl Server {
    /// A server without TLS.
    #[must_use]
    pub fn plain(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            tls: None,
        }
    }

    /// Reads an address, `tls://` before it or not. With `settings` TLS is spoken.
    pub fn parse(text: &str, settings: Option<&TlsSettings>) -> Result<Self> {
        let endpoint = Endpoint::parse(text.strip_prefix(TLS_SCHEME).unwrap_or(text))?;
        let tls = settings.map(|settings| settings.with(&endpoint));
        Ok(Self {
            tls: tls.transpose()?,
            endpoint,
        })
    }

    /// The same server at another port.
    #[must_use]
    pub fn at_port(&self, port: u16) -> Self {
        Self {
            endpoint: self.endpoint.at_port(port),
            tls: self.tls.clone(),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tls.is_some() {
            f.write_str(TLS_SCHEME)?;
        }
        self.endpoint.fmt(f)
    }
}
