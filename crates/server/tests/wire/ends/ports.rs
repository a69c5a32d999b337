//! When the process is gone nobody listens at its ports: the next server can have them, and clients are refused, not
//! reset.

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;

use rustix::process::Signal;

use crate::faults::eventually;
use crate::server::{Server, free_port};

use super::{SOON, is_other_server};

const ROUNDS: usize = 12;

#[test]
fn ports_are_free_when_the_server_has_ended() {
    if is_other_server() {
        return;
    }
    for (signal, shards) in [
        (Signal::TERM, 1),
        (Signal::TERM, 4),
        (Signal::INT, 3),
        (Signal::USR1, 2),
    ] {
        for round in 0..ROUNDS {
            let udp = free_port();
            let options = ["-U", &udp.to_string()];
            let mut server = Server::start(shards, &options);
            let address = server.address();
            // Some rounds end with clients connected, some without.
            let clients: Vec<_> = (0..round % 3).map(|_| server.connect()).collect();
            server.signal(signal);
            assert_eq!(server.wait_for_exit(SOON).code(), Some(0));
            let refused = TcpStream::connect(address).unwrap_err();
            assert_eq!(
                refused.kind(),
                ErrorKind::ConnectionRefused,
                "round {round}"
            );
            TcpListener::bind(address).unwrap_or_else(|error| panic!("round {round}: {error}"));
            UdpSocket::bind(("127.0.0.1", udp))
                .unwrap_or_else(|error| panic!("round {round}: {error}"));
            drop(clients);
        }
    }
}

/// From the signal on: the drain may take seconds, in which nobody new is taken in only to be thrown out.
#[test]
fn who_comes_while_the_server_ends_is_refused() {
    if is_other_server() {
        return;
    }
    let mut server = Server::start(2, &["-m", "64"]);
    let address = server.address();
    let mut slow = server.connect();
    slow.set("big", [b'x'; 1_000_000]);
    slow.send("get big\r\n".repeat(50));
    slow.peek().unwrap();
    server.signal(Signal::TERM);
    let is_refused = || TcpStream::connect(address).is_err();
    eventually("connections are refused", is_refused);
    for _ in 0..100 {
        assert!(is_refused());
    }
    assert_eq!(server.wait_for_exit(SOON).code(), Some(0));
}

#[test]
fn a_unix_socket_refuses_when_the_server_has_ended() {
    if is_other_server() {
        return;
    }
    let path = std::env::temp_dir().join(format!("corecached-end-{}.sock", std::process::id()));
    for _ in 0..ROUNDS {
        let mut command = super::lone(&["-t", "3", "-s"]);
        command.arg(&path);
        let mut child = command.spawn().expect("the server binary can be executed");
        eventually("it listens", || UnixStream::connect(&path).is_ok());
        // Signals are blocked once it is ready; before that they would end it, too.
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, Signal::TERM).unwrap();
        super::ended(&mut child);
        assert!(UnixStream::connect(&path).is_err());
    }
    std::fs::remove_file(path).unwrap();
}

/// After SIGKILL the kernel takes the rings down by itself, some tenths of a second later. A server that is started at
/// once waits for that.
#[test]
fn a_server_that_was_killed_is_followed_at_once() {
    if is_other_server() {
        return;
    }
    for _ in 0..ROUNDS {
        let mut server = Server::start(2, &[]);
        let port = server.address().port().to_string();
        server.signal(Signal::KILL);
        server.wait_for_exit(SOON);
        let mut next = super::lone(&["-t", "2", "-p", &port])
            .spawn()
            .expect("it can be executed");
        eventually("the next one serves", || {
            assert_eq!(
                next.try_wait().expect("the child is ours"),
                None,
                "it has given up"
            );
            crate::client::Client::try_connect(server.address())
                .ok()
                .and_then(|mut client| {
                    client.try_send("version\r\n").ok()?;
                    client.peek().ok().flatten()
                })
                .is_some()
        });
        next.kill().expect("the child is ours");
        next.wait().expect("the child is ours");
    }
}
