//! The process: into the background and out again, the pid file, the change of user, and errors at the start.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::client::Client;
use crate::server::{Server, binary, command, free_port};
use crate::skip::skipped;

const TIMEOUT: Duration = Duration::from_secs(60);

/// A folder that is removed at the end of the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("corecached-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + TIMEOUT;
    while !condition() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn run(command: &mut Command) -> Output {
    command.output().expect("the server binary can be executed")
}

#[test]
fn a_daemon_writes_its_pid_and_removes_it_at_the_end() {
    let folder = Folder::new("daemon");
    let (pidfile, port) = (folder.file("pid"), free_port());
    let started = run(command()
        .args(["-d", "-t", "1", "-l", "127.0.0.1", "-p"])
        .arg(port.to_string())
        .arg("-P")
        .arg(&pidfile));
    assert!(started.status.success(), "{started:?}");
    // The parent ends once the server is ready.
    let pid: i32 = fs::read_to_string(&pidfile)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let mut client = Client::connect(([127, 0, 0, 1], port).into());
    assert_eq!(client.stat("pid"), pid as u64);
    kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
    wait_until("the daemon ends", || {
        !Path::new(&format!("/proc/{pid}")).exists()
    });
    assert!(!pidfile.exists());
}

/// Whoever comes from memcached expects all addresses without `-l`, from a daemon, too.
#[test]
fn a_daemon_says_that_it_listens_on_loopback_only() {
    if binary().ends_with("memcached") {
        return;
    }
    for (options, lines) in [(&[][..], 1), (&["-l", "127.0.0.1"], 0)] {
        let folder = Folder::new("loopback");
        let pidfile = folder.file("pid");
        let port = free_port().to_string();
        let mut start = command();
        start
            .args(["-d", "-t", "1", "-p", &port, "-P"])
            .arg(&pidfile);
        let told = run(start.args(options));
        let said = String::from_utf8_lossy(&told.stderr).into_owned();
        assert_eq!(told.status.code(), Some(0), "{said}");
        wait_until("the pid file is written", || {
            fs::read_to_string(&pidfile).is_ok_and(|text| text.ends_with('\n'))
        });
        let pid: i32 = fs::read_to_string(&pidfile)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
        assert_eq!(said.lines().count(), lines, "{options:?}: {said}");
        assert_eq!(
            said.contains("loopback only"),
            lines == 1,
            "{options:?}: {said}"
        );
        wait_until("it ends", || !pidfile.exists());
    }
}

#[test]
fn started_as_root_it_becomes_nobody() {
    let port = free_port();
    if !geteuid().is_root() || binary().ends_with("memcached") {
        return;
    }
    let mut child = Command::new(binary())
        .args(["-l", "127.0.0.1", "-t", "2", "-p"])
        .arg(port.to_string())
        .spawn()
        .expect("the server binary can be executed");
    let status = || fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let is_root = |status: &str| {
        let uids = status.lines().find_map(|line| line.strip_prefix("Uid:"));
        uids.is_none_or(|uids| uids.split_whitespace().any(|uid| uid == "0"))
    };
    wait_until("it is no longer root", || !is_root(&status()));
    let mut client = Client::connect(([127, 0, 0, 1], port).into());
    assert_eq!(client.ask("version"), "VERSION 1.6.45");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_busy_port_is_named() {
    let server = Server::start(1, &[]);
    let port = server.address().port().to_string();
    let second = run(command().args(["-l", "127.0.0.1", "-p", &port]));
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(server.is_old_memcached || said.contains(&port), "{said}");
}

#[test]
fn bad_options_end_with_a_sentence() {
    for (options, word) in [
        (&["-p", "70000"][..], "70000"),
        (&["-o", "no_such_thing"][..], "no_such_thing"),
        (&["-t", "0"][..], "threads"),
        (&["--no-such-option"][..], "no-such-option"),
    ] {
        let ended = run(command().args(options));
        assert!(!ended.status.success(), "{options:?}");
        let said = String::from_utf8_lossy(&ended.stderr).to_lowercase();
        assert!(!said.contains("panicked"), "{said}");
        assert!(
            said.contains(word) || said.contains("valid port"),
            "{options:?}: {said}"
        );
    }
}

#[test]
fn its_versions_are_told() {
    let told = run(command().arg("-V"));
    assert!(told.status.success());
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.starts_with("memcached 1.6."), "{told}");
}

