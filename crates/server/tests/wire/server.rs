//! A server process of one test: started on a port of its own, killed when the test ends.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use corecached_client::wire::binary::{self, Opcode};
use corecached_client::wire::text;
use rustix::process::{Pid, Signal, kill_process};

use crate::client::{Client, written};
use crate::replies;
use crate::stopwatch::scheduled;

/// First port of the range the tests use. It lies below the ports that Linux gives to outgoing
/// connections, so that no client of another test can take one between choice and start.
const PORT_FIRST: u16 = 21_200;
/// Ports in the range.
const PORT_COUNT: u16 = 200;

/// A server must answer this soon after its start, on a starved machine too.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Attempts to start: another process may take the port first.
const START_ATTEMPTS: usize = 3;

/// A running server.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    stderr: Arc<Mutex<Vec<u8>>>,
    /// It is memcached before the parser of 1.6.41, whose error texts differ.
    pub(crate) is_old_memcached: bool,
}

impl Server {
    /// Starts a server with `shards` threads and `options`, and waits until it answers.
    pub(crate) fn start(shards: usize, options: &[&str]) -> Self {
        Self::start_with(shards, options, &[])
    }

    /// The same, and it tells the seed of its hash: what keys belong to which shard.
    pub(crate) fn start_with_seed(shards: usize, options: &[&str]) -> Self {
        let shard_port = format!("shard_port={}", free_port());
        Self::start(shards, &[options, &["-o", &shard_port]].concat())
    }

    /// The same with environment variables.
    pub(crate) fn start_with(
        shards: usize,
        options: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        Self::start_anywhere("127.0.0.1", shards, options, environment)
    }

    /// The same with prefixes before the address, which must be plain text.
    pub(crate) fn start_anywhere(
        listen: &str,
        shards: usize,
        options: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        Self::start_prepared(listen, shards, options, &mut |command| {
            command.envs(environment.iter().copied());
        })
    }

    /// The same after `prepare` has had the command to itself, once for each attempt to start.
    pub(crate) fn start_prepared(
        listen: &str,
        shards: usize,
        options: &[&str],
        prepare: &mut dyn FnMut(&mut Command),
    ) -> Self {
        for _ in 0..START_ATTEMPTS {
            if let Some(server) = Self::try_start(listen, shards, options, prepare) {
                return server;
            }
        }
        panic!("the server did not start with {options:?}");
    }

    fn try_start(
        listen: &str,
        shards: usize,
        options: &[&str],
        prepare: &mut dyn FnMut(&mut Command),
    ) -> Option<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut command = command();
        command
            .args(["-l", listen, "-U", "0", "-p"])
            .arg(address.port().to_string())
            .args(["-t", &shards.to_string()])
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        prepare(&mut command);
        let mut child = command.spawn().expect("the server binary can be executed");
        let stderr = child.stderr.take().map(gather).unwrap_or_default();
        let mut server = Self {
            child,
            address,
            stderr,
            is_old_memcached: false,
        };
        let version = server.wait_for_version()?;
        server.is_old_memcached = version.starts_with("VERSION 1.6.1");
        Some(server)
    }

    /// The text of the first answer, or `None` when another process has the port.
    fn wait_for_version(&mut self) -> Option<String> {
        let end = Instant::now() + START_TIMEOUT;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().expect("the child is ours") {
                eprintln!("the server ended with {status}\n{}", self.stderr_text());
                return None;
            }
            if let Some(version) = ask_version(self.address) {
                return Some(version);
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("no answer from the server\n{}", self.stderr_text());
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// Sends a signal to the process.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the server is running");
    }

    /// Waits for the process to end by itself.
    pub(crate) fn wait_for_exit(&mut self, timeout: Duration) -> ExitStatus {
        let end = Instant::now() + timeout;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().expect("the child is ours") {
                return status;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("the server is still running after {timeout:?}");
    }

    /// The number of a thread by its name.
    pub(crate) fn thread(&self, name: &str) -> i32 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid()));
        let mut tasks = tasks.expect("the server is running").flatten();
        let task = tasks.find(|task| {
            let text = std::fs::read_to_string(task.path().join("comm"));
            text.is_ok_and(|text| text.trim() == name)
        });
        let task = task.unwrap_or_else(|| panic!("no thread is called {name}"));
        task.file_name()
            .to_string_lossy()
            .parse()
            .expect("a number")
    }

    /// Resident memory in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.pid());
        let status = std::fs::read_to_string(path).expect("the server is running");
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .expect("the kernel reports VmRSS");
        let kibibytes = line.split_whitespace().nth(1).expect("a number");
        kibibytes.parse::<u64>().expect("a number") * 1024
    }

    /// CPU time of all threads, user and system.
    pub(crate) fn cpu_time(&self) -> Duration {
        self.scheduled().0
    }

    /// CPU time of all threads, and how long they have waited for a CPU.
    pub(crate) fn scheduled(&self) -> (Duration, Duration) {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid()));
        tasks
            .expect("the server is running")
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
            .map(|schedstat| scheduled(&schedstat))
            .fold(Default::default(), |sum, one| {
                (sum.0 + one.0, sum.1 + one.1)
            })
    }

    /// What the server has said.
    pub(crate) fn stderr_text(&self) -> String {
        let bytes = self.stderr.lock().expect("no panic holds the lock");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- stderr of the server\n{}---", self.stderr_text());
        }
    }
}

