//! The control conversation with a server: its version and statistics, over a connection of its own, blocking.

use crate::error::{Exit, LoadError, Result};
use crate::net::connect::connect;
use crate::target::Endpoint;
use crate::wire::Protocol;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// How long a server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(3);

/// What a server says of itself, by name.
pub type Stats = HashMap<String, String>;

/// A control connection.
pub struct Control {
    stream: BufReader<UnixStream>,
    endpoint: Endpoint,
    protocol: Protocol,
}

impl Control {
    /// Connects and asks for the version, which shows whether the server speaks `protocol`.
    pub fn open(endpoint: &Endpoint, protocol: Protocol) -> Result<(Self, String)> {
        // `UnixStream` is std's stream over any connected socket: read, write and timeouts do not look at the family.
        let stream = UnixStream::from(connect(endpoint)?);
        let timeouts = stream
            .set_read_timeout(Some(TIMEOUT))
            .and_then(|()| stream.set_write_timeout(Some(TIMEOUT)));
        timeouts.map_err(|error| LoadError::failed("setting a timeout", &error))?;
        let mut control = Self {
            stream: BufReader::new(stream),
            endpoint: endpoint.clone(),
            protocol,
        };
        let version = control.version()?;
        Ok((control, version))
    }

    fn version(&mut self) -> Result<String> {
        if self.protocol == Protocol::Binary {
            return self.binary_version();
        }
        self.send(b"version\r\n")?;
        let line = self.line()?;
        match line.strip_prefix("VERSION ") {
            Some(version) => Ok(version.to_owned()),
            None => Err(self.wrong_protocol(&line)),
        }
    }

    fn binary_version(&mut self) -> Result<String> {
        self.send(&binary_request(0x0b, b""))?;
        let (_, value) = self.binary_reply()?;
        Ok(value)
    }

    /// The answer of `stats`, or of `stats <argument>`.
    pub fn stats(&mut self, argument: &str) -> Result<Stats> {
        if self.protocol == Protocol::Binary {
            return self.binary_stats(argument);
        }
        let request = if argument.is_empty() {
            "stats\r\n".to_owned()
        } else {
            format!("stats {argument}\r\n")
        };
        self.send(request.as_bytes())?;
        let mut stats = Stats::new();
        loop {
            let line = self.line()?;
            let Some(entry) = line.strip_prefix("STAT ") else {
                // `END`, or an error from a server that does not know the argument.
                return Ok(stats);
            };
            if let Some((name, value)) = entry.split_once(' ') {
                stats.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    fn binary_stats(&mut self, argument: &str) -> Result<Stats> {
        self.send(&binary_request(0x10, argument.as_bytes()))?;
        let mut stats = Stats::new();
        loop {
            let (name, value) = self.binary_reply()?;
            if name.is_empty() {
                return Ok(stats);
            }
            stats.insert(name, value);
        }
    }

    fn send(&mut self, request: &[u8]) -> Result<()> {
        let sent = self.stream.get_mut().write_all(request);
        sent.map_err(|error| self.lost(&error))
    }

    fn line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        let read = self.stream.by_ref().take(4096).read_until(b'\n', &mut line);
        match read {
            Ok(0) => Err(self.lost(&std::io::Error::other("it closed the connection"))),
            Ok(_) => Ok(String::from_utf8_lossy(&line).trim_end().to_owned()),
            Err(error) => Err(self.lost(&error)),
        }
    }

    fn binary_reply(&mut self) -> Result<(String, String)> {
        let mut header = [0u8; 24];
        self.stream
            .read_exact(&mut header[..1])
            .map_err(|error| self.lost(&error))?;
        if header[0] != 0x81 {
            let line = format!("{}...", header[..1].escape_ascii());
            return Err(self.wrong_protocol(&line));
        }
        self.stream
            .read_exact(&mut header[1..])
            .map_err(|error| self.lost(&error))?;
        let key_bytes = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let extras_bytes = usize::from(header[4]);
        let body_bytes =
            u32::from_be_bytes([header[8], header[9], header[10], header[11]]) as usize;
        let mut body = vec![0; body_bytes.min(1 << 20)];
        self.stream
            .read_exact(&mut body)
            .map_err(|error| self.lost(&error))?;
        let key_end = (extras_bytes + key_bytes).min(body.len());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((
            text(&body[extras_bytes.min(key_end)..key_end]),
            text(&body[key_end..]),
        ))
    }

    fn wrong_protocol(&self, answer: &str) -> LoadError {
        LoadError::new(
            Exit::NoServer,
            format!(
                "{} does not speak memcached's {} protocol: it answered \"{}\" to a version request",
                self.endpoint,
                self.protocol.name(),
                answer.chars().take(80).collect::<String>()
            ),
        )
    }

    fn lost(&self, error: &std::io::Error) -> LoadError {
        let what = match error.kind() {
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => {
                format!(
                    "{} accepted the connection and did not answer within {TIMEOUT:?}",
                    self.endpoint
                )
            }
            _ => format!("{}: {error}", self.endpoint),
        };
        LoadError::new(
            Exit::NoServer,
            format!(
                "{what} (is it a memcached-compatible server that speaks {}?)",
                self.protocol.name()
            ),
        )
    }
}

fn binary_request(opcode: u8, key: &[u8]) -> Vec<u8> {
    let mut request = vec![0u8; 24];
    request[0] = 0x80;
    request[1] = opcode;
    request[3] = key.len() as u8;
    request[11] = key.len() as u8;
    request.extend_from_slice(key);
    request
}
