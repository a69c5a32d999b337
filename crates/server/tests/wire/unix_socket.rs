//! `-s`: a unix socket and nothing else.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::geteuid;

use crate::client::{pattern, set_request};
use crate::server::{binary, command, free_port};

const PATIENCE: Duration = Duration::from_secs(60);

/// A server on a socket in a folder of its own.
pub(crate) struct Server {
    child: Child,
    path: PathBuf,
}

impl Server {
    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("corecached-{name}-{}.sock", std::process::id()))
    }

    pub(crate) fn start(name: &str, options: &[&str]) -> Server {
        Self::start_as(command(), name, options)
    }

    /// Starts one with a command that has options and environment already.
    pub(crate) fn start_as(mut command: Command, name: &str, options: &[&str]) -> Server {
        let path = Self::path(name);
        let child = command
            .arg("-s")
            .arg(&path)
            .args(options)
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        Server { child, path }
    }

    /// A new connection, as soon as the server listens.
    pub(crate) fn connect(&self) -> UnixStream {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Ok(stream) = UnixStream::connect(&self.path) {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                return stream;
            }
            assert!(Instant::now() < end, "nobody listens");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.path);
    }
}

/// Sends a request and takes the reply up to `end`.
fn ask(stream: &mut UnixStream, request: impl AsRef<[u8]>, end: &str) -> String {
    stream.write_all(request.as_ref()).unwrap();
    let mut reply = Vec::new();
    while !reply.ends_with(end.as_bytes()) {
        let mut bytes = [0; 4096];
        let length = stream.read(&mut bytes).unwrap();
        assert!(
            length > 0,
            "closed after {}",
            String::from_utf8_lossy(&reply)
        );
        reply.extend_from_slice(&bytes[..length]);
    }
    String::from_utf8(reply).unwrap()
}

#[test]
fn it_is_the_only_way_in() {
    let (tcp, udp) = (free_port(), free_port());
    let ports = [tcp.to_string(), udp.to_string()];
    let server = Server::start(
        "only",
        &[
            "-l",
            "127.0.0.1",
            "-p",
            &ports[0],
            "-U",
            &ports[1],
            "-t",
            "4",
        ],
    );
    let mut clients: Vec<UnixStream> = (0..8).map(|_| server.connect()).collect();
    let data = pattern(3, 50_000);
    for (number, client) in clients.iter_mut().enumerate() {
        let key = format!("key{number}");
        assert_eq!(ask(client, set_request(&key, &data), "\r\n"), "STORED\r\n");
        let reply = ask(client, format!("get {key}\r\n"), "END\r\n");
        assert!(
            reply.as_bytes()[..]
                .windows(1000)
                .any(|part| part == &data[..1000])
        );
    }
    assert!(TcpStream::connect(("127.0.0.1", tcp)).is_err());
    // A UDP socket can be bound there, so the server has none.
    std::net::UdpSocket::bind(("127.0.0.1", udp)).unwrap();

    let settings = ask(&mut clients[0], "stats settings\r\n", "END\r\n");
    let path = server.path.display();
    assert!(settings.contains(&format!("STAT domain_socket {path}\r\n")));
    assert!(settings.contains("STAT umask 700\r\n"));
    let conns = ask(&mut clients[0], "stats conns\r\n", "END\r\n");
    assert!(conns.contains(&format!(":addr unix:{path}\r\n")), "{conns}");
    assert!(
        !conns.contains("tcp:") && !conns.contains("udp:"),
        "{conns}"
    );
    let listen_lines = conns
        .matches(&format!(":listen_addr unix:{path}\r\n"))
        .count();
    assert_eq!(listen_lines, clients.len());
}

#[test]
fn it_has_the_mode_that_is_asked_for() {
    for (option, mode) in [("", 0o700), ("770", 0o770), ("0666", 0o666)] {
        let options = if option.is_empty() {
            vec![]
        } else {
            vec!["-a", option]
        };
        let server = Server::start(&format!("mode{option}"), &options);
        server.connect();
        let metadata = fs::metadata(&server.path).unwrap();
        assert!(metadata.file_type().is_socket());
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "-a {option}");
    }
}

#[test]
fn only_a_stale_file_is_replaced() {
    let path = Server::path("stale");
    drop(UnixListener::bind(&path).unwrap());
    let server = Server::start("stale", &[]);
    let mut client = server.connect();
    if binary().ends_with("memcached") {
        return;
    }
    let second = command().arg("-s").arg(&path).output().unwrap();
    assert_eq!(second.status.code(), Some(71));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("failed to listen on UNIX socket"), "{said}");
    // The first one is still there.
    assert_eq!(
        ask(&mut client, "version\r\n", "\r\n"),
        "VERSION 1.6.45\r\n"
    );
    assert_eq!(ask(&mut server.connect(), "mn\r\n", "\r\n"), "MN\r\n");

    // What is no socket is in the way, and stays.
    let file = Server::path("file");
    fs::write(&file, "data").unwrap();
    let third = command().arg("-s").arg(&file).output().unwrap();
    assert_eq!(third.status.code(), Some(71));
    assert_eq!(fs::read(&file).unwrap(), b"data");
    fs::remove_file(&file).unwrap();
}

#[test]
fn the_user_that_the_server_becomes_owns_it() {
    if !geteuid().is_root() || binary().ends_with("memcached") {
        return;
    }
    let server = Server::start_as(Command::new(binary()), "owner", &["-u", "nobody"]);
    let mut client = server.connect();
    assert_eq!(ask(&mut client, "mn\r\n", "\r\n"), "MN\r\n");
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(&server.path).unwrap());
    assert_ne!(owner, 0);
}