/// The server under test.
pub(crate) fn binary() -> String {
    std::env::var("CORECACHED_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_corecached").to_owned())
}

/// Whether all servers are to run over epoll: `CORECACHED_IO=epoll`.
pub(crate) fn runs_on_epoll() -> bool {
    io().is_some_and(|io| io == "epoll")
}

/// What `CORECACHED_IO` says: `uring`, `epoll`, or nothing.
fn io() -> Option<String> {
    std::env::var("CORECACHED_IO").ok()
}

/// The program under test, with the options that every test needs.
pub(crate) fn command() -> Command {
    let mut command = Command::new(binary());
    if let Some(io) = io() {
        command.args(["-o", &format!("io={io}")]);
    }
    if rustix::process::geteuid().is_root() {
        command.args(["-u", "root"]);
    }
    command
}

/// A port nothing listens on. Each call gives another one.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % u32::from(PORT_COUNT)) as u16;
    for _ in 0..PORT_COUNT {
        let offset = NEXT.fetch_add(1, Ordering::Relaxed) % PORT_COUNT;
        let port = PORT_FIRST + (start + offset) % PORT_COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("all {PORT_COUNT} test ports are in use");
}

/// The answer to a request for the version, in whichever protocol there is one.
fn ask_version(address: SocketAddr) -> Option<String> {
    let answer = ask(address, &written(text::version)).or_else(|| {
        let answer = ask(
            address,
            &written(|out| binary::bare(out, Opcode::Version, 0)),
        )?;
        let version = replies::packet(&mut &answer[..]).value;
        Some([&b"VERSION "[..], &version].concat())
    });
    answer.map(|answer| String::from_utf8_lossy(&answer).into_owned())
}

fn ask(address: SocketAddr, request: &[u8]) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(START_TIMEOUT)).ok()?;
    stream.write_all(request).ok()?;
    let mut answer = [0; 64];
    let length = stream.read(&mut answer).ok()?;
    (length > 0).then(|| answer[..length].to_vec())
}

/// Keeps what the server prints, so that a failed test can show it.
fn gather(mut stderr: impl Read + Send + 'static) -> Arc<Mutex<Vec<u8>>> {
    let gathered = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&gathered);
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length) = stderr.read(&mut buffer) {
            if length == 0 {
                break;
            }
            let mut sink = sink.lock().expect("no panic holds the lock");
            sink.extend_from_slice(&buffer[..length]);
        }
    });
    gathered
}
