//! Encrypted connections. Every server here has a plain address, too, which is where it is watched from.

mod auth;
mod certificates;
mod client;
mod errors;
mod handshakes;
mod memory;
mod names;
mod reload;
mod traffic;

use std::net::SocketAddr;

use certificates::Certificates;
use client::{Settings, Stream, TlsClient};

use crate::server::{Server, free_port};

/// The same server for tests of others, which know bytes only.
pub(crate) struct Encrypted(TlsServer);

impl Encrypted {
    pub(crate) fn start(shards: usize, options: &[&str]) -> Encrypted {
        Encrypted(TlsServer::start_with(shards, "", options))
    }

    /// A new encrypted connection.
    pub(crate) fn connect(&self) -> Stream {
        self.0.connect().into_stream()
    }
}

/// A server with a plain and an encrypted address.
struct TlsServer {
    server: Server,
    certificates: Certificates,
    /// The encrypted address.
    address: SocketAddr,
}

impl TlsServer {
    /// With `suboptions` of `-o` beside those for the server's own certificate.
    fn start(shards: usize, suboptions: &str) -> TlsServer {
        TlsServer::start_with(shards, suboptions, &[])
    }

    fn start_with(shards: usize, suboptions: &str, options: &[&str]) -> TlsServer {
        TlsServer::start_in(shards, suboptions, options, &[])
    }

    /// The same with environment variables.
    fn start_in(
        shards: usize,
        suboptions: &str,
        options: &[&str],
        environment: &[(&str, &str)],
    ) -> TlsServer {
        let certificates = Certificates::new();
        let port = free_port();
        let listen = format!("127.0.0.1:{port}");
        let extended = format!("{},{suboptions}", certificates.options());
        let options = [&["-Z", "-l", &listen, "-o", &extended], options].concat();
        let server = Server::start_anywhere("notls:127.0.0.1", shards, &options, environment);
        TlsServer {
            server,
            certificates,
            address: ([127, 0, 0, 1], port).into(),
        }
    }

    /// A client that trusts the server's issuer and has no certificate.
    fn settings(&self) -> Settings {
        self.certificates.trusting()
    }

    fn connect(&self) -> TlsClient {
        TlsClient::connect(self.address, &self.settings()).expect("the handshake succeeds")
    }

    /// One general statistic.
    fn stat(&self, name: &str) -> u64 {
        self.server.connect().stat(name)
    }
}
