//! The port of metrics at the start: busy ones, other users, and the line that says where it is.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};

use rustix::process::geteuid;

use crate::faults::eventually;
use crate::server::{binary, command, free_port};
use crate::skip::skipped;

use super::{Measured, ask, connect, is_other_server};

#[test]
fn a_busy_port_ends_the_start_with_a_sentence() {
    if is_other_server() {
        return;
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let port = address.port();
    let started = command()
        .args(["-l", "127.0.0.1", "-t", "2", "-p", &free_port().to_string()])
        .args(["-o", &format!("metrics={port}")])
        .output()
        .unwrap();
    assert_eq!(started.status.code(), Some(71));
    let said = String::from_utf8(started.stderr).unwrap();
    let sentence = format!(
        "corecached: failed to listen on metrics port {port}: {address} is in use by another process; \
         stop that one (ss -lntup 'sport = :{port}' shows it) or choose another port with -o metrics\n"
    );
    assert_eq!(said, sentence);
}

#[test]
fn the_port_of_clients_ends_the_start_with_another_sentence() {
    if is_other_server() {
        return;
    }
    let port = free_port();
    let started = command()
        .args(["-l", "127.0.0.1", "-t", "1", "-p", &port.to_string()])
        .args(["-o", &format!("metrics={port}")])
        .output()
        .unwrap();
    assert_eq!(started.status.code(), Some(71));
    let said = String::from_utf8(started.stderr).unwrap();
    let sentence = format!(
        "corecached: failed to listen on metrics port {port}: clients are served on 127.0.0.1:{port} already; \
         -o metrics has to name another port than -p, -l and -o shard_port\n"
    );
    assert_eq!(said, sentence);
}

#[test]
fn an_address_of_another_machine_ends_the_start() {
    if is_other_server() {
        return;
    }
    // TEST-NET-1 is nobody's address.
    let started = command()
        .args(["-l", "127.0.0.1", "-t", "1", "-p", &free_port().to_string()])
        .args(["-o", "metrics=192.0.2.1:9150"])
        .output()
        .unwrap();
    assert_eq!(started.status.code(), Some(71));
    let said = String::from_utf8(started.stderr).unwrap();
    assert!(
        said.contains("does not have the address 192.0.2.1; check -o metrics"),
        "{said}"
    );
}

#[test]
fn the_line_about_the_start_names_it() {
    if is_other_server() {
        return;
    }
    let measured = Measured::start(2, &["-m", "64"]);
    let line = format!(
        "corecached: ready on {}, metrics {}; 2 shards, 64 MiB\n",
        measured.server.address(),
        measured.address
    );
    eventually("it says that it is ready", || {
        measured.server.stderr_text().contains(&line)
    });
}

/// It is bound before root's rights are given up: ports below 1024 are root's. A port of a network namespace that
/// others use might be taken, so that one of several will do.
#[test]
fn another_user_serves_a_port_of_root() {
    if is_other_server() {
        return;
    }
    if !geteuid().is_root() {
        return skipped("only root may bind the port and become another user");
    }
    let free = (600..1000).find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok());
    let address = SocketAddr::from(([127, 0, 0, 1], free.expect("one of 400 ports is free")));
    let mut child = Command::new(binary())
        .args([
            "-u",
            "nobody",
            "-l",
            "127.0.0.1",
            "-t",
            "2",
            "-p",
            &free_port().to_string(),
        ])
        .args(["-o", &format!("metrics={address}")])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually("it is well", || {
        let Ok(stream) = std::net::TcpStream::connect(address) else {
            return false;
        };
        drop(stream);
        ask(connect(address), "GET /healthz HTTP/1.1\r\n\r\n").status == "200 OK"
    });
    let status = format!("/proc/{}/status", child.id());
    eventually("it is nobody", || {
        let status = fs::read_to_string(&status).unwrap();
        let uids = status
            .lines()
            .find_map(|line| line.strip_prefix("Uid:"))
            .unwrap();
        uids.split_whitespace().all(|uid| uid == "65534")
    });
    let reply = ask(connect(address), "GET /metrics HTTP/1.1\r\n\r\n");
    assert_eq!(reply.status, "200 OK");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn without_the_option_there_is_no_such_thread() {
    if is_other_server() {
        return;
    }
    let server = crate::server::Server::start(1, &[]);
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    let names = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("comm")).unwrap());
    assert!(
        !names
            .map(|name| name.trim().to_owned())
            .any(|name| name == "metrics")
    );
}
