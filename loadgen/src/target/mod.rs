//! The targets of requests: server addresses, and the server or shard that owns a key.

use crate::error::{LoadError, Result};
use crate::workload::Workload;
use crate::workload::keys::KeyId;
use crate::workload::verb::KeySpace;
use corecached_client::{Ketama, ShardMap};
use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

pub use corecached_client::DEFAULT_PORT;

/// A server, as a client reaches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A TCP server. The name is the text that the user wrote (ketama hashes it).
    Tcp {
        /// The resolved address.
        address: SocketAddr,
        /// Host and port as given.
        name: String,
    },
    /// A server on a Unix socket.
    Unix(PathBuf),
}

impl Endpoint {
    /// Reads `HOST`, `HOST:PORT`, `[V6]:PORT` or `unix:PATH` (also a bare path) and resolves it.
    pub fn parse(text: &str) -> Result<Self> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        if text.starts_with('/') {
            return Ok(Self::Unix(PathBuf::from(text)));
        }
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(wrong_scheme(text, scheme));
        }
        let has_port = text.rsplit_once(':').is_some_and(|(host, port)| {
            port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']'))
        });
        let name = if has_port {
            text.to_owned()
        } else {
            format!("{text}:{DEFAULT_PORT}")
        };
        let mut addresses = name.to_socket_addrs().map_err(|error| {
            LoadError::usage(format!(
                "'{text}' is no server address: {error} (HOST, HOST:PORT or unix:PATH)"
            ))
        })?;
        let address = addresses.next().ok_or_else(|| {
            LoadError::usage(format!(
                "'{text}' is a name without an address: name another server"
            ))
        })?;
        Ok(Self::Tcp { address, name })
    }

    /// A made-up server, for rings that are only simulated; `cluster` tells several apart.
    #[must_use]
    pub fn numbered(cluster: usize, server: usize) -> Self {
        let address = std::net::Ipv4Addr::new(
            10,
            cluster as u8,
            (server / 256) as u8,
            (server % 256) as u8,
        );
        Self::Tcp {
            address: SocketAddr::from((address, DEFAULT_PORT)),
            name: format!("{address}:{DEFAULT_PORT}"),
        }
    }

    /// The host as given; `None` for a Unix socket.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        let Self::Tcp { name, .. } = self else {
            return None;
        };
        let host = name
            .rsplit_once(':')
            .map_or(name.as_str(), |(host, _)| host);
        Some(host.trim_start_matches('[').trim_end_matches(']'))
    }

    /// The endpoint of the same host with another port (that of a Unix socket stays unchanged).
    #[must_use]
    pub fn at_port(&self, port: u16) -> Self {
        match self {
            Self::Tcp { address, name } => {
                let mut address = *address;
                address.set_port(port);
                Self::Tcp {
                    address,
                    name: name.clone(),
                }
            }
            Self::Unix(path) => Self::Unix(path.clone()),
        }
    }
}

fn wrong_scheme(text: &str, scheme: &str) -> LoadError {
    LoadError::usage(match scheme {
        "tcps" | "ssl" | "https" | "memcaches" => {
            format!("'{text}' is no server address: with TLS write tls://HOST:PORT")
        }
        _ => format!(
            "'{text}' is no server address: write HOST, HOST:PORT, unix:PATH or tls://HOST:PORT"
        ),
    })
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { name, .. } => f.write_str(name),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Connections to one server or shard; requests for its keys go there only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupId(pub usize);

/// Which group of connections owns a key.
#[derive(Debug, Clone)]
pub enum Router {
    /// All connections are alike.
    Single,
    /// One group per server.
    Ketama(Ketama),
    /// One group per shard of one server.
    Shards(ShardMap),
}

impl Router {
    /// The number of groups.
    #[must_use]
    pub fn groups(&self) -> usize {
        match self {
            Self::Single => 1,
            Self::Ketama(ring) => ring.servers(),
            Self::Shards(map) => map.shards(),
        }
    }

    /// The group of a key; `scratch` is a buffer for the key's bytes.
    #[inline]
    pub fn route(
        &self,
        workload: &Workload,
        space: KeySpace,
        key: KeyId,
        scratch: &mut Vec<u8>,
    ) -> GroupId {
        if matches!(self, Self::Single) {
            return GroupId(0);
        }
        scratch.clear();
        workload.key_format.render(space, key, scratch);
        match self {
            Self::Single => GroupId(0),
            Self::Ketama(ring) => GroupId(ring.server(scratch)),
            Self::Shards(map) => GroupId(map.shard(scratch)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_parse() {
        assert_eq!(
            Endpoint::parse("127.0.0.1").unwrap().to_string(),
            "127.0.0.1:11211"
        );
        assert_eq!(
            Endpoint::parse("127.0.0.1:21400").unwrap().to_string(),
            "127.0.0.1:21400"
        );
        assert_eq!(Endpoint::parse("[::1]:5").unwrap().to_string(), "[::1]:5");
        assert_eq!(
            Endpoint::parse("unix:/tmp/s").unwrap(),
            Endpoint::Unix(PathBuf::from("/tmp/s"))
        );
        assert_eq!(
            Endpoint::parse("/tmp/s").unwrap(),
            Endpoint::Unix(PathBuf::from("/tmp/s"))
        );
        assert!(Endpoint::parse("127.0.0.1:99999").is_err());
        let why = |text| Endpoint::parse(text).unwrap_err().to_string();
        assert!(why("ssl://127.0.0.1:11211").contains("write tls://HOST:PORT"));
        assert!(why("tcp://127.0.0.1:11211").contains("HOST:PORT"));
        let host = |text| Endpoint::parse(text).unwrap().host().map(str::to_owned);
        assert_eq!(host("127.0.0.1").as_deref(), Some("127.0.0.1"));
        assert_eq!(host("localhost:5").as_deref(), Some("localhost"));
        assert_eq!(host("[::1]:5").as_deref(), Some("::1"));
        assert_eq!(host("unix:/tmp/s"), None);
    }
}
