//! A blocking connection that speaks one of the three protocols, and sockets that are treated badly.
//!
//! ```text
//!   ask(key, verb) ... take_requests() -> bytes, which a thread of its own sends
//!   answer(verb)   <- corecached-client's session: one reader for all protocols, opaques checked
//! ```

use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use corecached_client::request::{Arith, Delete, Get, GetMany, Store, StoreVerb, Touch};
use corecached_client::wire::text::ReplyMode;
use corecached_client::{Answer as Reply, Connection, Error, Hit as Found, RefusalKind};
use corecached_client::{Session, Ttl};

pub(crate) use corecached_client::{Protocol, Socket};

use crate::answer::{Answer, Hit};
use crate::setup::Address;
use crate::verb::{Mode, Verb};

/// A server that says nothing for that long hangs; a stopped process is continued well before.
const HANG: Duration = Duration::from_secs(60);
/// Longer than any value of these rounds.
const VALUE_BYTES_MAX: usize = 1 << 30;

/// Connects, with a receive buffer of `receive_bytes` if that is given.
pub(crate) fn open(address: &Address, receive_bytes: Option<usize>) -> io::Result<Socket> {
    let socket = match address {
        Address::Tcp(address) => {
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
            if let Some(bytes) = receive_bytes {
                socket.set_recv_buffer_size(bytes)?;
            }
            socket.connect(&(*address).into())?;
            socket.set_tcp_nodelay(true)?;
            Socket::Tcp(TcpStream::from(socket))
        }
        Address::Unix(path) => Socket::Unix(UnixStream::connect(path)?),
    };
    socket.set_timeouts(Some(HANG), Some(HANG))?;
    Ok(socket)
}

/// Closes at once, with a reset over TCP.
pub(crate) fn reset(socket: Socket) {
    if let Socket::Tcp(tcp) = socket {
        let socket = socket2::Socket::from(tcp);
        let _ = socket.set_linger(Some(Duration::ZERO));
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    connection: Connection<Socket>,
}

impl Client {
    pub(crate) fn new(socket: Socket, protocol: Protocol) -> Client {
        let session = Session::new(protocol, VALUE_BYTES_MAX);
        Client {
            connection: Connection::over(socket, session),
        }
    }

    pub(crate) fn open(address: &Address, protocol: Protocol) -> io::Result<Client> {
        Ok(Client::new(open(address, None)?, protocol))
    }

    pub(crate) fn protocol(&self) -> Protocol {
        self.connection.protocol()
    }

    pub(crate) fn socket(&mut self) -> &mut Socket {
        self.connection.stream()
    }

    pub(crate) fn into_socket(self) -> Socket {
        self.connection.into_stream()
    }

    /// Adds a request to those that are to be sent. Only the text protocol's stores can ask for no answer.
    pub(crate) fn ask(&mut self, key: &str, verb: &Verb, wants: ReplyMode) -> io::Result<()> {
        let session = self.connection.session();
        let asked = match verb {
            Verb::Get => session.ask(&Get::new(key).with_cas()),
            Verb::GetAndTouch { exptime } => {
                session.ask(&Get::new(key).with_cas().touch(Ttl::from_wire(*exptime)))
            }
            Verb::Touch { exptime } => session.ask(&Touch::new(key, Ttl::from_wire(*exptime))),
            Verb::Delete => session.ask(&Delete::new(key)),
            Verb::Count { up: true, delta } => session.ask(&Arith::incr(key, *delta)),
            Verb::Count { up: false, delta } => session.ask(&Arith::decr(key, *delta)),
            Verb::Store { .. } | Verb::Cas { .. } | Verb::Join { .. } => {
                let store = store(key, verb);
                let store = store.map(|store| match wants {
                    ReplyMode::Noreply => store.unanswered(),
                    ReplyMode::Reply => store,
                });
                return store.map_or(Ok(()), |store| {
                    session.ask(&store).map(drop).map_err(io::Error::other)
                });
            }
        };
        asked.map(drop).map_err(io::Error::other)
    }

    /// Adds a get of several keys.
    pub(crate) fn ask_many(&mut self, keys: &[String]) -> io::Result<()> {
        let asked = self.connection.session().ask(&GetMany::new(keys));
        asked.map(drop).map_err(io::Error::other)
    }

    /// The bytes of all requests that were added; it is the caller's to send them.
    pub(crate) fn take_requests(&mut self) -> io::Result<Vec<u8>> {
        let session = self.connection.session();
        let bytes = session.outgoing().map_err(io::Error::other)?.to_vec();
        session.sent(bytes.len());
        Ok(bytes)
    }

    /// Sends all requests that were added.
    pub(crate) fn send(&mut self) -> io::Result<()> {
        let bytes = self.take_requests()?;
        self.socket().write_all(&bytes)
    }

    /// The answer to `verb`, which has been sent.
    pub(crate) fn answer(&mut self, verb: &Verb, key: &str) -> io::Result<Answer> {
        let reply = self.receive()?;
        let is_binary = self.protocol() == Protocol::Binary;
        match (verb, reply) {
            (_, Reply::Values(mut hits)) => match (hits.pop(), hits.is_empty()) {
                (None, _) => Ok(Answer::Miss),
                (Some(hit), true) => one_hit(verb, key, hit),
                (Some(_), false) => Err(malformed("several values of one key")),
            },
            (Verb::Store { .. }, Reply::Miss | Reply::Exists) if is_binary => Ok(Answer::NotStored),
            (_, reply) => Ok(of_reply(reply)),
        }
    }

    /// The hits of a get of several keys, in the order in which they came.
    pub(crate) fn hits(&mut self) -> io::Result<Vec<(String, Hit)>> {
        let hits = match self.receive()? {
            Reply::Values(hits) => hits,
            other => return Err(malformed(&format!("a get gave {other:?}"))),
        };
        let mut named = Vec::with_capacity(hits.len());
        for hit in hits {
            let key = hit
                .key
                .as_deref()
                .ok_or_else(|| malformed("a hit without its key"))?;
            named.push((String::from_utf8_lossy(key).into_owned(), of_hit(hit)));
        }
        Ok(named)
    }

    fn receive(&mut self) -> io::Result<Reply> {
        self.connection.receive().map_err(|error| match error {
            Error::Io(error) => error,
            other => io::Error::other(other),
        })
    }
}

/// A connection that is spoken to in lines, for what is no request of a client: dumps, limits, halves of requests.
#[derive(Debug)]
pub(crate) struct Lines {
    reader: BufReader<Socket>,
}

impl Lines {
    pub(crate) fn open(address: &Address) -> io::Result<Lines> {
        let reader = BufReader::new(open(address, None)?);
        Ok(Lines { reader })
    }

    /// One command whose answer is a line.
    pub(crate) fn line(&mut self, command: &str) -> io::Result<String> {
        let command = format!("{command}\r\n");
        self.reader.get_mut().write_all(command.as_bytes())?;
        self.next_line()
    }

    /// The next line that the server sends.
    pub(crate) fn next_line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        self.reader.read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }
}

