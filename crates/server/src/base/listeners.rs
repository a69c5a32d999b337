//! The settings of one listening socket: its address, what is spoken there, and what leaves by UDP.

/// A port as the command line gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    /// `0`: none.
    Off,
    /// `-1`: the kernel chooses.
    Ephemeral,
    /// This port.
    Fixed(u16),
}

impl Port {
    /// The number as memcached shows it: 0 when off, -1 when the kernel chooses.
    pub(crate) fn number(self) -> i32 {
        match self {
            Port::Off => 0,
            Port::Ephemeral => -1,
            Port::Fixed(port) => i32::from(port),
        }
    }
}

/// Limits of replies by UDP to other machines, whose addresses may be forged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UdpLimits {
    /// `-o udp_reply_max`, our own. Bytes of the largest reply; 0 = no limit.
    pub(crate) reply_bytes_max: u32,
    /// `-o udp_rate`, our own. Bytes a second that each shard sends to one network; 0 = no limit.
    pub(crate) bytes_per_second: u32,
}

impl Default for UdpLimits {
    fn default() -> Self {
        Self {
            reply_bytes_max: 64 * 1024,
            bytes_per_second: 4 * 1024 * 1024,
        }
    }
}

/// Which protocols connections may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BindingProtocol {
    /// The first byte of a connection says which.
    Auto,
    /// Text (classic and meta) only.
    Ascii,
    /// The binary protocol only.
    Binary,
}

impl BindingProtocol {
    /// The name in `stats settings`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            BindingProtocol::Auto => "auto-negotiate",
            BindingProtocol::Ascii => "ascii",
            BindingProtocol::Binary => "binary",
        }
    }
}

/// Whether connections are encrypted, and whether clients show certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlsKind {
    /// Not encrypted.
    None,
    /// Encrypted, as `-Z` asks for; `ssl_verify_mode` decides whether clients show a certificate.
    Default,
    /// Encrypted; clients need no certificate. `btls:` of `-l`.
    OneWay,
    /// Encrypted; clients show a certificate, which is verified. `mtls:` of `-l`.
    Mutual,
}

/// One address of `-l`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ListenAddress {
    /// A name or an IPv4 or IPv6 address; `None` = all addresses of the machine.
    pub(crate) host: Option<String>,
    /// The port of this address; `None` = that of `-p`.
    pub(crate) port: Option<Port>,
    /// The protocols of this listener; `None` = those of `-B`.
    pub(crate) protocol: Option<BindingProtocol>,
    /// `notls:`, `btls:` or `mtls:`; `None` = as for all other addresses.
    pub(crate) tls: Option<TlsKind>,
    /// A name of up to 8 characters that connections inherit. No effect without a proxy.
    pub(crate) tag: Option<String>,
}

impl ListenAddress {
    /// An address with this host and defaults for everything else.
    pub(crate) fn host(host: &str) -> Self {
        Self {
            host: Some(host.to_owned()),
            port: None,
            protocol: None,
            tls: None,
            tag: None,
        }
    }

    /// The addresses of a server without `-l`. A cache without authentication does not belong on a network unless the
    /// administrator says so.
    pub(super) fn loopback() -> Vec<Self> {
        vec![Self::host("127.0.0.1"), Self::host("::1")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_shown_as_memcached_shows_them() {
        assert_eq!(Port::Off.number(), 0);
        assert_eq!(Port::Ephemeral.number(), -1);
        assert_eq!(Port::Fixed(65535).number(), 65535);
    }
}
