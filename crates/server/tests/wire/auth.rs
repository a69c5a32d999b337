//! Authentication: that nothing else is done before it, on any protocol and transport; what SIGHUP reads again; what a
//! server does not start with.

mod refused;

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use corecached_client::wire::binary::{self, Head, Header, Opcode, REQUEST_MAGIC};
use corecached_protocol::text::COMMANDS;
use rustix::process::Signal;

use crate::client::{Client, written};
use crate::server::{Server, command, free_port};
use crate::unix_socket::Server as UnixServer;

/// Text and meta commands with all that they need, but `quit`-like ones, which close anyway.
pub(crate) const TEXT_COMMANDS: &[&str] = &[
    "get target",
    "gets target other",
    "gat 100 target",
    "gats 100 target",
    "set target 0 0 2\r\nxx",
    "add target2 0 0 2\r\nxx",
    "replace target 0 0 2\r\nxx",
    "append target 0 0 2\r\nxx",
    "prepend target 0 0 2\r\nxx",
    "cas target 0 0 2 1\r\nxx",
    "delete target",
    "incr target 1",
    "decr target 1",
    "touch target 1",
    "flush_all",
    "flush_all noreply",
    "stats",
    "stats settings",
    "stats conns",
    "stats reset",
    "stats cachedump 1 1",
    "stats hotkeys",
    "stats hotkeys reset",
    "stats mrc",
    "stats mrc reset",
    "version",
    "verbosity 2",
    "shutdown",
    "cache_memlimit 8",
    "mg target v",
    "ms target 2\r\nxx",
    "md target q",
    "ma target",
    "me target",
    "watch mutations",
    "slabs automove 0",
    "lru mode flat",
    "lru_crawler metadump all",
    "lru_crawler disable",
    "refresh_certs",
    "debugtime 5",
    "extstore free_memchunks 1 1",
    "stats detail on",
    "GET / HTTP/1.1",
];

/// Counters that any executed command would raise.
const COUNTERS: [&str; 6] = [
    "cmd_get",
    "cmd_set",
    "cmd_flush",
    "cmd_touch",
    "cmd_meta",
    "delete_hits",
];

/// A password file, removed at the end of its test.
pub(crate) struct Passwords(PathBuf);

impl Passwords {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let name = format!("passwords-{}-{name}", std::process::id());
        let file = Self(std::env::temp_dir().join(name));
        file.write(text);
        file
    }

    fn write(&self, text: &str) {
        // Whole or not at all, as a careful operator does it.
        let new = self.0.with_extension("new");
        fs::write(&new, text).expect("the folder is writable");
        fs::rename(new, &self.0).expect("the folder is writable");
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().expect("an ASCII path")
    }
}

impl Drop for Passwords {
    fn drop(&mut self) {
        // A file that is gone already is no failure.
        let _ = fs::remove_file(&self.0);
    }
}

/// A server on a TCP port, and one on a unix socket.
fn start(shards: usize, passwords: &Passwords, sasl: bool) -> (Server, UnixServer) {
    let mut options = vec!["-A"];
    if sasl {
        options.push("-S");
    } else {
        options.extend(["-Y", passwords.path()]);
    }
    let environment = [("MEMCACHED_SASL_PWDB", passwords.path())];
    let mut command = command();
    command.envs(environment).args(["-t", &shards.to_string()]);
    let name = passwords.0.file_name().expect("the name of a file");
    let unix = UnixServer::start_as(command, name.to_str().expect("an ASCII path"), &options);
    (Server::start_with(shards, &options, &environment), unix)
}

/// All that is answered to `request` over TCP and over the unix socket; the two must agree.
fn answers(server: &Server, socket: &UnixServer, request: &[u8]) -> Vec<u8> {
    let tcp = TcpStream::connect(server.address()).expect("the server accepts");
    let unix = socket.connect();
    let over_tcp = converse(&tcp, request, || tcp.shutdown(Shutdown::Write));
    let over_unix = converse(&unix, request, || unix.shutdown(Shutdown::Write));
    assert_eq!(
        over_tcp,
        over_unix,
        "{:?}",
        request.escape_ascii().to_string()
    );
    over_tcp
}

fn converse<S>(stream: S, request: &[u8], end: impl Fn() -> std::io::Result<()>) -> Vec<u8>
where
    S: Read + Write,
{
    let mut stream = stream;
    // The server may close before it has read everything.
    let _ = stream.write_all(request);
    let _ = end();
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        answer.extend_from_slice(&buffer[..length]);
    }
    answer
}