/// The store that a verb is.
fn store<'a>(key: &'a str, verb: &'a Verb) -> Option<Store<'a>> {
    Some(match verb {
        Verb::Store {
            mode,
            value,
            client_flags,
            exptime,
        } => {
            let verb = match mode {
                Mode::Set => StoreVerb::Set,
                Mode::Add => StoreVerb::Add,
                Mode::Replace => StoreVerb::Replace,
            };
            Store::new(verb, key, value)
                .client_flags(*client_flags)
                .ttl(Ttl::from_wire(*exptime))
        }
        Verb::Cas {
            cas,
            value,
            client_flags,
        } => Store::cas(key, value, *cas).client_flags(*client_flags),
        Verb::Join {
            before: true,
            value,
        } => Store::new(StoreVerb::Prepend, key, value),
        Verb::Join {
            before: false,
            value,
        } => Store::new(StoreVerb::Append, key, value),
        _ => return None,
    })
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

fn of_hit(hit: Found) -> Hit {
    Hit {
        client_flags: hit.attributes.client_flags.unwrap_or(0),
        value: hit.value.to_vec(),
        cas: hit.attributes.cas,
    }
}

/// The only hit of a request about `key`. `ma` answers with the number as a value.
fn one_hit(verb: &Verb, key: &str, hit: Found) -> io::Result<Answer> {
    if let Some(named) = &hit.key
        && named[..] != *key.as_bytes()
    {
        return Err(malformed(&format!("a value of {named:?} for {key}")));
    }
    if let Verb::Count { .. } = verb {
        let text = String::from_utf8_lossy(&hit.value);
        if let Ok(number) = text.parse() {
            return Ok(Answer::Number(number));
        }
    }
    Ok(Answer::Hit(of_hit(hit)))
}

fn of_reply(reply: Reply) -> Answer {
    match reply {
        Reply::Done(_) => Answer::Done,
        Reply::Miss => Answer::Miss,
        Reply::NotStored => Answer::NotStored,
        Reply::Exists => Answer::Exists,
        Reply::Number(number) => Answer::Number(number),
        Reply::Refused(refusal) => match refusal.kind {
            RefusalKind::TooLarge => Answer::TooLarge,
            RefusalKind::OutOfMemory => Answer::NoMemory,
            RefusalKind::NotANumber => Answer::NotANumber,
            _ => Answer::Other(refusal.text),
        },
        other => Answer::Other(format!("{other:?}")),
    }
}
