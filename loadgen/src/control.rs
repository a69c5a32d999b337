//! The control conversation with a server: its version, statistics and shards, over a connection of its own, blocking.

use crate::error::{Exit, LoadError, Result};
use crate::net::connect::connect;
use crate::net::server::Server;
use crate::net::stream::{Stream, TlsFailure};
use crate::wire::protocol::Protocol;
use corecached_client::{Answer, Connection, Error, Request, Session, ShardMap, request};
use std::collections::HashMap;
use std::io;
use std::time::Duration;

/// How long a server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Answers here are statistics and versions: none has a value.
const VALUE_BYTES_MAX: usize = 0;

/// How an alert of TLS begins, where a reply was expected.
const TLS_ALERT: &str = "\u{15}\u{3}";

/// A server's statistics, by name.
pub type Stats = HashMap<String, String>;

/// A control connection.
pub struct Control {
    connection: Connection<Stream>,
    server: Server,
    protocol: Protocol,
}

impl Control {
    /// Connects and asks for the version, which shows whether the server speaks `protocol`.
    pub fn open(server: &Server, protocol: Protocol) -> Result<(Self, String)> {
        let stream = Stream::new(connect(server)?, TIMEOUT)
            .map_err(|error| LoadError::failed("setting a timeout", &error))?;
        let spoken = match protocol {
            Protocol::Text | Protocol::Meta => corecached_client::Protocol::Text,
            Protocol::Binary => corecached_client::Protocol::Binary,
        };
        let mut control = Self {
            connection: Connection::over(stream, Session::new(spoken, VALUE_BYTES_MAX)),
            server: server.clone(),
            protocol,
        };
        let version = control.version()?;
        Ok((control, version))
    }

    fn version(&mut self) -> Result<String> {
        match self.ask(&request::Version) {
            Ok(Answer::Version(version)) => Ok(version),
            Ok(Answer::Line(line)) => Err(self.wrong_protocol(&line)),
            Ok(Answer::Refused(refusal)) => Err(self.wrong_protocol(&refusal.to_string())),
            Ok(other) => Err(self.wrong_protocol(&format!("{other:?}"))),
            Err(Error::Protocol(error)) => Err(self.wrong_protocol(&error.to_string())),
            Err(error) => Err(self.lost(&error)),
        }
    }

    /// The answer of `stats`, or of `stats <argument>`.
    pub fn stats(&mut self, argument: &str) -> Result<Stats> {
        match self.ask(&request::Stats { of: argument }) {
            Ok(Answer::Stats(stats)) => Ok(stats.into_iter().collect()),
            // There are no such statistics, or the server does not know the argument.
            Ok(_) => Ok(Stats::new()),
            Err(error) => Err(self.lost(&error)),
        }
    }

    fn ask(&mut self, request: &impl Request) -> std::result::Result<Answer, Error> {
        self.connection.send(request)?;
        self.connection.receive()
    }

    fn wrong_protocol(&self, answer: &str) -> LoadError {
        if self.server.tls.is_none() && answer.contains(TLS_ALERT) {
            return LoadError::new(
                Exit::NoServer,
                format!(
                    "{0} speaks TLS at this port: write tls://{0}, or give --tls",
                    self.server
                ),
            );
        }
        LoadError::new(
            Exit::NoServer,
            format!(
                "{} does not speak memcached's {} protocol: it answered \"{}\" to a version request",
                self.server,
                self.protocol.name(),
                answer.chars().take(80).collect::<String>()
            ),
        )
    }

    fn lost(&self, error: &Error) -> LoadError {
        let what = match error {
            Error::Timeout(_) => format!(
                "{} accepted the connection and did not answer within {TIMEOUT:?}",
                self.server
            ),
            Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                format!("{}: it closed the connection", self.server)
            }
            Error::Io(error) if TlsFailure::of(error).is_some() => {
                return LoadError::new(Exit::NoServer, format!("{}: {error}", self.server));
            }
            _ => format!("{}: {error}", self.server),
        };
        let with_tls = match self.server.tls {
            None => format!(" if it speaks TLS, write tls://{}", self.server),
            Some(_) => String::new(),
        };
        LoadError::new(
            Exit::NoServer,
            format!(
                "{what} (is it a memcached-compatible server that speaks {}?{with_tls})",
                self.protocol.name()
            ),
        )
    }
}

/// The shards of a server, as its `stats shards` tells.
pub fn shard_map(stats: &Stats) -> Result<ShardMap> {
    let stats: Vec<(&String, &String)> = stats.iter().collect();
    ShardMap::from_stats(&stats).map_err(|why| {
        LoadError::new(
            Exit::NoServer,
            format!(
                "--shard-aware needs a server with 'stats shards' ({why}); run without it against other servers"
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_without_shards_are_told_what_to_do() {
        let why = shard_map(&Stats::new()).unwrap_err().to_string();
        assert!(why.contains("--shard-aware needs"), "{why}");
        let port_off = [("shards", "2"), ("hash", "xxh3_64"), ("shard_port", "0")];
        let port_off = port_off.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let why = shard_map(&Stats::from(port_off)).unwrap_err().to_string();
        assert!(why.contains("-o shard_port=N"), "{why}");
    }
}
