//! `-e`: items that outlive a graceful end, and an empty start after any other.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Child;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::client::Client;
use crate::server::{Server, binary, command, free_port};

const TIMEOUT: Duration = Duration::from_secs(60);
const ITEMS: usize = 20_000;

/// A memory file of one test; it is removed at the end, with its companion.
struct MemoryFile(PathBuf);

impl MemoryFile {
    fn new(name: &str) -> MemoryFile {
        let name = format!("corecached-{name}-{}", std::process::id());
        MemoryFile(std::env::temp_dir().join(name))
    }

    fn start(&self, shards: usize, options: &[&str]) -> Server {
        let path = self.0.to_str().expect("a path of letters");
        Server::start(shards, &[&["-e", path], options].concat())
    }

    /// A socket of a server that would use it.
    fn socket(&self) -> PathBuf {
        self.0.with_extension("sock")
    }

    /// What it takes of its file system.
    fn allocated_bytes(&self) -> u64 {
        fs::metadata(&self.0).map_or(0, |metadata| metadata.blocks() * 512)
    }
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
        let _ = fs::remove_file(format!("{}.meta", self.0.display()));
        let _ = fs::remove_file(self.socket());
    }
}

fn end(mut server: Server, signal: Signal) {
    server.signal(signal);
    server.wait_for_exit(TIMEOUT);
}

fn set(client: &mut Client, key: &str, exptime: u32, value: &[u8]) {
    client.send(format!("set {key} 5 {exptime} {}\r\n", value.len()));
    client.send(value);
    client.send("\r\n");
    assert_eq!(client.line(), "STORED");
}

fn fill(server: &Server) -> u64 {
    let mut client = server.connect();
    for number in 0..ITEMS {
        client.send(format!("set key-{number} 0 0 5 noreply\r\n{number:05}\r\n"));
    }
    set(&mut client, "large", 0, &[b'x'; 700_000]);
    set(&mut client, "flags", 0, b"and a value");
    set(&mut client, "soon", 4, b"gone");
    set(&mut client, "number", 0, b"41");
    client.stat("curr_items")
}

fn check(server: &Server) {
    let mut client = server.connect();
    for number in (0..ITEMS).step_by(37) {
        client.send(format!("get key-{number}\r\n"));
        assert_eq!(client.line(), format!("VALUE key-{number} 0 5"));
        assert_eq!(client.line(), format!("{number:05}"));
        assert_eq!(client.line(), "END");
    }
    client.send("get large\r\n");
    assert_eq!(client.line(), "VALUE large 5 700000");
    assert_eq!(client.line(), "x".repeat(700_000));
    assert_eq!(client.line(), "END");
    assert_eq!(client.ask("get flags"), "VALUE flags 5 11");
    assert_eq!(client.line(), "and a value");
    assert_eq!(client.line(), "END");
}

fn restarts(shards: usize) {
    if binary().ends_with("memcached") {
        return;
    }
    let file = MemoryFile::new(&format!("restart-{shards}"));
    let server = file.start(shards, &["-m", "64"]);
    let items = fill(&server);
    end(server, Signal::USR1);
    // More memory, then less: what fits stays.
    let server = file.start(shards, &["-m", "100"]);
    check(&server);
    let mut client = server.connect();
    assert_eq!(client.stat("curr_items"), items);
    assert_eq!(client.ask("incr number 1"), "42");
    set(&mut client, "later", 0, b"second life");
    end(server, Signal::USR1);
    let server = file.start(shards, &["-m", "48"]);
    check(&server);
    let mut client = server.connect();
    assert_eq!(client.ask("get later"), "VALUE later 5 11");
    assert_eq!(client.line(), "second life");
    assert_eq!(client.line(), "END");
    assert_eq!(client.ask("incr number 1"), "43");
    thread::sleep(Duration::from_secs(4));
    assert_eq!(
        client.ask("get soon"),
        "END",
        "deadlines go on over a restart"
    );
    drop(client);
    end(server, Signal::USR1);
}

#[test]
fn items_are_there_after_a_graceful_restart_of_one_shard() {
    restarts(1);
}

#[test]
fn items_are_there_after_a_graceful_restart_of_four_shards() {
    restarts(4);
}

/// Its length is what backups and quotas go by, whatever holes it has.
#[test]
fn a_small_cache_has_no_file_of_many_gigabytes() {
    let file = MemoryFile::new("length");
    let server = file.start(2, &["-m", "64"]);
    let bytes = fs::metadata(&file.0).unwrap().len();
    assert!(bytes <= 1 << 30, "{bytes} bytes for 64 MiB");
    // The limit can be raised by as much as there is room for.
    let mut client = server.connect();
    assert_eq!(client.ask("cache_memlimit 200"), "OK");
    set(&mut client, "key", 0, b"value");
    end(server, Signal::USR1);
    // With a larger limit than that of the start the items are still there.
    let server = file.start(2, &["-m", "128"]);
    assert_eq!(server.connect().get("key").unwrap(), b"value");
}

