//! `corecached top --once`: against the server itself, against a scripted memcached, and against what is no cache.

mod page;

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{FromRawFd, OwnedFd};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use std::{ptr, thread};

use corecached_client::scripted::Script;

use crate::server::{Server, binary};

/// `corecached top` with these arguments, run to its end.
fn top(arguments: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.arg("top").args(arguments).stdin(Stdio::null());
    command.output().expect("the binary can be executed")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the output is text")
}

/// A snapshot of one server: the text, and whether the status was 0.
pub(crate) fn once(address: SocketAddr) -> (String, bool) {
    let output = top(&["--once", "--interval", "0.2", &address.to_string()]);
    assert_eq!(text(&output.stderr), "");
    (text(&output.stdout), output.status.success())
}

/// The figure of a name, of whichever server.
pub(crate) fn figure<'a>(snapshot: &'a str, name: &str) -> &'a str {
    let mut lines = snapshot.lines().map(|line| line.splitn(3, ' '));
    lines
        .find_map(|mut words| (words.nth(1) == Some(name)).then(|| words.next()).flatten())
        .unwrap_or_else(|| panic!("no {name} in\n{snapshot}"))
}

#[test]
fn a_snapshot_of_the_server_has_its_figures_and_those_of_each_shard() {
    for shards in [1, 3] {
        let server = Server::start(shards, &["-m", "64"]);
        let mut client = server.connect();
        for key in 0..30 {
            client.send(format!("set key{key} 0 0 5\r\nvalue\r\nget key{key}\r\n"));
            let reply = format!("STORED\r\nVALUE key{key} 0 5\r\nvalue\r\nEND\r\n");
            assert_eq!(client.bytes(reply.len()), reply.as_bytes());
        }
        let (snapshot, is_up) = once(server.address());
        assert!(is_up);
        assert_eq!(figure(&snapshot, "state"), "up");
        let version = concat!("corecached ", env!("CARGO_PKG_VERSION"));
        assert_eq!(figure(&snapshot, "version"), version);
        assert_eq!(figure(&snapshot, "items"), "30");
        assert_eq!(figure(&snapshot, "hit_percent_since_start"), "100.00");
        assert_eq!(figure(&snapshot, "hit_percent"), "-");
        assert_eq!(figure(&snapshot, "memory_bytes_max"), "67108864");
        let of_shard = |shard| figure(&snapshot, &format!("shard.{shard}.items")).parse::<u64>();
        let items: u64 = (0..shards).map(|shard| of_shard(shard).unwrap()).sum();
        assert_eq!(items, 30);
        assert!(!snapshot.contains(&format!("shard.{shards}.")));
    }
}

#[test]
fn rates_of_a_memcached_are_shown_and_what_it_does_not_tell_is_left_out() {
    let stats = |gets: u32, hits: u32| {
        format!("STAT version 1.6.18\r\nSTAT cmd_get {gets}\r\nSTAT get_hits {hits}\r\nEND\r\n")
    };
    let memcached = Script::new()
        .then("stats\r\n", stats(1000, 500))
        .then("stats shards\r\n", "ERROR\r\n")
        .then("stats latency\r\n", "ERROR\r\n")
        .then("stats hotkeys\r\n", "CLIENT_ERROR bad command line format\r\n")
        // What it has refused is not asked again.
        .then("stats\r\n", stats(2000, 1400))
        .serve()
        .unwrap();
    let (snapshot, is_up) = once(memcached.address());
    assert!(is_up, "{snapshot}");
    assert_eq!(figure(&snapshot, "version"), "memcached 1.6.18");
    assert_eq!(figure(&snapshot, "hit_percent"), "90.00");
    let rate: f64 = figure(&snapshot, "gets_per_second").parse().unwrap();
    // A thousand in 0.2 s, or in more on a busy machine.
    assert!(rate > 0.0 && rate <= 5000.0, "{rate}");
    assert_eq!(figure(&snapshot, "sets_per_second"), "-");
    for part in ["shard.", "latency.", "hotkey."] {
        assert!(!snapshot.contains(part), "{part}\n{snapshot}");
    }
}

/// What an odd server does with a connection that has asked something.
type Treatment = fn(&mut TcpStream);

/// A listener that treats each connection by `treat`.
fn odd_server(treat: Treatment) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 64]);
            treat(&mut stream);
        }
    });
    address
}

/// Address space for any of them. The C library reserves 128 MiB of it for each thread; a reply without an end would
/// take more within the two seconds that a reply is given.
const MEMORY_MAX_KB: u64 = 512 * 1024;

/// Runs `top` with a bound on its address space, so that a reply without an end would end it.
fn once_in_little_memory(address: SocketAddr) -> Output {
    let script = format!("ulimit -v {MEMORY_MAX_KB}; exec \"$0\" top --once -i 0.1 \"$1\"");
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(binary());
    command.arg(address.to_string()).stdin(Stdio::null());
    command.output().expect("there is a shell")
}

