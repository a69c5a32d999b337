//! Users, capabilities, and the files that the process writes.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::client::Client;
use crate::faults::eventually;
use crate::server::{Server, binary, free_port};
use crate::skip::skipped;

use super::{SOON, ended, is_other_server, said};

/// The user that the server becomes without `-u`, by its usual number.
const NOBODY: u32 = 65_534;
/// Debian's memcached.service: `CapabilityBoundingSet=CAP_SETGID CAP_SETUID CAP_SYS_RESOURCE`.
const KEPT: [u32; 3] = [6, 7, 24];

/// A folder that is the user's alone.
struct Own(PathBuf);

impl Own {
    fn new(name: &str) -> Own {
        let path = std::env::temp_dir().join(format!("corecached-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
        chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
        Own(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Leaves root three capabilities, as a unit does: it may not write where it has no rights as a user.
fn with_few_capabilities(command: &mut Command) {
    let work = || {
        for capability in (0..=40).filter(|number| !KEPT.contains(number)) {
            // SAFETY: takes numbers. A capability that this kernel does not know is refused.
            unsafe {
                libc::prctl(
                    libc::PR_CAPBSET_DROP,
                    libc::c_ulong::from(capability),
                    0,
                    0,
                    0,
                )
            };
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls.
    unsafe { command.pre_exec(work) };
}

/// As the unit starts it: as root, to become nobody.
fn service(options: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command
        .args(["-l", "127.0.0.1", "-t", "2", "-u", "nobody"])
        .args(options)
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    with_few_capabilities(&mut command);
    command
}

fn stop(child: &mut Child) -> String {
    kill_process(Pid::from_child(child), Signal::TERM).unwrap();
    assert_eq!(ended(child).code(), Some(0));
    said(child)
}

fn owner(path: &str) -> u32 {
    fs::metadata(path).map_or(u32::MAX, |made| made.uid())
}

/// Only root can become another user.
fn is_other_test() -> bool {
    let is_other = is_other_server() || !geteuid().is_root();
    if is_other {
        skipped("only root can become another user");
    }
    is_other
}

#[test]
fn debians_unit_runs() {
    if is_other_test() {
        return;
    }
    let own = Own::new("unit");
    let (pidfile, ports, port) = (own.file("pid"), own.file("ports"), free_port());
    let mut command = service(&["-p", &port.to_string(), "-P", &pidfile]);
    command.env("MEMCACHED_PORT_FILENAME", &ports);
    let mut child = command.spawn().expect("the server binary can be executed");
    eventually("the pid is written", || owner(&pidfile) == NOBODY);
    assert_eq!(
        fs::read_to_string(&pidfile).unwrap(),
        format!("{}\n", child.id())
    );
    assert_eq!(
        fs::read_to_string(&ports).unwrap(),
        format!("TCP INET: {port}\n")
    );
    assert_eq!(owner(&ports), NOBODY);
    let mut client = Client::connect(([127, 0, 0, 1], port).into());
    assert_eq!(client.set("key", b"value"), "STORED");
    assert!(!stop(&mut child).contains("denied"));
}

#[test]
fn the_unix_socket_may_lie_in_a_folder_of_the_user() {
    if is_other_test() {
        return;
    }
    let own = Own::new("socket");
    let path = own.file("socket");
    // The second start finds the socket of the first.
    for _ in 0..2 {
        let mut child = service(&["-s", &path])
            .spawn()
            .expect("the server binary can be executed");
        eventually("it listens", || {
            std::os::unix::net::UnixStream::connect(&path).is_ok()
        });
        assert_eq!(owner(&path), NOBODY);
        eventually("it has changed its user", || {
            let status = fs::read_to_string(format!("/proc/{}/status", child.id()));
            status
                .unwrap()
                .contains(&format!("Uid:\t{NOBODY}\t{NOBODY}"))
        });
        stop(&mut child);
    }
}

#[test]
fn memory_and_passwords_may_lie_in_a_folder_of_the_user() {
    if is_other_test() {
        return;
    }
    let own = Own::new("memory");
    let (file, passwords, port) = (own.file("items"), own.file("passwords"), free_port());
    fs::write(&passwords, "user:word\n").unwrap();
    chown(&passwords, Some(NOBODY), Some(NOBODY)).unwrap();
    fs::set_permissions(
        &passwords,
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    let options = ["-p", &port.to_string(), "-e", &file, "-Y", &passwords];
    let mut child = service(&options)
        .spawn()
        .expect("the server binary can be executed");
    let address = ([127, 0, 0, 1], port).into();
    eventually("it listens", || Client::try_connect(address).is_ok());
    let mut client = Client::connect(address);
    client.send("set auth 0 0 9\r\nuser word\r\n");
    assert_eq!(client.line(), "STORED");
    assert_eq!(owner(&file), NOBODY);
    stop(&mut child);
}

/// What root alone may read was readable always, and is.
#[test]
fn passwords_that_only_root_may_read_are_read() {
    if is_other_test() {
        return;
    }
    let own = Own::new("secret");
    let passwords = own.file("passwords");
    fs::write(&passwords, "user:word\n").unwrap();
    fs::set_permissions(
        &passwords,
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    let server = Server::start(1, &["-u", "nobody", "-Y", &passwords]);
    let mut client = server.connect();
    client.send("set auth 0 0 9\r\nuser word\r\n");
    assert_eq!(client.line(), "STORED");
}

/// A file that cannot be written is named, and the server runs, as memcached does.
#[test]
fn files_that_cannot_be_written_are_named() {
    for options in [&[][..], &["-u", "nobody"]] {
        if !options.is_empty() && is_other_test() {
            continue;
        }
        let mut all = vec!["-P", "/nonexistent/dir/x.pid"];
        all.extend(options);
        let mut server = Server::start_with(
            1,
            &all,
            &[("MEMCACHED_PORT_FILENAME", "/nonexistent/ports")],
        );
        assert_eq!(server.connect().set("key", b"value"), "STORED");
        eventually("it says so", || {
            server.stderr_text().contains("/nonexistent/dir/x.pid.tmp")
        });
        let said = server.stderr_text();
        assert!(said.contains("Could not open the pid file"), "{said}");
        assert!(said.contains("/nonexistent/ports"), "{said}");
        server.signal(Signal::TERM);
        assert_eq!(server.wait_for_exit(SOON).code(), Some(0));
    }
    assert!(!Path::new("/nonexistent").exists());
}

/// `-p 0` turns TCP off; what else there is serves, and the port file lists it.
#[test]
fn without_tcp_the_server_runs() {
    if is_other_server() {
        return;
    }
    let ports = std::env::temp_dir().join(format!("corecached-ports-{}", std::process::id()));
    let udp = free_port().to_string();
    for (options, wanted) in [
        (&["-p", "0", "-U", &udp][..], format!("UDP INET: {udp}\n")),
        (&["-p", "0", "-U", "0"], String::new()),
        (&["-p", "0"], String::new()),
    ] {
        let mut command = super::lone(options);
        command.env("MEMCACHED_PORT_FILENAME", &ports);
        let mut child = command.spawn().expect("the server binary can be executed");
        eventually("the ports are written", || ports.exists());
        assert_eq!(fs::read_to_string(&ports).unwrap(), wanted, "{options:?}");
        let said = stop(&mut child);
        assert_eq!(
            said.contains("nothing to listen on"),
            wanted.is_empty(),
            "{said}"
        );
        fs::remove_file(&ports).unwrap();
    }
}

#[test]
fn it_says_where_it_is_ready() {
    if is_other_server() {
        return;
    }
    let server = Server::start(3, &["-m", "100"]);
    eventually("it says something", || server.stderr_text().ends_with('\n'));
    let said = server.stderr_text();
    assert_eq!(
        said,
        format!(
            "corecached: ready on {}; 3 shards, 100 MiB\n",
            server.address()
        )
    );
    let port = free_port().to_string();
    let mut command = Command::new(binary());
    if geteuid().is_root() {
        command.args(["-u", "root"]);
    }
    command
        .args(["-t", "1", "-p", &port])
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the server binary can be executed");
    let address = ([127, 0, 0, 1], port.parse().unwrap()).into();
    eventually("it listens", || Client::try_connect(address).is_ok());
    Client::connect(address).ask("version");
    let said = stop(&mut child);
    assert!(
        said.starts_with(&format!("corecached: ready on 127.0.0.1:{port}")),
        "{said}"
    );
    assert!(
        said.contains("listens on loopback only") && said.contains("-l "),
        "{said}"
    );
    assert_eq!(said.lines().count(), 2, "{said}");
}
