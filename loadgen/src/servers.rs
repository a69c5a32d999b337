//! The servers of a session, with a control connection to each: version, statistics, and what TLS has agreed on.

use crate::control::{Control, Stats};
use crate::error::Result;
use crate::net::server::Server;
use crate::report::model::{self, ServerTls};
use crate::wire::protocol::Protocol;

/// A server with its control connection, as long as that works.
pub(crate) struct ControlledServer {
    pub(crate) control: Option<Control>,
    pub(crate) server: Server,
    version: String,
}

impl ControlledServer {
    /// A connection to `server`, which has told its version.
    fn open(server: &Server, protocol: Protocol) -> Result<Self> {
        let (control, version) = Control::open(server, protocol)?;
        Ok(Self {
            control: Some(control),
            server: server.clone(),
            version,
        })
    }

    /// The server's statistics now; `None` if it does not give any.
    pub(crate) fn stats(&mut self, protocol: Protocol) -> Option<Stats> {
        if self.control.is_none() {
            let opened = Control::open(&self.server, protocol);
            self.control = opened.ok().map(|(control, _)| control);
        }
        let stats = self.control.as_mut()?.stats("");
        if stats.is_err() {
            // Half an answer may be on its way.
            self.control = None;
        }
        stats.ok()
    }

    /// A word of warning, if the server is trusted blindly.
    pub(crate) fn note(&self) -> Option<String> {
        let is_trusted = self.server.tls.as_ref().is_some_and(|tls| !tls.verified);
        is_trusted.then(|| {
            format!(
                "{}: its certificate was not verified (--tls-insecure)",
                self.server
            )
        })
    }

    /// The server, for the report.
    pub(crate) fn report(&self) -> model::Server {
        let tls = self.server.tls.as_ref().map(|tls| {
            let handshakes = tls.handshakes();
            let count = handshakes.full + handshakes.resumed;
            ServerTls {
                version: handshakes.version.to_owned(),
                cipher: handshakes.cipher.to_owned(),
                verified: tls.verified,
                client_certificate: tls.shows,
                handshakes_full: handshakes.full,
                handshakes_resumed: handshakes.resumed,
                handshake_ms_mean: handshakes.time.as_secs_f64() * 1e3 / count.max(1) as f64,
            }
        });
        model::Server {
            address: self.server.to_string(),
            version: self.version.clone(),
            tls,
        }
    }
}

/// Connects to the servers.
pub(crate) fn open(servers: &[Server], protocol: Protocol) -> Result<Vec<ControlledServer>> {
    let opened = servers
        .iter()
        .map(|server| ControlledServer::open(server, protocol));
    opened.collect()
}
