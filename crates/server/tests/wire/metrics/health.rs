//! `/healthz`: ok while every shard answers, or has done so a moment ago.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::faults::eventually;
use crate::skip::skipped;

use super::{Measured, PATIENCE, PROMETHEUS, REPORT_AGE, check, is_other_server};

#[test]
fn a_server_that_answers_is_well() {
    if is_other_server() {
        return;
    }
    for shards in [1, 4] {
        let measured = Measured::start(shards, &[]);
        becomes_well(&measured);
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

fn becomes_well(measured: &Measured) {
    eventually("it is well", || measured.get("/healthz", "").body == "ok\n");
}

/// What a scrape says about the age of a shard's figures; `None` if it is refused.
fn report_age(measured: &Measured, shard: &str) -> Option<f64> {
    let reply = measured.get("/metrics", &format!("Accept: {PROMETHEUS}\r\n"));
    let is_refused = reply.status == "503 Service Unavailable";
    (!is_refused).then(|| {
        let told = check(&reply.body);
        let age = told.value(REPORT_AGE, &[("shard", shard)]);
        age.expect("each shard has an age")
    })
}

/// Shard 1 is stopped, and asked at once. Returns whether it was forgiven: not if the test itself had to wait for the
/// CPU, so that it came too late.
fn is_forgiven(measured: &Measured) -> bool {
    let begun = Instant::now();
    let reply = measured.get("/healthz", "");
    assert!(
        begun.elapsed() >= Duration::from_secs(1),
        "it has not waited"
    );
    let age = report_age(measured, "1");
    assert!(age.is_none_or(|age| age >= 1.0), "it is {age:?} s old");
    age.is_some() && reply.status == "200 OK" && reply.body.starts_with("ok\nShard")
}

/// Shard 1 stays stopped. Returns whether it alone is named in the end: not if it was stopped where it holds something
/// that others wait for, such as a lock of the allocator.
fn is_named_alone(measured: &Measured) -> bool {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let reply = measured.get("/healthz", "");
        if reply.status == "503 Service Unavailable"
            && reply.body.starts_with("Shard 1 has not answered for ")
        {
            return report_age(measured, "1").is_none();
        }
        if Instant::now() > until {
            println!("{}", reply.body);
            return false;
        }
    }
}

/// On a busy machine other shards may be late as well, but none of them for ten seconds.
#[test]
fn a_shard_that_does_not_answer_is_forgiven_first_and_named_later() {
    if is_other_server() {
        return;
    }
    let measured = Measured::start(3, &[]);
    let (mut forgiven, mut named) = (false, false);
    for _ in 0..5 {
        becomes_well(&measured);
        let stopped = match Stopped::stop(measured.server.thread("shard-1")) {
            Ok(stopped) => stopped,
            Err(error) => return skipped(&format!("threads cannot be stopped (ptrace): {error}")),
        };
        forgiven |= is_forgiven(&measured);
        named |= is_named_alone(&measured);
        drop(stopped);
        if forgiven && named {
            break;
        }
    }
    assert!(forgiven && named, "forgiven {forgiven}, named {named}");
    becomes_well(&measured);
    eventually("its figures are of now", || {
        report_age(&measured, "1") == Some(0.0)
    });
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