#[test]
fn what_is_no_cache_neither_hangs_nor_grows_it() {
    let treatments: [(&str, Treatment); 5] = [
        ("garbage", |stream| {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\x1b[2J\r\n\r\n");
        }),
        ("silence", |stream| {
            let _ = stream.read(&mut [0]);
        }),
        ("statistics without an end", |stream| {
            while stream.write_all(&b"STAT a 1\r\n".repeat(1000)).is_ok() {}
        }),
        ("a line without an end", |stream| {
            while stream.write_all(&[b'x'; 10_000]).is_ok() {}
        }),
        ("a byte now and then", |stream| {
            while stream.write_all(b"S").is_ok() {
                thread::sleep(Duration::from_millis(100));
            }
        }),
    ];
    for (what, treat) in treatments {
        let address = odd_server(treat);
        let begun = Instant::now();
        let output = once_in_little_memory(address);
        let shown = text(&output.stdout);
        assert_eq!(
            output.status.code(),
            Some(1),
            "{what}: {shown}{}",
            text(&output.stderr)
        );
        assert!(
            figure(&shown, "state").starts_with("gone: "),
            "{what}: {shown}"
        );
        assert!(!shown.contains('\x1b'), "{what}: {shown}");
        // Two seconds are given to a reply; the rest is for a busy machine.
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
    }
}

#[test]
fn keys_and_versions_of_a_server_do_not_reach_the_terminal_as_they_are() {
    let evil = Script::new()
        .then("stats\r\n", "STAT version \x1b]0;x\x07\r\nEND\r\n")
        .then("stats shards\r\n", "END\r\n")
        .then("stats latency\r\n", "STAT \x1b[2J:p50_us 5\r\nEND\r\n")
        .then(
            "stats hotkeys\r\n",
            "STAT 1:key a\x1b[31m\u{9b}b\r\nEND\r\n",
        )
        .then("stats\r\n", "STAT version \x1b]0;x\x07\r\nEND\r\n")
        .then("stats shards\r\n", "END\r\n")
        .then("stats latency\r\n", "STAT \x1b[2J:p50_us 5\r\nEND\r\n")
        .then(
            "stats hotkeys\r\n",
            "STAT 1:key a\x1b[31m\u{9b}b\r\nEND\r\n",
        )
        .serve()
        .unwrap();
    let (snapshot, _) = once(evil.address());
    let is_plain = |it: char| it == '\n' || !it.is_control();
    assert!(snapshot.chars().all(is_plain), "{snapshot:?}");
    assert_eq!(figure(&snapshot, "hotkey.1.key"), "a\\u{1b}[31m\\u{9b}b");
}

#[test]
fn bad_arguments_and_servers_that_are_gone_are_told_by_the_status() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let output = top(&["--once", "--interval", "0.1", &free.to_string()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(figure(&text(&output.stdout), "state").contains("Connection refused"));
    let output = top(&["--interval", "soon"]);
    assert_eq!(output.status.code(), Some(64));
    let sentence = "corecached top: --interval soon: seconds are expected, from 0.1 to 3600\n";
    assert_eq!(text(&output.stderr), sentence);
    // Without a terminal there is no screen.
    let output = top(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--once"));
}

#[test]
fn it_authenticates_with_the_file_it_is_given() {
    let folder = std::env::temp_dir().join(format!("corecached-top-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("passwords");
    std::fs::write(&file, "ada:lovelace\n").unwrap();
    let file_name = file.to_str().unwrap();
    let server = Server::start(2, &["-Y", file_name]);
    let address = server.address().to_string();
    let with = top(&["--once", "-i", "0.1", "--login", file_name, &address]);
    let without = top(&["--once", "-i", "0.1", &address]);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(figure(&text(&with.stdout), "state"), "up");
    assert!(figure(&text(&without.stdout), "state").starts_with("gone: "));
    assert_eq!(without.status.code(), Some(1));
}

/// `corecached top` on a terminal of 80 columns and 24 lines, and the other end of that terminal.
fn on_a_terminal(server: SocketAddr) -> (Child, File) {
    let size = libc::winsize {
        ws_row: 24,
        ws_col: 80,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let (mut ours, mut its) = (-1, -1);
    // SAFETY: the two numbers and the size live on the stack; a name and settings are not asked for.
    let status = unsafe { libc::openpty(&mut ours, &mut its, ptr::null_mut(), ptr::null(), &size) };
    assert_eq!(status, 0, "no terminal can be had");
    // SAFETY: both have just been opened, and nobody else knows them.
    let (ours, its) = unsafe { (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(its)) };
    rustix::io::fcntl_setfd(&ours, rustix::io::FdFlags::CLOEXEC).unwrap();
    let mut command = Command::new(binary());
    command.args(["top", "--interval", "0.1", &server.to_string()]);
    command.env("TERM", "xterm").stderr(Stdio::null());
    command.stdin(its.try_clone().unwrap()).stdout(its);
    (command.spawn().unwrap(), File::from(ours))
}

/// Reads what is drawn until `wanted` has come.
fn read_until(screen: &mut File, wanted: &str) {
    let mut drawn = Vec::new();
    let mut bytes = [0; 4096];
    while !String::from_utf8_lossy(&drawn).contains(wanted) {
        let count = screen.read(&mut bytes).unwrap();
        assert!(count > 0, "the screen ended without {wanted}");
        drawn.extend_from_slice(&bytes[..count]);
    }
}

/// The status of a child, which must end soon.
fn ended(child: &mut Child) -> Option<i32> {
    let end = Instant::now() + Duration::from_secs(60);
    while Instant::now() < end {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    panic!("it goes on");
}

#[test]
fn the_screen_is_drawn_and_ends_with_q_or_with_its_terminal() {
    let server = Server::start(2, &["-m", "64"]);
    let (mut child, mut screen) = on_a_terminal(server.address());
    read_until(&mut screen, "GET/S");
    screen.write_all(b"q").unwrap();
    // What it draws at its end has to go somewhere.
    let drain = thread::spawn(move || io::copy(&mut screen, &mut io::sink()));
    assert_eq!(ended(&mut child), Some(0));
    // The terminal of a child that has ended is an error of the system.
    let _ = drain.join().unwrap();

    let (mut child, mut screen) = on_a_terminal(server.address());
    read_until(&mut screen, "GET/S");
    drop(screen);
    assert_ne!(ended(&mut child), Some(0));
}
