//! A blocking connection that speaks one of the three protocols.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use corecached_protocol::Step;
use corecached_protocol::binary::client::{self as binary, render};
use corecached_protocol::binary::{Opcode, Status};
use corecached_protocol::client_text::{self as text, ErrorKind, Reply};
use corecached_protocol::meta::client::Status as MetaStatus;
use corecached_protocol::meta::client::{self as meta, Command};
use corecached_protocol::text::{StoreRequest, StoreVerb};

use crate::answer::{Answer, Hit};
use crate::setup::Address;
use crate::verb::{Mode, Verb};

/// A server that says nothing for that long hangs; a stopped process is continued well before.
const HANG: Duration = Duration::from_secs(60);
/// Bytes asked for in one read.
const READ_BYTES: usize = 64 * 1024;

/// How a client talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Text,
    Meta,
    Binary,
}

/// A connected socket.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// Connects, with a receive buffer of `receive_bytes` if that is given.
    pub(crate) fn open(address: &Address, receive_bytes: Option<usize>) -> io::Result<Socket> {
        let socket = match address {
            Address::Tcp(address) => {
                let socket =
                    socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
                if let Some(bytes) = receive_bytes {
                    socket.set_recv_buffer_size(bytes)?;
                }
                socket.connect(&(*address).into())?;
                socket.set_tcp_nodelay(true)?;
                Socket::Tcp(socket.into())
            }
            Address::Unix(path) => Socket::Unix(UnixStream::connect(path)?),
        };
        match &socket {
            Socket::Tcp(tcp) => {
                tcp.set_read_timeout(Some(HANG))?;
                tcp.set_write_timeout(Some(HANG))?;
            }
            Socket::Unix(unix) => {
                unix.set_read_timeout(Some(HANG))?;
                unix.set_write_timeout(Some(HANG))?;
            }
        }
        Ok(socket)
    }

    /// A second handle, for another thread.
    pub(crate) fn double(&self) -> io::Result<Socket> {
        Ok(match self {
            Socket::Tcp(tcp) => Socket::Tcp(tcp.try_clone()?),
            Socket::Unix(unix) => Socket::Unix(unix.try_clone()?),
        })
    }

    /// Closes at once, with a reset over TCP.
    pub(crate) fn reset(self) {
        if let Socket::Tcp(tcp) = self {
            let socket = socket2::Socket::from(tcp);
            let _ = socket.set_linger(Some(Duration::ZERO));
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(tcp) => tcp.read(buf),
            Socket::Unix(unix) => unix.read(buf),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(tcp) => tcp.write(buf),
            Socket::Unix(unix) => unix.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The parser of a connection's replies.
#[derive(Debug)]
enum Parser {
    Text(text::ReplyParser),
    Meta(meta::ReplyParser),
    Binary(binary::ReplyParser),
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    socket: Socket,
    parser: Parser,
    received: Vec<u8>,
    /// Bytes of `received` that are used up.
    used: usize,
}

impl Client {
    pub(crate) fn new(socket: Socket, protocol: Protocol) -> Client {
        let parser = match protocol {
            Protocol::Text => Parser::Text(text::ReplyParser::new()),
            Protocol::Meta => Parser::Meta(meta::ReplyParser::new()),
            Protocol::Binary => Parser::Binary(binary::ReplyParser::new()),
        };
        Client {
            socket,
            parser,
            received: Vec::new(),
            used: 0,
        }
    }

    pub(crate) fn open(address: &Address, protocol: Protocol) -> io::Result<Client> {
        Ok(Client::new(Socket::open(address, None)?, protocol))
    }

    pub(crate) fn protocol(&self) -> Protocol {
        match self.parser {
            Parser::Text(_) => Protocol::Text,
            Parser::Meta(_) => Protocol::Meta,
            Parser::Binary(_) => Protocol::Binary,
        }
    }

    pub(crate) fn socket(&mut self) -> &mut Socket {
        &mut self.socket
    }

    pub(crate) fn into_socket(self) -> Socket {
        self.socket
    }

    /// Reads more bytes; an error at the end of the stream.
    fn fill(&mut self) -> io::Result<()> {
        self.received.drain(..self.used);
        self.used = 0;
        let had = self.received.len();
        self.received.resize(had + READ_BYTES, 0);
        let got = self.socket.read(&mut self.received[had..]);
        self.received.truncate(had + *got.as_ref().unwrap_or(&0));
        match got? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// The answer to `verb`, which has been sent.
    pub(crate) fn answer(&mut self, verb: &Verb, key: &str) -> io::Result<Answer> {
        match self.parser {
            Parser::Text(_) => Ok(self.text_hits(key)?.map_or_else(
                |answer| answer,
                |mut hits| hits.pop().map_or(Answer::Miss, |(_, hit)| Answer::Hit(hit)),
            )),
            Parser::Meta(_) => Ok(number_of(verb, self.meta_answer()?)),
            Parser::Binary(_) => self.binary_answer(verb),
        }
    }

    /// Values up to `END`, or the one line that is the answer instead.
    pub(crate) fn text_hits(
        &mut self,
        only: &str,
    ) -> io::Result<Result<Vec<(String, Hit)>, Answer>> {
        let mut hits: Vec<(String, Hit)> = Vec::new();
        loop {
            let Parser::Text(parser) = &mut self.parser else {
                return Err(malformed("not a text connection"));
            };
            match parser.next(&self.received[self.used..]) {
                Step::Incomplete => self.fill()?,
                Step::Malformed(fault) => return Err(malformed(&fault.to_string())),
                Step::Part { consumed, part } => {
                    self.used += consumed;
                    match part {
                        text::Part::Value(header) => {
                            let key = String::from_utf8_lossy(header.key).into_owned();
                            if !only.is_empty() && key != only {
                                return Err(malformed(&format!("a value of {key} for {only}")));
                            }
                            let value = Vec::with_capacity(header.value_bytes);
                            let (client_flags, cas) = (header.client_flags, header.cas);
                            hits.push((
                                key,
                                Hit {
                                    client_flags,
                                    value,
                                    cas,
                                },
                            ));
                        }
                        text::Part::Data(piece) => {
                            let (_, hit) = hits
                                .last_mut()
                                .ok_or_else(|| malformed("data without a value"))?;
                            hit.value.extend_from_slice(piece.bytes);
                        }
                        text::Part::Reply(Reply::End) => return Ok(Ok(hits)),
                        text::Part::Reply(reply) => return Ok(Err(of_line(&reply))),
                    }
                }
            }
        }
    }

    fn meta_answer(&mut self) -> io::Result<Answer> {
        let mut hit: Option<Hit> = None;
        loop {
            let Parser::Meta(parser) = &mut self.parser else {
                return Err(malformed("not a meta connection"));
            };
            match parser.next(&self.received[self.used..]) {
                Step::Incomplete => self.fill()?,
                Step::Malformed(fault) => return Err(malformed(&fault.to_string())),
                Step::Part { consumed, part } => {
                    self.used += consumed;
                    match part {
                        meta::Part::Value { flags, .. } => {
                            hit = Some(Hit {
                                client_flags: flags.number(b'f').unwrap_or(0) as u32,
                                value: Vec::new(),
                                cas: flags.number(b'c'),
                            });
                        }
                        meta::Part::Data(piece) => {
                            let mut whole = hit
                                .take()
                                .ok_or_else(|| malformed("data without a value"))?;
                            whole.value.extend_from_slice(piece.bytes);
                            if piece.last {
                                return Ok(Answer::Hit(whole));
                            }
                            hit = Some(whole);
                        }
                        meta::Part::Status { status, .. } => return Ok(of_status(status)),
                        meta::Part::Debug(_) => return Ok(Answer::Other("ME".to_owned())),
                        meta::Part::Text(reply) => return Ok(of_line(&reply)),
                    }
                }
            }
        }
    }

    fn binary_answer(&mut self, verb: &Verb) -> io::Result<Answer> {
        let mut hit: Option<(Hit, usize)> = None;
        loop {
            if let Some((whole, _)) = hit.take_if(|(hit, bytes)| hit.value.len() == *bytes) {
                return Ok(Answer::Hit(whole));
            }
            let Parser::Binary(parser) = &mut self.parser else {
                return Err(malformed("not a binary connection"));
            };
            match parser.next(&self.received[self.used..]) {
                Step::Incomplete => self.fill()?,
                Step::Malformed(fault) => return Err(malformed(&fault.to_string())),
                Step::Part { consumed, part } => {
                    self.used += consumed;
                    match part {
                        binary::Part::Hit {
                            client_flags,
                            value_bytes,
                            cas,
                            ..
                        } => {
                            let value = Vec::with_capacity(value_bytes);
                            hit = Some((
                                Hit {
                                    client_flags,
                                    value,
                                    cas: Some(cas),
                                },
                                value_bytes,
                            ));
                        }
                        binary::Part::Data(piece) => {
                            let (whole, _) = hit
                                .as_mut()
                                .ok_or_else(|| malformed("data without a value"))?;
                            whole.value.extend_from_slice(piece.bytes);
                        }
                        binary::Part::Reply(reply) => return Ok(of_packet(verb, &reply)),
                    }
                }
            }
        }
    }

    /// One command of the text protocol whose answer is a line.
    pub(crate) fn line(&mut self, command: &str) -> io::Result<String> {
        self.socket.write_all(command.as_bytes())?;
        self.socket.write_all(b"\r\n")?;
        self.next_line()
    }

    /// The next line that the server sends.
    pub(crate) fn next_line(&mut self) -> io::Result<String> {
        loop {
            let unused = &self.received[self.used..];
            if let Some(end) = unused.iter().position(|&byte| byte == b'\n') {
                let line = String::from_utf8_lossy(&unused[..end])
                    .trim_end()
                    .to_owned();
                self.used += end + 1;
                return Ok(line);
            }
            self.fill()?;
        }
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

fn of_line(reply: &Reply<'_>) -> Answer {
    match reply {
        Reply::Stored | Reply::Deleted | Reply::Touched => Answer::Done,
        Reply::NotStored => Answer::NotStored,
        Reply::Exists => Answer::Exists,
        Reply::NotFound => Answer::Miss,
        Reply::Number(number) => Answer::Number(*number),
        Reply::Error { kind, message } if *kind != ErrorKind::Command => {
            Answer::of_error(&String::from_utf8_lossy(message))
        }
        other => Answer::Other(format!("{other:?}")),
    }
}

fn of_status(status: MetaStatus) -> Answer {
    match status {
        MetaStatus::Hd => Answer::Done,
        MetaStatus::En | MetaStatus::Nf => Answer::Miss,
        MetaStatus::Ns => Answer::NotStored,
        MetaStatus::Ex => Answer::Exists,
    }
}

/// `ma` answers with the number as a value.
fn number_of(verb: &Verb, answer: Answer) -> Answer {
    match (verb, &answer) {
        (Verb::Count { .. }, Answer::Hit(hit)) => {
            let text = String::from_utf8_lossy(&hit.value);
            text.parse().map_or(answer, Answer::Number)
        }
        _ => answer,
    }
}

fn of_packet(verb: &Verb, reply: &binary::Reply<'_>) -> Answer {
    match (verb, reply.status) {
        (Verb::Count { .. }, Ok(Status::Ok)) => reply.number().map_or(Answer::Miss, Answer::Number),
        (_, Ok(Status::Ok)) => Answer::Done,
        (Verb::Store { .. }, Ok(Status::Exists | Status::NotFound)) => Answer::NotStored,
        (_, Ok(Status::NotFound)) => Answer::Miss,
        (_, Ok(Status::Exists)) => Answer::Exists,
        (_, Ok(Status::NotStored)) => Answer::NotStored,
        _ => Answer::of_error(&String::from_utf8_lossy(reply.value)),
    }
}

/// Appends the request that `verb` is in `protocol`. Only the text protocol's stores can ask for no answer.
pub(crate) fn render(out: &mut Vec<u8>, protocol: Protocol, key: &str, verb: &Verb, noreply: bool) {
    match protocol {
        Protocol::Text => render_text(out, key.as_bytes(), verb, noreply),
        Protocol::Meta => render_meta(out, key.as_bytes(), verb),
        Protocol::Binary => render_binary(out, key.as_bytes(), verb),
    }
}

fn render_text(out: &mut Vec<u8>, key: &[u8], verb: &Verb, noreply: bool) {
    let mut store = |verb, value: &[u8], (client_flags, exptime, cas)| {
        let request = StoreRequest {
            verb,
            key,
            client_flags,
            exptime,
            value_bytes: 0,
            cas,
            noreply,
        };
        text::render::store(out, &request, value);
    };
    match verb {
        Verb::Get => text::render::gets(out, key),
        Verb::GetAndTouch { exptime } => text::render::gats(out, *exptime, [key]),
        Verb::Touch { exptime } => text::render::touch(out, key, *exptime, false),
        Verb::Delete => text::render::delete(out, key, false),
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
            store(verb, value, (*client_flags, *exptime, 0));
        }
        Verb::Cas {
            cas,
            value,
            client_flags,
        } => store(StoreVerb::Cas, value, (*client_flags, 0, *cas)),
        Verb::Join {
            before: true,
            value,
        } => store(StoreVerb::Prepend, value, (0, 0, 0)),
        Verb::Join {
            before: false,
            value,
        } => store(StoreVerb::Append, value, (0, 0, 0)),
        Verb::Count { up: true, delta } => text::render::incr(out, key, *delta, false),
        Verb::Count { up: false, delta } => text::render::decr(out, key, *delta, false),
    }
}

fn render_meta(out: &mut Vec<u8>, key: &[u8], verb: &Verb) {
    let flag = |letter, argument| corecached_protocol::meta::Flag { letter, argument };
    match verb {
        Verb::Get => Command::get(out, key)
            .letter(b'f')
            .letter(b'v')
            .letter(b'c')
            .end(),
        Verb::GetAndTouch { exptime } => Command::get(out, key)
            .letter(b'f')
            .letter(b'v')
            .letter(b'c')
            .number(b'T', *exptime)
            .end(),
        Verb::Touch { exptime } => Command::get(out, key).number(b'T', *exptime).end(),
        Verb::Delete => Command::delete(out, key).end(),
        Verb::Store {
            mode,
            value,
            client_flags,
            exptime,
        } => {
            let mode: &[u8] = match mode {
                Mode::Set => b"S",
                Mode::Add => b"E",
                Mode::Replace => b"R",
            };
            Command::set(out, key, value.len())
                .flag(flag(b'M', mode))
                .number(b'F', *client_flags)
                .number(b'T', *exptime)
                .end_with_value(value);
        }
        Verb::Cas {
            cas,
            value,
            client_flags,
        } => Command::set(out, key, value.len())
            .number(b'C', *cas)
            .number(b'F', *client_flags)
            .end_with_value(value),
        Verb::Join { before, value } => Command::set(out, key, value.len())
            .flag(flag(b'M', if *before { b"P" } else { b"A" }))
            .end_with_value(value),
        Verb::Count { up, delta } => Command::arith(out, key)
            .flag(flag(b'M', if *up { b"I" } else { b"D" }))
            .number(b'D', *delta)
            .letter(b'v')
            .end(),
    }
}

fn render_binary(out: &mut Vec<u8>, key: &[u8], verb: &Verb) {
    match verb {
        Verb::Get => render::keyed(out, Opcode::Get, 0, key, 0),
        Verb::GetAndTouch { exptime } => render::touch(out, Opcode::Gat, 0, key, *exptime as u32),
        Verb::Touch { exptime } => render::touch(out, Opcode::Touch, 0, key, *exptime as u32),
        Verb::Delete => render::keyed(out, Opcode::Delete, 0, key, 0),
        Verb::Store {
            mode,
            value,
            client_flags,
            exptime,
        } => {
            let opcode = match mode {
                Mode::Set => Opcode::Set,
                Mode::Add => Opcode::Add,
                Mode::Replace => Opcode::Replace,
            };
            render::store(
                out,
                opcode,
                0,
                key,
                (*client_flags, *exptime as u32, 0),
                value,
            );
        }
        Verb::Cas {
            cas,
            value,
            client_flags,
        } => {
            render::store(out, Opcode::Set, 0, key, (*client_flags, 0, *cas), value);
        }
        Verb::Join { before, value } => {
            let opcode = if *before {
                Opcode::Prepend
            } else {
                Opcode::Append
            };
            render::with_value(out, opcode, 0, key, 0, value);
        }
        Verb::Count { up, delta } => {
            let opcode = if *up { Opcode::Incr } else { Opcode::Decr };
            render::arith(out, opcode, 0, key, *delta, None);
        }
    }
}
