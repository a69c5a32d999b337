//! The lines about the sockets that are printed when the server is ready.

use std::fmt::Write as _;

use crate::base::config::Config;
use crate::base::listeners::{Port, TlsKind};

use super::{Listeners, Transport};

impl Listeners {
    /// One line: the server's addresses, its shards and its memory.
    pub(crate) fn ready_line(&self, config: &Config) -> String {
        let mut places: Vec<String> = Vec::new();
        for group in &self.groups {
            let tls = match group.info.tls {
                TlsKind::None => "",
                _ => "tls ",
            };
            let place = match (group.info.transport, group.address) {
                (Transport::Udp, Some(address)) => format!("udp {address}"),
                (_, Some(address)) => format!("{tls}{address}"),
                (_, None) => match &config.unix_socket {
                    Some(path) if !group.is_inherited => path.display().to_string(),
                    _ => "a unix socket that was handed over".to_owned(),
                },
            };
            places.push(place);
        }
        if let Some(address) = config.metrics {
            places.push(format!("metrics {address}"));
        }
        let places = match places.is_empty() {
            true => "nowhere".to_owned(),
            false => places.join(", "),
        };
        let plural = if config.threads == 1 { "" } else { "s" };
        let mut line = format!(
            "corecached: ready on {places}; {} shard{plural}, ",
            config.threads
        );
        let _ = match config.memory_limit_bytes {
            bytes if bytes.is_multiple_of(1 << 20) => write!(line, "{} MiB", bytes >> 20),
            bytes => write!(line, "{bytes} bytes"),
        };
        line
    }

    /// One more line if the addresses were not given: otherwise the administrator may wonder why no client can connect.
    pub(crate) fn loopback_line(&self, config: &Config) -> Option<&'static str> {
        let is_default = config.listen_text.is_none() && config.unix_socket.is_none();
        let is_on = config.tcp_port != Port::Off || config.udp_port != Port::Off;
        let is_own = self.groups.iter().all(|group| !group.is_inherited);
        (is_default && is_on && is_own).then_some(
            "corecached: without -l it listens on loopback only; -l ADDRESS names another address, -l '*' all of them",
        )
    }
}
