//! The properties that connections inherit from the address that they came in by.

use crate::base::config::Config;
use crate::base::listeners::{BindingProtocol, ListenAddress, TlsKind};

/// The number of a listening address, the same on every shard: `Admission::listener` has its properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListenerId(pub(crate) u16);

impl ListenerId {
    /// The number as an index.
    #[inline]
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// How bytes travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// A TCP connection.
    Tcp,
    /// A connection over a unix socket.
    Unix,
    /// Datagrams.
    Udp,
}

impl Transport {
    /// The name in the port file and in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Transport::Tcp => "TCP",
            Transport::Unix => "UNIX",
            Transport::Udp => "UDP",
        }
    }
}

/// One listening address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListenerInfo {
    /// How bytes travel.
    pub(crate) transport: Transport,
    /// The protocols that connections to this address may speak.
    pub(crate) protocol: BindingProtocol,
    /// Whether connections to this address are encrypted, and how their clients prove who they are.
    pub(crate) tls: TlsKind,
    /// The name (tag) of this address in `-l`.
    pub(crate) tag: Option<String>,
    /// Whether the client chooses its shard by its source port: such a connection is not handed over.
    pub(crate) by_source_port: bool,
}

impl ListenerInfo {
    /// The properties of an address of `-l`.
    pub(super) fn of_address(
        config: &Config,
        address: &ListenAddress,
        transport: Transport,
    ) -> Self {
        Self {
            transport,
            protocol: address.protocol.unwrap_or(config.binding_protocol),
            // There is no TLS for datagrams, as in memcached.
            tls: match transport {
                Transport::Udp => TlsKind::None,
                _ => address.tls.unwrap_or(config.tls),
            },
            tag: address.tag.clone(),
            by_source_port: false,
        }
    }

    /// The properties of the unix socket. It stays inside the machine and has no TLS, as in memcached.
    pub(super) fn of_unix_socket(config: &Config) -> Self {
        Self {
            transport: Transport::Unix,
            protocol: config.binding_protocol,
            tls: TlsKind::None,
            tag: None,
            by_source_port: false,
        }
    }
}
