//! The server runs whole or not at all. What it needs and cannot have ends the start with a sentence; what it can do
//! without is named, and it runs; a panic or a ring that fails ends all of it, with status 70; and then nobody listens
//! for it.
//!
//! ```text
//!   filter.rs   seccomp filters of a test: calls that fail, and calls whose result the test decides, one by one
//!   started.rs  what may be denied at the start, and what may not
//!   rights.rs   users, capabilities, files of the process
//!   panics.rs   panics and failing rings while it serves
//!   ports.rs    listening sockets at the end
//! ```
//!
//! These run against the release profile, too (`scripts/test release`).

mod filter;
mod panics;
mod ports;
mod rights;
mod started;

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::server::{binary, command, free_port, runs_on_epoll};
use crate::skip::skipped;

/// What takes a moment takes no longer than this on a machine that is busy with other tests.
const SOON: Duration = Duration::from_secs(20);

/// memcached has none of this.
fn is_other_server() -> bool {
    binary().ends_with("memcached")
}

/// Whether the server under test has no rings, whose calls the test could decide.
fn has_no_rings() -> bool {
    if runs_on_epoll() {
        skipped("what it denies are calls of io_uring, which are not made with epoll");
    }
    is_other_server() || runs_on_epoll()
}

/// A server that is to end by itself, at a port of its own.
fn lone(options: &[&str]) -> Command {
    let mut command = command();
    command
        .args(["-l", "127.0.0.1", "-p", &free_port().to_string()])
        .args(options)
        .env_remove("RUST_BACKTRACE")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Waits for a process that is to end soon; one that does not is killed, and the test fails.
fn ended(child: &mut Child) -> ExitStatus {
    let end = Instant::now() + SOON;
    while Instant::now() < end {
        if let Some(status) = child.try_wait().expect("the child is ours") {
            return status;
        }
        thread::sleep(Duration::from_millis(2));
    }
    child.kill().expect("the child is ours");
    child.wait().expect("the child is ours");
    panic!("it neither serves nor ends: {:?}", said(child));
}

/// What it has said, up to its end.
fn said(child: &mut Child) -> String {
    let mut text = String::new();
    let stderr = child.stderr.as_mut().expect("stderr is piped");
    stderr.read_to_string(&mut text).expect("it is text");
    text
}

/// Status and words of a start that fails.
fn failed_start(command: &mut Command) -> (Option<i32>, String) {
    let mut child = command.spawn().expect("the server binary can be executed");
    let status = ended(&mut child);
    (status.code(), said(&mut child))
}