#[test]
fn exit_codes_are_those_of_memcached() {
    let port = free_port().to_string();
    let mut cases = vec![
        (vec!["-p", "70000"], 64),
        (vec!["-B", "gopher"], 64),
        (vec!["-I", "1"], 64),
        (vec!["-f", "1"], 1),
        (vec!["-o", "nothing"], 1),
        (vec!["-z"], 1),
        // TEST-NET-1 is nobody's address.
        (vec!["-l", "192.0.2.1", "-p", &port], 71),
        (vec!["-l", "127.0.0.1:x", "-p", &port], 71),
        (vec!["-l", "[::1", "-p", &port], 71),
        (vec!["-s", "/nonexistent/socket"], 71),
        // The first process of a daemon waits to know.
        (vec!["-d", "-s", "/nonexistent/socket"], 71),
    ];
    if geteuid().is_root() {
        cases.push((vec!["-u", "no-such-user-here"], 67));
    }
    for (options, code) in cases {
        let ended = run(command().args(&options));
        assert_eq!(ended.status.code(), Some(code), "{options:?}: {ended:?}");
        assert!(!ended.stderr.is_empty(), "{options:?}");
    }
}

/// memcached does not start as root without `-u`, in a user namespace neither. This becomes nobody, whom the namespace
/// does not know, and ends as memcached does.
#[test]
fn a_namespace_of_root_alone_asks_for_a_user() {
    let port = free_port().to_string();
    let start = |options: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["-r", &binary(), "-l", "127.0.0.1", "-t", "1", "-p", &port]);
        run(command.args(options))
    };
    // Help needs no user: if it cannot be had, there are no such namespaces here.
    if !start(&["-h"]).status.success() {
        return skipped("there are no user namespaces here");
    }
    let ended = start(&[]);
    assert_eq!(ended.status.code(), Some(64), "{ended:?}");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(said.contains("-u"), "{said}");
}

#[test]
fn only_a_daemon_removes_its_pid_file() {
    let folder = Folder::new("foreground");
    let pidfile = folder.file("pid");
    let path = pidfile.to_str().unwrap();
    let mut server = Server::start(1, &["-P", path]);
    wait_until("the pid is written", || pidfile.exists());
    let pid = fs::read_to_string(&pidfile).unwrap();
    assert_eq!(pid, format!("{}\n", server.pid()));
    assert!(!folder.file("pid.tmp").exists());
    server.signal(Signal::TERM);
    assert_eq!(server.wait_for_exit(TIMEOUT).code(), Some(0));
    assert!(pidfile.exists());
}

#[test]
fn signals_that_end_it_and_signals_that_do_not() {
    for (ending, code) in [(Signal::USR1, 0), (Signal::INT, 0), (Signal::TERM, 0)] {
        let mut server = Server::start(2, &[]);
        let mut client = server.connect();
        server.signal(Signal::PIPE);
        if !server.is_old_memcached {
            server.signal(Signal::HUP);
        }
        client.ask("mn");
        server.signal(ending);
        let status = server.wait_for_exit(TIMEOUT);
        assert_eq!(status.code(), Some(code), "{ending:?}");
        assert_eq!(client.byte().unwrap(), None);
    }
}

#[test]
fn cores_and_locked_memory_may_be_asked_for() {
    // -k warns where it is not allowed, as memcached does; -r fails where the hard limit is 0, which it is not here.
    let server = Server::start(2, &["-k", "-r", "-m", "16"]);
    assert_eq!(server.connect().set("a", b"1"), "STORED");
}

#[test]
fn a_unix_socket_has_no_ports_to_write() {
    let folder = Folder::new("noports");
    let (socket, ports) = (folder.file("socket"), folder.file("ports"));
    let mut child = command()
        .arg("-s")
        .arg(&socket)
        .env("MEMCACHED_PORT_FILENAME", &ports)
        .spawn()
        .unwrap();
    wait_until("it listens", || {
        std::os::unix::net::UnixStream::connect(&socket).is_ok()
    });
    assert!(!ports.exists());
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn help_and_licence_are_told() {
    for option in ["-h", "--help", "-i", "--license", "-V", "--version"] {
        let told = run(command().arg(option));
        assert!(told.status.success(), "{option}");
        assert!(
            !told.stdout.is_empty() && told.stderr.is_empty(),
            "{option}"
        );
    }
    let help = run(command().arg("-h")).stdout;
    assert!(help.starts_with(b"memcached 1.6."));
}
