//! The process: into the background and out again, the pid file, the change of user, and errors at the start.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::client::Client;
use crate::server::{Server, binary, command, free_port};

const TIMEOUT: Duration = Duration::from_secs(10);

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
