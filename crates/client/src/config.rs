//! How connections are opened and used.
//!
//! ```text
//!   Config --> one Connection   protocol, timeouts, limits, user, TLS
//!          '-> pools of Client   connections_max, idle_max, retry_after
//! ```

#[cfg(feature = "tls")]
use crate::Tls;
use crate::request::{Password, SaslPlain};
use crate::session::Session;
use crate::tls::Channel;
use crate::{Address, Protocol, Result};
use std::fmt;
use std::time::Duration;

/// How connections are opened and used.
///
/// ```
/// use corecached_client::{Config, Protocol};
/// use std::time::Duration;
///
/// let config = Config::new()
///     .protocol(Protocol::Text)
///     .connect_timeout(Duration::from_millis(200))
///     .timeout(Duration::from_millis(50))
///     .connections_max(16);
/// # let _ = config;
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) protocol: Protocol,
    pub(crate) connect_timeout: Duration,
    pub(crate) read_timeout: Duration,
    pub(crate) write_timeout: Duration,
    pub(crate) value_bytes_max: usize,
    pub(crate) connections_max: usize,
    pub(crate) idle_max: usize,
    pub(crate) retry_after: Duration,
    credentials: Option<Credentials>,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

#[derive(Clone)]
struct Credentials {
    user: String,
    password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// The defaults: the meta protocol, timeouts of one second, values up to 128 MiB, 64 connections to each server.
    #[must_use]
    pub fn new() -> Self {
        Config {
            protocol: Protocol::default(),
            connect_timeout: Duration::from_secs(1),
            read_timeout: Duration::from_secs(1),
            write_timeout: Duration::from_secs(1),
            value_bytes_max: 128 << 20,
            connections_max: 64,
            idle_max: 64,
            retry_after: Duration::from_secs(1),
            credentials: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Sets the protocol of the connections.
    #[must_use]
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// Sets the time for opening a connection. It holds for each step: the connect, TLS and authentication.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long the server may be silent while a reply is waited for, and how long it may take no bytes of a request.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.read_timeout = timeout;
        self.write_timeout = timeout;
        self
    }

    /// How long the server may be silent while a reply is waited for.
    #[must_use]
    pub fn read_timeout(mut self, timeout: Duration) -> Self {
        self.read_timeout = timeout;
        self
    }

    /// How long the server may take no bytes of a request.
    #[must_use]
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }

    /// The longest value that is taken from a server.
    #[must_use]
    pub fn value_bytes_max(mut self, bytes: usize) -> Self {
        self.value_bytes_max = bytes;
        self
    }

    /// Authenticates every connection: by SASL PLAIN in the binary protocol (`-S`), else with the password file's
    /// protocol (`-Y`).
    #[must_use]
    pub fn credentials(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.credentials = Some(Credentials {
            user: user.into(),
            password: password.into(),
        });
        self
    }

    /// Encrypts every connection.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Sets how many connections of a client to one server may be in use at once; further requests wait, at most for
    /// the read timeout.
    #[must_use]
    pub fn connections_max(mut self, connections: usize) -> Self {
        self.connections_max = connections.max(1);
        self
    }

    /// Sets how many unused connections to one server a client keeps.
    #[must_use]
    pub fn idle_max(mut self, connections: usize) -> Self {
        self.idle_max = connections;
        self
    }

    /// Sets how long requests of a client to a server fail at once after a connection to that server could not be
    /// opened.
    #[must_use]
    pub fn retry_after(mut self, pause: Duration) -> Self {
        self.retry_after = pause;
        self
    }

    /// The session of a fresh connection to `address`.
    pub(crate) fn session(&self, address: &Address) -> Result<Session> {
        let channel = self.channel(address)?;
        Ok(Session::over(channel, self.protocol, self.value_bytes_max))
    }

    #[cfg(feature = "tls")]
    fn channel(&self, address: &Address) -> Result<Channel> {
        match &self.tls {
            Some(tls) => tls.channel(address.host().map(|(host, _)| host)),
            None => Ok(Channel::Plain),
        }
    }

    #[cfg(not(feature = "tls"))]
    #[allow(clippy::unused_self, clippy::unnecessary_wraps)]
    fn channel(&self, _address: &Address) -> Result<Channel> {
        Ok(Channel::Plain)
    }

    /// The login that the first request of a connection must carry; `None` without authentication.
    pub(crate) fn login(&self) -> Option<Login<'_>> {
        let Credentials { user, password } = self.credentials.as_ref()?;
        Some(match self.protocol {
            Protocol::Binary => Login::Sasl(SaslPlain { user, password }),
            _ => Login::Password(Password { user, password }),
        })
    }
}

/// The request that authenticates.
pub(crate) enum Login<'a> {
    Sasl(SaslPlain<'a>),
    Password(Password<'a>),
}
