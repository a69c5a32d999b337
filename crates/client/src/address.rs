//! The address of a server.

use crate::{Error, Result};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The port memcached listens on by default.
pub const DEFAULT_PORT: u16 = 11211;

/// The address of a server: `HOST`, `HOST:PORT`, `[V6]:PORT`, `unix:PATH` or a path that begins with a slash.
///
/// A host is looked up at each connect, so that changes of its address are followed.
///
/// ```
/// use corecached_client::Address;
///
/// assert_eq!("cache1".parse::<Address>()?.to_string(), "cache1:11211");
/// assert_eq!("/run/cache.sock".parse::<Address>()?.to_string(), "unix:/run/cache.sock");
/// # Ok::<(), corecached_client::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address(Kind);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

impl Address {
    /// A host and a port.
    #[must_use]
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Address(Kind::Tcp {
            host: host.into(),
            port,
        })
    }

    /// A Unix socket.
    #[must_use]
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Address(Kind::Unix(path.into()))
    }

    /// The address of the same host with another port; the address of a Unix socket stays unchanged.
    #[must_use]
    pub fn at_port(&self, port: u16) -> Self {
        match &self.0 {
            Kind::Tcp { host, .. } => Self::tcp(host.clone(), port),
            Kind::Unix(_) => self.clone(),
        }
    }

    /// Host and port; `None` for a Unix socket.
    #[must_use]
    pub fn host(&self) -> Option<(&str, u16)> {
        match &self.0 {
            Kind::Tcp { host, port } => Some((host, *port)),
            Kind::Unix(_) => None,
        }
    }

    /// The path of a Unix socket; `None` for a host.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Kind::Tcp { .. } => None,
            Kind::Unix(path) => Some(path),
        }
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refused = || Error::Config(format!("'{text}' is no address: HOST:PORT or unix:PATH"));
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Self::unix(path));
        }
        if text.starts_with('/') {
            return Ok(Self::unix(text));
        }
        if text.is_empty() || text.contains("://") {
            return Err(refused());
        }
        if let Some(rest) = text.strip_prefix('[') {
            let (host, port) = rest.split_once(']').ok_or_else(refused)?;
            let port = match port.strip_prefix(':') {
                Some(port) => port.parse().map_err(|_| refused())?,
                None if port.is_empty() => DEFAULT_PORT,
                None => return Err(refused()),
            };
            return Ok(Self::tcp(host, port));
        }
        match text.split_once(':') {
            // More than one colon is an IPv6 address without a port.
            Some((host, port)) if !port.contains(':') => {
                Ok(Self::tcp(host, port.parse().map_err(|_| refused())?))
            }
            _ => Ok(Self::tcp(text, DEFAULT_PORT)),
        }
    }
}

impl TryFrom<&str> for Address {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self> {
        text.parse()
    }
}

impl From<std::net::SocketAddr> for Address {
    fn from(address: std::net::SocketAddr) -> Self {
        Self::tcp(address.ip().to_string(), address.port())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Kind::Tcp { host, port } => write!(f, "{host}:{port}"),
            Kind::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_parse() {
        let shown = |text: &str| text.parse::<Address>().map(|a| a.to_string());
        for (text, expected) in [
            ("127.0.0.1", "127.0.0.1:11211"),
            ("host:5", "host:5"),
            ("::1", "[::1]:11211"),
            ("[::1]", "[::1]:11211"),
            ("[::1]:5", "[::1]:5"),
            ("unix:s", "unix:s"),
            ("/tmp/s", "unix:/tmp/s"),
        ] {
            assert_eq!(shown(text).unwrap(), expected, "{text}");
        }
        for text in ["", "host:99999", "tcp://host", "[::1", "[::1]5", "host:"] {
            assert!(shown(text).is_err(), "{text}");
        }
        assert_eq!(Address::tcp("::1", 7).at_port(8).to_string(), "[::1]:8");
    }
}
