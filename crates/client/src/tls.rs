//! TLS between the bytes of the protocol and those of the socket, without I/O.
//!
//! ```text
//!   plain out --encrypt--> rustls --> outgoing() --> socket
//!   plain in <--decrypt--- rustls <-- space()    <-- socket
//! ```

use crate::error::ProtocolError;

/// The layer between a session and its socket.
#[derive(Debug)]
pub(crate) enum Channel {
    /// No encryption.
    Plain,
    /// TLS.
    #[cfg(feature = "tls")]
    Tls(Box<Encrypted>),
}

impl Channel {
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self, Channel::Plain)
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        match self {
            Channel::Plain => false,
            #[cfg(feature = "tls")]
            Channel::Tls(tls) => tls.connection.is_handshaking(),
        }
    }

    /// Takes as many bytes of `plain` as there is room for, and returns their number.
    pub(crate) fn encrypt(&mut self, plain: &[u8]) -> Result<usize, ProtocolError> {
        match self {
            Channel::Plain => Ok(plain.len()),
            #[cfg(feature = "tls")]
            Channel::Tls(tls) => tls.encrypt(plain),
        }
    }

    /// Bytes for the socket; without TLS there are none here.
    pub(crate) fn outgoing(&self) -> &[u8] {
        match self {
            Channel::Plain => &[],
            #[cfg(feature = "tls")]
            Channel::Tls(tls) => &tls.out[tls.out_sent..],
        }
    }
}

#[cfg(feature = "tls")]
pub(crate) use encrypted::Encrypted;
#[cfg(feature = "tls")]
pub use encrypted::Tls;

#[cfg(feature = "tls")]
mod encrypted {
    use super::{Channel, ProtocolError};
    use crate::error::{Error, Result};
    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection};
    use std::io::{Read, Write};
    use std::sync::Arc;

    /// Bytes asked for in one read: a record and its header.
    const READ_BYTES: usize = 17 * 1024;
    /// Ciphertext that waits for the socket before more plaintext is taken.
    const OUT_BYTES: usize = 64 * 1024;

    /// How connections are encrypted.
    ///
    /// Which certificates are trusted, and the client's own certificate if the server wants one, are in the
    /// configuration of rustls. The name that the server's certificate must carry is the host of the address, unless
    /// [`Tls::server_name`] says otherwise, as it must for Unix sockets.
    #[derive(Clone, Debug)]
    pub struct Tls {
        config: Arc<ClientConfig>,
        server_name: Option<String>,
    }

    impl Tls {
        /// TLS with the configuration `config`.
        #[must_use]
        pub fn new(config: impl Into<Arc<ClientConfig>>) -> Self {
            Tls {
                config: config.into(),
                server_name: None,
            }
        }

        /// The server's certificate must carry this name.
        #[must_use]
        pub fn server_name(mut self, name: impl Into<String>) -> Self {
            self.server_name = Some(name.into());
            self
        }

        pub(crate) fn channel(&self, host: Option<&str>) -> Result<Channel> {
            let name = self.server_name.as_deref().or(host).ok_or_else(|| {
                Error::Config("TLS over a Unix socket needs the server's name".to_owned())
            })?;
            let name = ServerName::try_from(name.to_owned()).map_err(|error| {
                Error::Config(format!("'{name}' is no name of a TLS server: {error}"))
            })?;
            let connection = ClientConnection::new(Arc::clone(&self.config), name)
                .map_err(|error| Error::Config(format!("TLS: {error}")))?;
            Ok(Channel::Tls(Box::new(Encrypted {
                connection,
                out: Vec::new(),
                out_sent: 0,
                input: vec![0; READ_BYTES],
            })))
        }
    }

    /// A session of rustls with its ciphertext.
    #[derive(Debug)]
    pub(crate) struct Encrypted {
        pub(super) connection: ClientConnection,
        pub(super) out: Vec<u8>,
        pub(super) out_sent: usize,
        input: Vec<u8>,
    }

    fn broken(error: &impl std::fmt::Display) -> ProtocolError {
        ProtocolError::Tls(error.to_string())
    }

    impl Encrypted {
        pub(super) fn encrypt(
            &mut self,
            plain: &[u8],
        ) -> std::result::Result<usize, ProtocolError> {
            if self.out.len() - self.out_sent > OUT_BYTES {
                return Ok(0);
            }
            // Before the handshake is done, rustls takes no more than its buffer holds.
            let taken = self.connection.writer().write(plain);
            let taken = taken.map_err(|error| broken(&error))?;
            while self.connection.wants_write() {
                let written = self.connection.write_tls(&mut self.out);
                written.map_err(|error| broken(&error))?;
            }
            Ok(taken)
        }

        fn decrypt(
            &mut self,
            bytes: usize,
            mut take: impl FnMut(&[u8]),
        ) -> std::result::Result<(), ProtocolError> {
            let mut left = &self.input[..bytes];
            let mut plain = [0; 4096];
            while !left.is_empty() {
                let read = self.connection.read_tls(&mut left);
                read.map_err(|error| broken(&error))?;
                let state = self.connection.process_new_packets();
                let mut waiting = state
                    .map_err(|error| broken(&error))?
                    .plaintext_bytes_to_read();
                while waiting > 0 {
                    let read = self.connection.reader().read(&mut plain);
                    let read = read.map_err(|error| broken(&error))?;
                    take(&plain[..read]);
                    waiting -= read.min(waiting);
                }
            }
            Ok(())
        }
    }

    impl Channel {
        pub(crate) fn sent(&mut self, bytes: usize) {
            if let Channel::Tls(tls) = self {
                tls.out_sent += bytes;
                if tls.out_sent == tls.out.len() {
                    tls.out.clear();
                    tls.out_sent = 0;
                }
            }
        }

        pub(crate) fn space(&mut self) -> &mut [u8] {
            match self {
                Channel::Plain => &mut [],
                Channel::Tls(tls) => &mut tls.input,
            }
        }

        /// Decrypts the bytes received into [`Channel::space`], and calls `take` with each piece of plaintext.
        pub(crate) fn decrypt(
            &mut self,
            bytes: usize,
            take: impl FnMut(&[u8]),
        ) -> std::result::Result<(), ProtocolError> {
            match self {
                Channel::Plain => Ok(()),
                Channel::Tls(tls) => tls.decrypt(bytes, take),
            }
        }
    }
}
