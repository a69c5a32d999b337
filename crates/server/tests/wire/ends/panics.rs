//! A server that cannot go on ends whole: a panic in one thread, or a ring that fails for good, and a supervisor starts
//! another. What lasts a moment only is lived through.
//!
//! Panics are glommio's, which cannot go on without its rings: the test denies it one call.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::client::Client;
use crate::faults::eventually;
use crate::server::Server;

use super::filter::{Call, Watched};
use super::{SOON, failed_start, has_no_rings, is_other_server, lone};

/// Shards without traffic park after 64 ms.
const PARKS_AFTER: Duration = Duration::from_millis(150);
/// EX_SOFTWARE of sysexits.h.
const STATUS: i32 = 70;

/// A server whose calls of io_uring_enter the test decides.
fn watched(
    shards: usize,
    options: &[&str],
    more: &mut dyn FnMut(&mut Command),
) -> (Server, Watched) {
    let watched = Watched::new();
    let server = Server::start_prepared("127.0.0.1", shards, options, &mut |command| {
        watched.prepare(command);
        command.env_remove("RUST_BACKTRACE");
        more(command);
    });
    (server, watched)
}

/// Lets the next call that `wanted` chooses fail, and all the others through.
fn fail_once(
    watched: &Watched,
    errno: i32,
    wanted: impl Fn(Call) -> bool + Send + 'static,
) -> Arc<AtomicU32> {
    let failures = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&failures);
    watched.rule(move |call| {
        let is_due = counted.load(Ordering::SeqCst) == 0 && wanted(call);
        is_due.then(|| {
            counted.fetch_add(1, Ordering::SeqCst);
            errno
        })
    });
    failures
}

/// Has glommio's ring in the thread of the last shard fail, which makes that thread panic.
fn panic_in_last_shard(server: &Server, watched: &Watched, shards: usize) {
    let thread = server.thread(&format!("shard-{}", shards - 1));
    fail_once(watched, libc::EPERM, move |call| {
        call.thread == thread && !call.is_companion
    });
}

fn assert_told_in_one_line(said: &str, shard: usize) {
    let lines: Vec<&str> = said
        .lines()
        .filter(|line| !line.contains("ready on"))
        .collect();
    assert_eq!(lines.len(), 1, "{said}");
    let line = lines[0];
    assert!(
        line.starts_with(&format!("corecached: thread shard-{shard} panicked at ")),
        "{line}"
    );
    assert!(
        line.contains("ending with status 70 (RUST_BACKTRACE=1 shows the backtrace)"),
        "{line}"
    );
    assert!(
        line.contains("Operation not permitted") || line.contains("EPERM"),
        "{line}"
    );
}

fn panics_whole(shards: usize) {
    if has_no_rings() {
        return;
    }
    let (mut server, watched) = watched(shards, &[], &mut |_| {});
    let mut clients: Vec<Client> = (0..8).map(|_| server.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.set("key", b"value"), "STORED");
    }
    panic_in_last_shard(&server, &watched, shards);
    assert_eq!(server.wait_for_exit(SOON).code(), Some(STATUS));
    for client in &mut clients {
        assert_eq!(client.byte().unwrap(), None, "no client is left waiting");
    }
    assert!(
        Client::try_connect(server.address()).is_err(),
        "nobody listens"
    );
    eventually("its words are read", || {
        server.stderr_text().ends_with("backtrace)\n")
    });
    assert_told_in_one_line(&server.stderr_text(), shards - 1);
}

#[test]
fn a_panic_ends_a_server_of_one_shard() {
    panics_whole(1);
}

#[test]
fn a_panic_of_one_shard_ends_all_four() {
    panics_whole(4);
}

#[test]
fn the_backtrace_is_shown_on_request() {
    if has_no_rings() {
        return;
    }
    let (mut server, watched) = watched(2, &[], &mut |command| {
        command.env("RUST_BACKTRACE", "1");
    });
    panic_in_last_shard(&server, &watched, 2);
    assert_eq!(server.wait_for_exit(SOON).code(), Some(STATUS));
    eventually("its words are read", || {
        server.stderr_text().contains("panicking")
    });
    assert!(
        server.stderr_text().lines().count() > 4,
        "{}",
        server.stderr_text()
    );
}

