//! The handshake of a connection that has just been opened, blocking and within a time.

use super::server::Server;
use super::tls::{ClientSession, explain};
use crate::error::{Exit, LoadError, Result};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// How long a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of one read.
const READ_BYTES: usize = 4096;

/// A connection that is open, and its TLS session if it has one.
#[derive(Debug)]
pub struct Opened {
    /// The socket.
    pub socket: OwnedFd,
    /// The session, after its handshake.
    pub tls: Option<Box<ClientSession>>,
}

/// Shakes hands over a socket that was connected to `server`, if TLS is spoken there.
pub(super) fn agree(server: &Server, socket: OwnedFd) -> Result<Opened> {
    let Some(tls) = &server.tls else {
        return Ok(Opened { socket, tls: None });
    };
    // `UnixStream` is std's stream over any connected socket: read, write and timeouts do not look at the family.
    let mut stream = UnixStream::from(socket);
    let mut session = tls.begin()?;
    let begun = Instant::now();
    shake_hands(&mut session, &mut stream, begun)
        .map_err(|why| LoadError::new(Exit::NoServer, format!("no TLS with {server}: {why}")))?;
    tls.note(&session, begun.elapsed());
    Ok(Opened {
        socket: stream.into(),
        tls: Some(Box::new(session)),
    })
}

fn shake_hands(
    session: &mut ClientSession,
    stream: &mut UnixStream,
    begun: Instant,
) -> std::result::Result<(), String> {
    let timed_out = || {
        format!(
            "no handshake within {HANDSHAKE_TIMEOUT:?} (is TLS spoken at this port? without TLS: HOST:PORT, no tls:// and no --tls)"
        )
    };
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => timed_out(),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => CLOSED.to_owned(),
        _ => error.to_string(),
    };
    let (mut scratch, mut out) = (Vec::new(), Vec::new());
    let mut buffer = [0; READ_BYTES];
    let mut received = session.receive(&[], &mut scratch, &mut out, |_| {});
    loop {
        let left = HANDSHAKE_TIMEOUT.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return Err(timed_out());
        }
        stream.set_read_timeout(Some(left)).map_err(failed)?;
        stream.set_write_timeout(Some(left)).map_err(failed)?;
        // After an error, too: the server is told why.
        let sent = stream.write_all(&out);
        received.map_err(|error| explain(&error))?;
        sent.map_err(failed)?;
        out.clear();
        if !session.is_handshaking() {
            break;
        }
        let bytes = stream.read(&mut buffer).map_err(failed)?;
        if bytes == 0 {
            return Err(CLOSED.to_owned());
        }
        // A cache server says nothing before it is asked, so there is no plaintext yet.
        received = session.receive(&buffer[..bytes], &mut scratch, &mut out, |_| {});
    }
    stream.set_read_timeout(None).map_err(failed)?;
    stream.set_write_timeout(None).map_err(failed)
}

/// Of a server that hangs up during the handshake.
const CLOSED: &str = "it closed the connection during the handshake (is TLS spoken at this port? does it want a client certificate, --tls-cert?)";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::connect::connect;
    use crate::net::tls::TlsSettings;
    use std::net::TcpListener;

    fn refused(answer: Option<&'static [u8]>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut hello = [0; 1024];
            assert!(stream.read(&mut hello).unwrap() > 100);
            assert_eq!(hello[0], 22);
            if let Some(answer) = answer {
                stream.write_all(answer).unwrap();
                // Until the client has gone.
                let _ = stream.read(&mut hello);
            }
        });
        let settings = TlsSettings::load(None, true, None, None).unwrap();
        let tls = Server::parse(&format!("tls://{address}"), Some(&settings)).unwrap();
        let why = connect(&tls).unwrap_err().to_string();
        server.join().unwrap();
        assert!(
            why.contains(&format!("no TLS with tls://{address}")),
            "{why}"
        );
        why
    }

    #[test]
    fn servers_without_tls_are_named_as_such() {
        assert!(refused(Some(b"ERROR\r\n")).contains("does not speak TLS"));
        assert!(refused(Some(&[21, 3, 3, 0, 2, 2, 70])).contains("neither TLS 1.2"));
        assert!(refused(None).contains("closed the connection during the handshake"));
    }
}
