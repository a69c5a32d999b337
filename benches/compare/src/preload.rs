//! Fills the server: one connection, pipelined sets without replies, then a check that the
//! server has taken them all.

use std::io::{self, Read, Write};
use std::net::TcpStream;

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
    let mut stream = TcpStream::connect((args.host.as_str(), args.port))?;
    let keyspace = Keyspace::new(args);
    let mut out = Vec::with_capacity(CHUNK_BYTES * 2);
    for number in 0..args.keys {
        push_set(&mut out, &keyspace, number, true);
        if out.len() >= CHUNK_BYTES {
            stream.write_all(&out)?;
            out.clear();
        }
    }
    // The answer to this comes after everything before it was executed.
    out.extend_from_slice(b"mn\r\n");
    stream.write_all(&out)?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer)?;
    if &answer == b"MN\r\n" {
        return Ok(());
    }
    let mut text = answer.to_vec();
    let mut rest = [0; 256];
    let length = stream.read(&mut rest)?;
    text.extend_from_slice(&rest[..length]);
    Err(io::Error::other(format!(
        "preload: the server answered {:?}",
        String::from_utf8_lossy(&text)
    )))
}