/// Nobody reads what it says: the pipe is full, or closed. It ends all the same.
#[test]
fn a_panic_that_cannot_be_told_ends_the_server() {
    if has_no_rings() {
        return;
    }
    for is_full in [true, false] {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let (mut server, watched) = watched(2, &[], &mut |command| {
            command.stderr(writer.try_clone().unwrap());
        });
        let reader = is_full.then_some(reader);
        if is_full {
            rustix::io::ioctl_fionbio(&writer, true).unwrap();
            while writer.write(&[b'.'; 4096]).is_ok() {}
            while writer.write(b".").is_ok() {}
            rustix::io::ioctl_fionbio(&writer, false).unwrap();
        }
        panic_in_last_shard(&server, &watched, 2);
        assert_eq!(
            server.wait_for_exit(SOON).code(),
            Some(STATUS),
            "full: {is_full}"
        );
        drop(reader);
    }
}

/// What a server says is no reason to end, either.
#[test]
fn a_server_whose_stderr_is_closed_serves() {
    if is_other_server() {
        return;
    }
    let (reader, writer) = std::io::pipe().unwrap();
    let mut server = Server::start_prepared("127.0.0.1", 2, &["-vvv"], &mut |command| {
        command.stderr(writer.try_clone().unwrap());
        // Its first words find it closed already, or the next ones do.
    });
    drop((reader, writer));
    for _ in 0..50 {
        assert_eq!(server.connect().set("key", b"value"), "STORED");
    }
    server.signal(Signal::TERM);
    assert_eq!(server.wait_for_exit(SOON).code(), Some(0));
}

/// Panics while the start is under way: who waits for the daemon learns it, and no half of it stays.
#[test]
fn a_panic_during_the_start_is_the_starters_status() {
    if has_no_rings() {
        return;
    }
    for options in [&["-t", "2"][..], &["-t", "2", "-d"]] {
        let watched = Watched::ruled(move |call| {
            // The first call is the probe's, by the main thread, whose ring glommio's are like.
            (!call.is_companion && call.is_of_shard()).then_some(libc::EPERM)
        });
        let mut command = lone(options);
        watched.prepare(&mut command);
        let (code, said) = failed_start(&mut command);
        assert_eq!(code, Some(STATUS), "{options:?}: {said}");
        assert!(said.contains("panicked at "), "{said}");
    }
}

/// A daemon that serves leaves no half behind, either, though nobody hears of it.
#[test]
fn a_panic_ends_a_daemon() {
    if has_no_rings() {
        return;
    }
    let watched = Watched::new();
    let pidfile = std::env::temp_dir().join(format!("corecached-ends-{}", std::process::id()));
    let mut command = lone(&["-t", "2", "-d", "-P"]);
    command.arg(&pidfile);
    watched.prepare(&mut command);
    let (code, said) = failed_start(&mut command);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let pid = std::fs::read_to_string(&pidfile).unwrap();
    watched.rule(|call| (!call.is_companion).then_some(libc::EPERM));
    let process = PathBuf::from(format!("/proc/{}", pid.trim()));
    // An orphan that has ended may wait for init.
    let is_gone = || {
        let status = std::fs::read_to_string(process.join("stat")).unwrap_or_default();
        status.is_empty() || status.contains(") Z ")
    };
    eventually("the daemon ends", is_gone);
    std::fs::remove_file(pidfile).unwrap();
}

/// Each shard serves, and does so after the failure.
fn lives_through(errno: i32, is_wanted: fn(Call) -> bool) {
    if has_no_rings() {
        return;
    }
    let (mut server, watched) = watched(2, &[], &mut |_| {});
    let mut clients: Vec<Client> = (0..8).map(|_| server.connect()).collect();
    for round in 0..3 {
        let failures = fail_once(&watched, errno, is_wanted);
        // Shards that have been idle enter glommio's rings, those at work their own.
        eventually("a call has failed", || {
            for client in &mut clients {
                client.set("key", [b'v'; 20_000]);
            }
            thread::sleep(PARKS_AFTER);
            failures.load(Ordering::SeqCst) == 1
        });
        for (number, client) in clients.iter_mut().enumerate() {
            let key = format!("key-{round}-{number}");
            assert_eq!(client.set(&key, b"value"), "STORED", "errno {errno}");
            assert_eq!(client.get(&key).expect("a hit"), b"value");
        }
    }
    server.signal(Signal::TERM);
    assert_eq!(server.wait_for_exit(SOON).code(), Some(0), "errno {errno}");
}