fn log_in(client: &mut Client, user: &str, password: &str) -> String {
    let token = format!("{user} {password}");
    client.set("auth", token)
}

#[test]
fn every_command_is_tried() {
    let words: Vec<&str> = TEXT_COMMANDS
        .iter()
        .filter_map(|command| command.split(' ').next())
        .collect();
    for command in COMMANDS {
        // Lines of these are so short that they close the connection: the transcript auth_text.
        let short = ["quit", "mn"].contains(command);
        assert!(short || words.contains(command), "{command}");
    }
}

#[test]
fn nothing_is_done_for_text_clients_before_they_authenticate() {
    for shards in [1, 4] {
        let passwords = Passwords::new(&format!("text-{shards}"), "ann:secret\n");
        let (server, socket) = start(shards, &passwords, false);
        for command in TEXT_COMMANDS {
            for noise in ["", "set x 0 0 9\r\nann wrong\r\n"] {
                let request = format!("{noise}{command}\r\n");
                let answer = answers(&server, &socket, request.as_bytes());
                let answer = String::from_utf8(answer).expect("text");
                for line in answer.lines() {
                    let refused = line == "CLIENT_ERROR unauthenticated"
                        || line == "CLIENT_ERROR authentication failure"
                        || line == "CLIENT_ERROR bad authentication token format";
                    assert!(refused, "{request:?}: {answer:?}");
                }
            }
        }
        for opcode in 0..=u8::MAX {
            let answer = answers(&server, &socket, &packet(opcode));
            assert!(
                answer.is_empty() || answer.starts_with(b"CLIENT_ERROR unauthenticated\r\n"),
                "{opcode:#x}: {}",
                answer.escape_ascii()
            );
        }
        let mut client = server.connect();
        assert_eq!(log_in(&mut client, "ann", "secret"), "STORED");
        for counter in COUNTERS {
            assert_eq!(client.stat(counter), 0, "{counter}");
        }
        let (attempts, failures) = (client.stat("auth_cmds"), client.stat("auth_errors"));
        assert_eq!(attempts, failures + 1);
        assert!(failures >= TEXT_COMMANDS.len() as u64);
        assert_eq!(client.stat("limit_maxbytes"), 64 << 20);
        assert_eq!(client.stat("curr_items"), 0);
        let settings = client.stats("settings");
        assert_eq!(settings["auth_enabled_ascii"], passwords.path());
        assert_eq!(settings["auth_enabled_sasl"], "no");
        assert_eq!(settings["binding_protocol"], "ascii");
        assert_eq!(settings["verbosity"], "0");
    }
}

/// A packet that is right for most opcodes: the extras of its kind, a key, a value where there may be one.
pub(crate) fn packet(opcode: u8) -> Vec<u8> {
    let (extras, value): (usize, &[u8]) = match opcode {
        0x01..=0x03 | 0x11..=0x13 => (8, b"xx"),
        0x05 | 0x06 | 0x15 | 0x16 => (20, b""),
        0x0e | 0x0f | 0x19 | 0x1a => (0, b"xx"),
        0x1c..=0x1e | 0x23 | 0x24 => (4, b""),
        _ => (0, b""),
    };
    let key: &[u8] = match opcode {
        0x07 | 0x08 | 0x0a | 0x0b | 0x10 | 0x17 | 0x18 | 0x20 => b"",
        _ => b"target",
    };
    let header = Header {
        magic: REQUEST_MAGIC,
        head: Head {
            opcode,
            opaque: u32::from_be_bytes(*b"mark"),
        },
        status: 0,
        extras_bytes: extras as u8,
        key_bytes: key.len() as u16,
        body_bytes: (extras + key.len() + value.len()) as u32,
        cas: 0,
    };
    [&header.bytes(), &vec![0; extras][..], key, value].concat()
}

/// An authentication of ann by SASL PLAIN.
pub(crate) fn sasl_plain(password: &str) -> Vec<u8> {
    let message = format!("\0ann\0{password}");
    written(|out| binary::with_value(out, Opcode::SaslAuth, 0, b"PLAIN", 0, &message))
}

