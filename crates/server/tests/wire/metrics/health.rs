//! `/healthz`: ok while every shard answers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use rustix::process::Signal;

use crate::faults::eventually;
use crate::skip::skipped;

use super::{Measured, PATIENCE, is_other_server};

#[test]
fn a_server_that_answers_is_well() {
    if is_other_server() {
        return;
    }
    for shards in [1, 4] {
        let measured = Measured::start(shards, &[]);
        let reply = measured.get("/healthz", "");
        assert_eq!((&*reply.status, &*reply.body), ("200 OK", "ok\n"));
    }
}

/// One thread of another process, stopped as a debugger stops it.
struct Stopped(libc::pid_t);

impl Stopped {
    /// Stops a thread; returns why it cannot.
    fn stop(thread: i32) -> Result<Stopped, std::io::Error> {
        // SAFETY: the two calls take numbers, and touch no memory of this process.
        let stopped = unsafe {
            libc::ptrace(libc::PTRACE_SEIZE, thread, 0, 0) == 0
                && libc::ptrace(libc::PTRACE_INTERRUPT, thread, 0, 0) == 0
        };
        if !stopped {
            return Err(std::io::Error::last_os_error());
        }
        // SAFETY: no status is asked for.
        unsafe { libc::waitpid(thread, std::ptr::null_mut(), libc::__WALL) };
        Ok(Stopped(thread))
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // SAFETY: it takes numbers.
        unsafe { libc::ptrace(libc::PTRACE_DETACH, self.0, 0, 0) };
    }
}

#[test]
fn a_shard_that_does_not_answer_is_named_and_forgiven() {
    if is_other_server() {
        return;
    }
    let measured = Measured::start(3, &[]);
    let stopped = match Stopped::stop(measured.server.thread("shard-1")) {
        Ok(stopped) => stopped,
        Err(error) => return skipped(&format!("threads cannot be stopped (ptrace): {error}")),
    };
    for target in ["/healthz", "/metrics", "/healthz"] {
        let begun = Instant::now();
        let reply = measured.get(target, "");
        assert_eq!(reply.status, "503 Service Unavailable", "{target}");
        assert_eq!(reply.body, "Shard 1 has not answered within a second.\n");
        assert!(begun.elapsed().as_millis() >= 1000, "it has not waited");
    }
    drop(stopped);
    eventually("it is well again", || {
        measured.get("/healthz", "").status == "200 OK"
    });
    measured.scrape();
}

/// While clients still have replies to take, the server is on its way out. That takes two seconds, in which a test on a
/// busy machine may not come to ask: so it may try again.
#[test]
fn a_server_that_is_ending_is_not_well() {
    if is_other_server() {
        return;
    }
    let is_told = (0..5).any(|_| {
        let measured = Measured::start(2, &["-m", "64"]);
        let mut slow = measured.server.connect();
        slow.set("big", [b'x'; 1_000_000]);
        slow.send("get big\r\n".repeat(50));
        slow.peek().unwrap();
        measured.server.signal(Signal::TERM);
        loop {
            match last_words(measured.address) {
                Some(words) if words.contains("\r\n\r\nok\n") => {}
                Some(words) if words.ends_with("\r\n\r\nThe server is ending.\n") => return true,
                Some(words) if !words.is_empty() => panic!("{words}"),
                _ => return false,
            }
        }
    });
    assert!(is_told, "it has ended five times without a word");
}

/// The reply of a server that may end meanwhile.
fn last_words(address: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\n\r\n").ok()?;
    let mut words = String::new();
    stream.read_to_string(&mut words).ok()?;
    Some(words)
}
