//! A blocking client over TLS, with a time limit on every wait.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use corecached_client::wire::text;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, StreamOwned};

use crate::client::written;
use crate::replies::{self, Packet};

const REPLY_TIMEOUT: Duration = Duration::from_secs(180);

pub(super) type Settings = Arc<ClientConfig>;

pub(crate) type Stream = StreamOwned<ClientConnection, TcpStream>;

/// One connection.
pub(super) struct TlsClient {
    stream: BufReader<Stream>,
}

impl TlsClient {
    /// Connects and shakes hands. With TLS 1.3 a client learns only with its first read that its certificate is
    /// refused.
    pub(super) fn connect(address: SocketAddr, settings: &Settings) -> io::Result<TlsClient> {
        let mut client = TlsClient::begin(address, settings)?;
        let Stream { conn, sock } = client.stream.get_mut();
        while conn.is_handshaking() {
            conn.complete_io(sock)?;
        }
        Ok(client)
    }

    /// Connects only.
    pub(super) fn begin(address: SocketAddr, settings: &Settings) -> io::Result<TlsClient> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(REPLY_TIMEOUT))?;
        socket.set_write_timeout(Some(REPLY_TIMEOUT))?;
        let name = "localhost".try_into().unwrap();
        let connection =
            ClientConnection::new(Arc::clone(settings), name).map_err(io::Error::other)?;
        Ok(TlsClient {
            stream: BufReader::with_capacity(64 * 1024, StreamOwned::new(connection, socket)),
        })
    }

    /// The connection as a stream of bytes, of which none has been read.
    pub(super) fn into_stream(self) -> Stream {
        self.stream.into_inner()
    }

    pub(super) fn connection(&mut self) -> &mut ClientConnection {
        &mut self.stream.get_mut().conn
    }

    pub(super) fn socket(&mut self) -> &mut TcpStream {
        &mut self.stream.get_mut().sock
    }

    /// The server's certificate.
    pub(super) fn certificate(&mut self) -> Vec<u8> {
        self.connection().peer_certificates().unwrap()[0].to_vec()
    }

    /// Whether the session went on with an earlier one.
    pub(super) fn is_resumed(&mut self) -> bool {
        self.connection().handshake_kind() == Some(HandshakeKind::Resumed)
    }

    pub(super) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(bytes.as_ref())?;
        stream.flush()
    }

    pub(super) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the server reads");
    }

    pub(super) fn try_line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\r\n") {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        line.truncate(line.len() - 2);
        String::from_utf8(line).map_err(io::Error::other)
    }

    /// The next line of a log, which ends in a line feed alone.
    pub(super) fn try_log_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        line.strip_suffix('\n')
            .map(str::to_owned)
            .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    pub(super) fn line(&mut self) -> String {
        self.try_line().expect("a reply in time")
    }

    pub(super) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).expect("a whole reply");
        bytes
    }

    /// The next reply of the binary protocol.
    pub(super) fn packet(&mut self) -> Packet {
        replies::packet(&mut self.stream)
    }

    pub(super) fn try_ask(&mut self, line: &str) -> io::Result<String> {
        self.try_send(format!("{line}\r\n"))?;
        self.try_line()
    }

    pub(super) fn ask(&mut self, line: &str) -> String {
        self.try_ask(line).expect("an answer")
    }

    /// The data of one `VALUE` and its line end.
    pub(super) fn value(&mut self, key: &str) -> Vec<u8> {
        let value = replies::value(&mut self.stream).expect("a hit");
        assert_eq!((&value.key[..], value.flags, value.cas), (key, 0, None));
        value.data
    }

    pub(super) fn get(&mut self, key: &str) -> Vec<u8> {
        self.send(written(|out| text::get(out, key)));
        let data = self.value(key);
        assert_eq!(self.line(), "END");
        data
    }

    /// Waits for the end: `Ok` if the server has said goodbye before it closed.
    pub(super) fn end(&mut self) -> io::Result<()> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest)?;
        assert!(rest.is_empty(), "{:?}", String::from_utf8_lossy(&rest));
        Ok(())
    }

    /// Says that nothing more will be sent, and closes that way of the connection.
    pub(super) fn finish_sending(&mut self) {
        let Stream { conn, sock } = self.stream.get_mut();
        conn.send_close_notify();
        while conn.wants_write() {
            conn.write_tls(sock).unwrap();
        }
        sock.shutdown(Shutdown::Write).unwrap();
    }
}