#[test]
fn nothing_is_done_for_binary_clients_before_they_authenticate() {
    const OPEN: [u8; 4] = [0x0b, 0x20, 0x21, 0x22];
    for shards in [1, 4] {
        let passwords = Passwords::new(&format!("sasl-{shards}"), "ann:secret\n");
        let (server, socket) = start(shards, &passwords, true);
        for opcode in (0..=u8::MAX).filter(|opcode| !OPEN.contains(opcode)) {
            // Twice in one write: the second must not be looked at.
            let answer = answers(&server, &socket, &packet(opcode).repeat(2));
            let mut expected = vec![0x81, opcode, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 13];
            expected.extend_from_slice(b"mark\0\0\0\0\0\0\0\0Auth failure.");
            assert_eq!(answer, expected, "{opcode:#x}");
        }
        for command in TEXT_COMMANDS {
            let answer = answers(&server, &socket, format!("{command}\r\n").as_bytes());
            assert_eq!(answer, b"", "{command}");
        }
        // With a wrong and then the right password on one connection.
        let mut client = server.connect();
        client.send(sasl_plain("wrong!"));
        let refused = client.packet();
        assert_eq!((refused.status, refused.value.len()), (0x20, 13));
        client.send(sasl_plain("secret"));
        assert_eq!(client.packet().value, b"Authenticated");
        let stats = binary_stats(&mut client, b"");
        let number = |name: &str| {
            let pair = stats.iter().find(|(key, _)| key == name);
            pair.unwrap_or_else(|| panic!("no {name}"))
                .1
                .parse::<u64>()
                .expect("a number")
        };
        for counter in COUNTERS {
            assert_eq!(number(counter), 0, "{counter}");
        }
        assert_eq!((number("auth_cmds"), number("auth_errors")), (2, 1));
        let settings = binary_stats(&mut client, b"settings");
        for (name, value) in [("auth_enabled_sasl", "yes"), ("auth_enabled_ascii", "no")] {
            assert!(settings.contains(&(name.to_owned(), value.to_owned())));
        }
    }
}

/// The statistics of STAT with this key.
pub(crate) fn binary_stats(client: &mut Client, key: &[u8]) -> Vec<(String, String)> {
    client.send(written(|out| binary::keyed(out, Opcode::Stat, 0, key, 0)));
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let mut stats = Vec::new();
    loop {
        let reply = client.packet();
        assert_eq!((reply.opcode, reply.status), (Opcode::Stat as u8, 0));
        if reply.key.is_empty() && reply.value.is_empty() {
            return stats;
        }
        stats.push((text(reply.key), text(reply.value)));
    }
}

/// Statistics have the same names in both protocols.
#[test]
fn statistics_are_the_same_in_both_protocols() {
    for shards in [1, 4] {
        let server = Server::start(shards, &[]);
        let (mut text, mut binary) = (server.connect(), server.connect());
        for number in 0..100 {
            text.set(&format!("key-{number}"), "value");
        }
        for key in ["", "settings", "items", "slabs"] {
            let names = |stats: &[(String, String)]| -> Vec<String> {
                stats.iter().map(|(name, _)| name.clone()).collect()
            };
            let (text, binary) = (
                text.stats_list(key),
                binary_stats(&mut binary, key.as_bytes()),
            );
            assert_eq!(names(&text), names(&binary), "{key}");
            assert!(text.len() > 10, "{key}");
            if key == "settings" {
                assert_eq!(text, binary);
            }
        }
    }
}

#[test]
fn sighup_reads_the_passwords_again() {
    let passwords = Passwords::new("reload", "ann:secret\n");
    let (server, _) = start(2, &passwords, false);
    let mut before = server.connect();
    assert_eq!(log_in(&mut before, "ann", "secret"), "STORED");

    passwords.write("bob:other\n");
    server.signal(Signal::HUP);
    let mut client = server.connect();
    wait_until(|| log_in(&mut client, "bob", "other") == "STORED");
    let mut old = server.connect();
    let refused = "CLIENT_ERROR authentication failure";
    assert_eq!(log_in(&mut old, "ann", "secret"), refused);
    assert_eq!(before.ask("version"), client.ask("version"));

    // What is malformed or gone changes nothing, and is told.
    passwords.write("no colon\n");
    server.signal(Signal::HUP);
    wait_until(|| server.stderr_text().contains("line 1 is not user:password"));
    fs::remove_file(&passwords.0).expect("it is there");
    server.signal(Signal::HUP);
    wait_until(|| {
        server
            .stderr_text()
            .contains("cannot read the password file")
    });
    assert_eq!(log_in(&mut old, "ann", "secret"), refused);
    assert_eq!(log_in(&mut old, "bob", "other"), "STORED");
}

fn wait_until(mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < end, "not in time");
        std::thread::sleep(Duration::from_millis(10));
    }
}
