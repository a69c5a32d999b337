//! Fills the server: one connection, pipelined sets without replies, then a check that the
//! server has taken them all.

use std::io::{self, Write};
use std::net::TcpStream;

use corecached_client::wire::text::ReplyMode;
use corecached_client::{Connection, Protocol, Session};

use crate::args::Args;
use crate::keyspace::Keyspace;
use crate::requests::push_set;

/// Bytes gathered before each write.
const CHUNK_BYTES: usize = 256 * 1024;

/// Writes every key once.
///
/// # Errors
/// The connection failed, or the server closed it.
pub(crate) fn run(args: &Args) -> io::Result<()> {
    let stream = TcpStream::connect((args.host.as_str(), args.port))?;
    let keyspace = Keyspace::new(args);
    let session = Session::new(Protocol::Text, args.value_bytes as usize);
    let mut connection = Connection::over(stream, session);
    let mut out = Vec::with_capacity(CHUNK_BYTES * 2);
    for number in 0..args.keys {
        push_set(&mut out, &keyspace, number, ReplyMode::Noreply);
        if out.len() >= CHUNK_BYTES {
            connection.stream().write_all(&out)?;
            out.clear();
        }
    }
    connection.stream().write_all(&out)?;
    // The answer to this comes after everything before it was executed.
    connection
        .noop()
        .map_err(|error| io::Error::other(format!("preload: {error}")))
}