#[test]
fn a_shortage_in_a_shards_ring_that_lasts_a_moment_is_lived_through() {
    for errno in [libc::ENOMEM, libc::EAGAIN, libc::EBUSY, libc::EINTR] {
        lives_through(errno, |call| call.is_companion);
    }
}

#[test]
fn a_shortage_in_glommios_rings_that_lasts_a_moment_is_lived_through() {
    for errno in [libc::EAGAIN, libc::EBUSY, libc::EINTR] {
        lives_through(errno, |call| !call.is_companion);
    }
}

/// glommio does not try again where it lacks memory.
#[test]
fn a_lack_of_memory_in_glommios_rings_ends_the_server() {
    if has_no_rings() {
        return;
    }
    let (mut server, watched) = watched(2, &[], &mut |_| {});
    let mut client = server.connect();
    let failures = fail_once(&watched, libc::ENOMEM, |call| !call.is_companion);
    assert_eq!(server.wait_for_exit(SOON).code(), Some(STATUS));
    assert_eq!(failures.load(Ordering::SeqCst), 1);
    assert_eq!(client.byte().unwrap(), None);
}

/// One shard's ring fails for good, the other's would serve on.
#[test]
fn a_ring_that_fails_for_good_ends_the_server() {
    if has_no_rings() {
        return;
    }
    for errno in [
        libc::ENOMEM,
        libc::EAGAIN,
        libc::EBUSY,
        libc::EPERM,
        libc::EBADFD,
    ] {
        let (mut server, watched) = watched(2, &[], &mut |_| {});
        // Some on each shard.
        let mut clients: Vec<Client> = (0..8).map(|_| server.connect()).collect();
        for client in &mut clients {
            assert_eq!(client.set("key", b"value"), "STORED");
        }
        let thread = server.thread("shard-1");
        watched.rule(move |call| (call.thread == thread && call.is_companion).then_some(errno));
        let begun = Instant::now();
        for client in &mut clients {
            // A shard without anything to do would sleep on, and harm nobody. One that is gone already reads nothing.
            let _ = client.try_send("mn\r\n");
        }
        assert_eq!(
            server.wait_for_exit(SOON).code(),
            Some(STATUS),
            "errno {errno}"
        );
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{:?}",
            begun.elapsed()
        );
        eventually("its words are read", || {
            server.stderr_text().contains("status 70")
        });
        let said = server.stderr_text();
        assert!(
            said.contains("corecached: shard 1 cannot go on: "),
            "{said}"
        );
        // The other shard may have answered.
        for client in &mut clients {
            while client.byte().unwrap().is_some() {}
        }
    }
}

/// What a panic leaves behind is not saved, also if the order to save comes at that moment.
#[test]
fn nothing_is_saved_after_a_panic() {
    if has_no_rings() {
        return;
    }
    let folder = std::env::temp_dir().join(format!("corecached-saved-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("items").display().to_string();
    for signal in [None, Some(Signal::USR1)] {
        let (mut server, watched) = watched(2, &["-e", &file], &mut |_| {});
        assert_eq!(server.connect().set("key", b"value"), "STORED");
        panic_in_last_shard(&server, &watched, 2);
        if let Some(signal) = signal {
            server.signal(signal);
        }
        let code = server.wait_for_exit(SOON).code();
        // A signal may be served before the panic: then everything was whole.
        assert!(
            code == Some(STATUS) || (signal.is_some() && code == Some(0)),
            "{code:?}"
        );
        drop(server);
        let server = Server::start(2, &["-e", &file]);
        let said = server.stderr_text();
        let is_empty = server.connect().stat("curr_items") == 0;
        assert_eq!(is_empty, code == Some(STATUS), "{said}");
        assert_eq!(is_empty, said.contains("the cache is empty"), "{said}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}
