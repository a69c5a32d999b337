//! A blocking client that keeps no secrets: raw bytes out and in where a test is about bytes, requests and replies by
//! `corecached-client` elsewhere, and a time limit on every wait so that a stalled server fails a test rather than
//! hanging it.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use corecached_client::wire::text::{self, Store, StoreVerb};
use rustix::net::sockopt::set_socket_linger;

use crate::replies::{self, MetaValue, Packet, Value};

/// No reply takes longer, on a busy machine either.
const REPLY_TIMEOUT: Duration = Duration::from_secs(180);

/// Bytes read at once.
const BUFFER_BYTES: usize = 64 * 1024;

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).expect("the server accepts connections")
    }

    pub(crate) fn try_connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(REPLY_TIMEOUT))?;
        stream.set_write_timeout(Some(REPLY_TIMEOUT))?;
        let reader = BufReader::with_capacity(BUFFER_BYTES, stream.try_clone()?);
        Ok(Self { stream, reader })
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the server reads");
    }

    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// The next line, without its `\r\n`.
    pub(crate) fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.reader
            .read_until(b'\n', &mut line)
            .expect("a reply in time");
        assert!(
            line.ends_with(b"\r\n"),
            "not a whole line: {:?}",
            String::from_utf8_lossy(&line)
        );
        line.truncate(line.len() - 2);
        String::from_utf8(line).expect("replies of these tests are text")
    }

    /// The next line of a log or dump, which may end in a line feed alone.
    pub(crate) fn log_line(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).expect("a line in time");
        assert!(line.ends_with('\n'), "not a whole line: {line:?}");
        line.pop();
        if line.ends_with('\r') {
            line.pop();
        }
        line
    }

    /// Exactly `length` bytes.
    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.reader.read_exact(&mut bytes).expect("a whole reply");
        bytes
    }

    /// The next byte, or `None` when the server has closed the connection.
    pub(crate) fn byte(&mut self) -> io::Result<Option<u8>> {
        let mut byte = [0];
        match self.reader.read(&mut byte) {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(byte[0])),
            // A server may close with input unread, which the kernel turns into a reset.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The next byte, which stays to be read.
    pub(crate) fn peek(&mut self) -> io::Result<Option<u8>> {
        Ok(self.reader.fill_buf()?.first().copied())
    }

    /// Takes what comes as long as it agrees with `wanted`, and gives the number of bytes.
    pub(crate) fn take_matching(&mut self, wanted: &[u8]) -> usize {
        let mut taken = 0;
        while taken < wanted.len() {
            let buffer = match self.reader.fill_buf() {
                Ok(buffer) if !buffer.is_empty() => buffer,
                _ => break,
            };
            let rest = &wanted[taken..];
            let same = if buffer.starts_with(&rest[..rest.len().min(buffer.len())]) {
                rest.len().min(buffer.len())
            } else {
                let pairs = buffer.iter().zip(rest);
                pairs.take_while(|(got, wanted)| got == wanted).count()
            };
            self.reader.consume(same);
            taken += same;
            if same == 0 {
                break;
            }
        }
        taken
    }

    /// From now on waits only briefly: for looking at what is left after a failure.
    pub(crate) fn shorten_timeout(&mut self) {
        let timeout = Some(Duration::from_millis(200));
        self.stream
            .set_read_timeout(timeout)
            .expect("a socket option");
    }

    /// Sends one line and gives the line that answers it.
    pub(crate) fn ask(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n"));
        self.line()
    }

    /// Stores a value and gives the answer.
    pub(crate) fn set(&mut self, key: &str, data: impl AsRef<[u8]>) -> String {
        self.send(set_request(key, data.as_ref()));
        self.line()
    }

    /// The values of one get, up to `END`.
    pub(crate) fn values(&mut self) -> Vec<Value> {
        replies::values(&mut self.reader)
    }

    /// The value that answers a meta command.
    pub(crate) fn meta_value(&mut self) -> MetaValue {
        replies::meta_value(&mut self.reader)
    }

    /// The next reply of the binary protocol.
    pub(crate) fn packet(&mut self) -> Packet {
        replies::packet(&mut self.reader)
    }

    /// The data of one key.
    pub(crate) fn get(&mut self, key: &str) -> Option<Vec<u8>> {
        self.send(written(|out| text::get(out, key)));
        let mut values = self.values();
        assert!(values.len() <= 1 && values.iter().all(|value| value.key == key));
        values.pop().map(|value| value.data)
    }

    /// The data and cas unique of one key.
    pub(crate) fn gets(&mut self, key: &str) -> Option<(Vec<u8>, u64)> {
        self.send(written(|out| text::gets(out, key)));
        let value = self.values().pop()?;
        Some((value.data, value.cas.expect("gets gives a cas unique")))
    }

    /// Names and values of `stats <arguments>`, in order.
    pub(crate) fn stats_list(&mut self, arguments: &str) -> Vec<(String, String)> {
        self.send(written(|out| text::stats(out, arguments.as_bytes())));
        replies::stats(&mut self.reader)
    }

    /// `stats <arguments>` by name.
    pub(crate) fn stats(&mut self, arguments: &str) -> BTreeMap<String, String> {
        self.stats_list(arguments).into_iter().collect()
    }

    /// One general statistic as a number.
    pub(crate) fn stat(&mut self, name: &str) -> u64 {
        let stats = self.stats("");
        let value = stats.get(name).unwrap_or_else(|| panic!("no stat {name}"));
        value.parse().expect("a number")
    }

    /// Ends the connection with a reset instead of an orderly close.
    pub(crate) fn reset(self) {
        set_socket_linger(&self.stream, Some(Duration::ZERO)).expect("a socket option");
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish_sending(&mut self) {
        self.stream
            .shutdown(Shutdown::Write)
            .expect("the connection is open");
    }

    /// Another handle of the connection, to write while this one reads.
    pub(crate) fn writer(&self) -> TcpStream {
        self.stream.try_clone().expect("a file descriptor")
    }
}

/// The bytes of a request that `write` appends.
pub(crate) fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut request = Vec::new();
    write(&mut request);
    request
}

/// The bytes of a set.
pub(crate) fn set_request(key: &str, data: &[u8]) -> Vec<u8> {
    let set = Store::new(StoreVerb::Set);
    written(|out| text::store(out, key, &set, data))
}

/// `length` bytes that differ by place and by `seed`, without line ends.
pub(crate) fn pattern(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            b'0' + (state >> 32) as u8 % 64
        })
        .collect()
}

/// Writes to a socket until it takes no more for a while, and gives the number of bytes. The socket is left blocking.
///
/// Counts tries and not time: who was kept from its CPU for a second has not seen anybody refuse for a second.
pub(crate) fn write_until_blocked(socket: &mut TcpStream, bytes: &[u8]) -> usize {
    const REFUSALS_MAX: u32 = 100;
    socket.set_nonblocking(true).unwrap();
    let (mut sent, mut refusals) = (0, 0);
    while sent < bytes.len() && refusals < REFUSALS_MAX {
        match socket.write(&bytes[sent..]) {
            Ok(length) => (sent, refusals) = (sent + length, 0),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                refusals += 1;
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) => panic!("{error}"),
        }
    }
    socket.set_nonblocking(false).unwrap();
    sent
}
