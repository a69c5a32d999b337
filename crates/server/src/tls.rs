//! TLS in the server: the settings of `-Z`, the certificates in force, and the encrypted side of a connection.
//!
//! ```text
//!   cli/ssl.rs -> SslOptions --start--> Tls (certificates) --accept--> Secure, part of a connection
//!                  SIGHUP, refresh_certs --> Tls::refresh            received -> plaintext -> Conn
//!                                                                    Conn's replies -> Plain -> records
//! ```
//!
//! A handshake runs on the shard that serves the connection, a few at a time (`shard/handshakes.rs`).

use std::sync::atomic::{AtomicU32, Ordering};

use corecached_tls::{Certificates, ClientAuth, Session};
use tracing::info;

use crate::base::config::Config;
use crate::base::listeners::TlsKind;
use crate::error::StartError;
use crate::listen::ListenerInfo;

/// The certificates in force, for all shards.
#[derive(Debug)]
pub(crate) struct Tls {
    certificates: Certificates,
    /// The time at which the certificates were read, in seconds of the server's clock.
    refreshed: AtomicU32,
}

impl Tls {
    /// Reads the certificates; returns `None` without `-Z`.
    ///
    /// # Errors
    /// If a file cannot be used, or a listener needs more than the settings give.
    pub(crate) fn load(config: &Config) -> Result<Option<Tls>, StartError> {
        if config.tls == TlsKind::None {
            return Ok(None);
        }
        let settings = config.ssl.settings().map_err(StartError::Usage)?;
        let certificates =
            Certificates::load(settings).map_err(|error| StartError::Usage(error.to_string()))?;
        Ok(Some(Tls {
            certificates,
            refreshed: AtomicU32::new(0),
        }))
    }

    /// The session of a connection that came in by `listener`; `None` if the connection is not to be encrypted.
    ///
    /// # Errors
    /// Never after the checks of the start; if there is one, the connection should be closed.
    pub(crate) fn begin(tls: Option<&Tls>, listener: &ListenerInfo) -> Result<Option<Session>, ()> {
        let auth = match listener.tls {
            TlsKind::None => return Ok(None),
            TlsKind::Default => ClientAuth::Default,
            TlsKind::OneWay => ClientAuth::Basic,
            TlsKind::Mutual => ClientAuth::Mutual,
        };
        let session = tls.and_then(|tls| tls.certificates.begin(auth));
        session.map(Some).ok_or(())
    }

    /// Reads the certificates again, for new connections. `now` is the server's clock.
    ///
    /// # Errors
    /// If a file cannot be used; the certificates read before stay in force.
    pub(crate) fn refresh(&self, now: u32) -> Result<(), String> {
        self.certificates
            .reload()
            .map_err(|error| error.to_string())?;
        self.refreshed.store(now, Ordering::Relaxed);
        info!("certificates read again");
        Ok(())
    }

    /// Notes that the certificates were read at the start.
    pub(crate) fn read_at(&self, now: u32) {
        self.refreshed.store(now, Ordering::Relaxed);
    }

    /// `time_since_server_cert_refresh`.
    pub(crate) fn seconds_since_refresh(&self, now: u32) -> u32 {
        now.saturating_sub(self.refreshed.load(Ordering::Relaxed))
    }
}