#[test]
fn any_other_end_leaves_an_empty_cache() {
    if binary().ends_with("memcached") {
        return;
    }
    let file = MemoryFile::new("crash");
    for (signal, shards, options, why) in [
        (Signal::KILL, 2, &[][..], "no saved state"),
        (Signal::TERM, 2, &[], "no saved state"),
        (Signal::USR1, 3, &[], "-t 2"),
        (Signal::USR1, 2, &["-C"], "other settings"),
        (Signal::USR1, 2, &["-f", "1.7"], "other settings"),
    ] {
        let server = file.start(2, &[]);
        fill(&server);
        end(server, signal);
        let server = file.start(shards, options);
        crate::faults::eventually("the reason is told", || server.stderr_text().contains(why));
        let mut client = server.connect();
        assert_eq!(client.stat("curr_items"), 0, "{why}");
        assert_eq!(client.ask("get flags"), "END");
        set(&mut client, "new", 0, b"begun");
        end(server, Signal::TERM);
    }
}

#[test]
fn values_half_received_or_half_sent_at_the_end_are_no_items() {
    if binary().ends_with("memcached") {
        return;
    }
    let file = MemoryFile::new("half");
    let server = file.start(2, &["-m", "64"]);
    let items = fill(&server);
    let mut uploading = server.connect();
    uploading.send("set half 0 0 900000\r\n");
    uploading.send([b'h'; 500_000]);
    let mut downloading: Vec<Client> = (0..4).map(|_| server.connect()).collect();
    for client in &mut downloading {
        for _ in 0..30 {
            client.send("get large\r\n");
        }
    }
    thread::sleep(Duration::from_millis(300));
    end(server, Signal::USR1);
    let server = file.start(2, &["-m", "64"]);
    let mut client = server.connect();
    let kept = client.stat("curr_items");
    assert!(
        (items - 1..=items).contains(&kept),
        "{kept}: `soon` may be over"
    );
    assert_eq!(client.ask("get half"), "END");
    check(&server);
    assert_eq!(client.ask("flush_all"), "OK");
    for _ in 0..100 {
        set(&mut client, "large", 0, &[b'y'; 800_000]);
    }
}

#[test]
fn a_file_in_use_is_refused() {
    if binary().ends_with("memcached") {
        return;
    }
    let file = MemoryFile::new("locked");
    let _server = file.start(1, &[]);
    let second = command()
        .args(["-l", "127.0.0.1", "-p", "0", "-s"])
        .arg(file.socket())
        .arg("-e")
        .arg(&file.0)
        .output()
        .expect("the server binary can be executed");
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("another process uses this file"), "{said}");
}

const PREFAULTED_MEGABYTES: u64 = 512;

/// A server that populates the memory of `file`, brought to a halt with most of it to come; `None` if that came too
/// late.
fn halted_in_prefault(file: &MemoryFile) -> Option<Child> {
    let mut child = command()
        .args(["-l", "127.0.0.1", "-p", &free_port().to_string()])
        .args(["-m", &PREFAULTED_MEGABYTES.to_string(), "-t", "2"])
        .args(["-o", "prefault", "-e"])
        .arg(&file.0)
        .spawn()
        .expect("the server binary can be executed");
    let status = format!("/proc/{}/status", child.id());
    let blocks_signals = || {
        let status = fs::read_to_string(&status).expect("the server is running");
        let line = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
        let mask = u64::from_str_radix(line.expect("the kernel tells").trim(), 16);
        mask.expect("a number") & 1 << (Signal::TERM.as_raw() - 1) != 0
    };
    // Until then a signal ends it as any process.
    while !blocks_signals() {
        assert_eq!(child.try_wait().expect("the child is ours"), None);
        thread::sleep(Duration::from_millis(1));
    }
    kill_process(Pid::from_child(&child), Signal::STOP).expect("the server is running");
    if file.allocated_bytes() < (PREFAULTED_MEGABYTES << 20) / 2 {
        return Some(child);
    }
    child.kill().expect("the server is running");
    child.wait().expect("the child is ours");
    None
}

/// Whether `signal` came early enough to be seen during the prefault; if so, that it was obeyed.
fn ends_during_prefault(signal: Signal) -> bool {
    let file = MemoryFile::new(&format!("prefault-{}", signal.as_raw()));
    let memory = PREFAULTED_MEGABYTES.to_string();
    let server = file.start(2, &["-m", &memory]);
    assert_eq!(server.connect().set("key", b"kept"), "STORED");
    end(server, Signal::USR1);
    let Some(mut child) = halted_in_prefault(&file) else {
        return false;
    };
    for signal in [signal, Signal::CONT] {
        kill_process(Pid::from_child(&child), signal).expect("the server is there");
    }
    let status = child.wait().expect("the child is ours");
    assert_eq!(status.code(), Some(0), "{signal:?}");
    assert!(
        file.allocated_bytes() < (PREFAULTED_MEGABYTES << 20) * 7 / 8,
        "{signal:?}: it has populated {} MiB all the same",
        file.allocated_bytes() >> 20
    );
    let server = file.start(2, &["-m", &memory]);
    let is_kept = server.connect().ask("mg key") == "HD";
    assert_eq!(is_kept, signal == Signal::USR1, "{signal:?}");
    true
}

#[test]
fn signals_end_a_server_that_still_populates_its_memory() {
    if binary().ends_with("memcached") {
        return;
    }
    for signal in [Signal::TERM, Signal::INT, Signal::USR1] {
        let in_time = (0..20).any(|_| ends_during_prefault(signal));
        assert!(in_time, "{signal:?}: this machine is too slow for the test");
    }
}
