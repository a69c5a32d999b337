//! memcached to test against, and the binary. The scripted server is in [`crate::bed`].

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Ports tried for a memcached.
const PORTS_TRIED: usize = 5;

/// A memcached of this test, ended with it.
pub(crate) struct Memcached {
    child: Child,
    pub(crate) address: String,
}

impl Memcached {
    /// Starts one with extra arguments, or says that none is installed.
    pub(crate) fn start(arguments: &[&str]) -> Option<Self> {
        // Between the choice of a free port and its use another test may take it.
        for _ in 0..PORTS_TRIED {
            let port = free_port();
            let port_text = port.to_string();
            let mut all = vec!["-u", "root", "-t", "1", "-U", "0"];
            all.extend_from_slice(&["-l", "127.0.0.1", "-p", &port_text]);
            all.extend_from_slice(arguments);
            let mut started = Self::spawn(&all, &format!("127.0.0.1:{port}"))?;
            let mut answers = false;
            wait_for(|| {
                answers = started.answers().unwrap_or(false);
                answers || started.has_ended()
            });
            if answers {
                return Some(started);
            }
        }
        panic!("no memcached could be started");
    }

    /// Whether it is this process that answers at the address: until it ends because the port is taken, another test's
    /// does.
    fn answers(&self) -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"stats\r\nquit\r\n")?;
        let mut statistics = String::new();
        stream.read_to_string(&mut statistics)?;
        let pid = format!("STAT pid {}", self.pid());
        Ok(statistics.lines().any(|line| line == pid))
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Starts one on a Unix socket.
    pub(crate) fn start_unix(path: &str) -> Option<Self> {
        let started = Self::spawn(
            &["-u", "root", "-t", "1", "-s", path],
            &format!("unix:{path}"),
        )?;
        wait_for(|| std::os::unix::net::UnixStream::connect(path).is_ok());
        Some(started)
    }

    fn spawn(arguments: &[&str], address: &str) -> Option<Self> {
        match Command::new("memcached")
            .args(arguments)
            .stderr(Stdio::null())
            .spawn()
        {
            Ok(child) => Some(Self {
                child,
                address: address.to_owned(),
            }),
            Err(_) => {
                eprintln!("memcached is not installed: nothing is tested");
                None
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Memcached {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

pub(crate) fn wait_for(mut ready: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !ready() {
        assert!(Instant::now() < deadline, "the server did not start");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Tries of which one has to hold, if the machine was calm.
pub(crate) const CALM_TRIES: u32 = 3;
/// Tries on a machine that is never calm.
const TRIES_MAX: u32 = 12;

/// Runs a test of what is measured until it holds. Where threads were kept from their CPUs meanwhile, a measurement
/// that is off says nothing, and it is tried again; on a calm machine it may be off twice.
pub(crate) fn when_calm(test: impl Fn() -> Result<(), String>) {
    when_calm_within(TRIES_MAX, test);
}

/// Like the function above, with a number of tries of its own on a machine that is never calm, at least [`CALM_TRIES`]:
/// for tests that take long.
pub(crate) fn when_calm_within(tries_max: u32, test: impl Fn() -> Result<(), String>) {
    let mut failures = 0;
    for _ in 0..tries_max {
        let metronome = Metronome::start();
        let result = test();
        let was_calm = metronome.stop();
        let Err(why) = result else { return };
        println!(
            "{why}{}",
            if was_calm {
                ""
            } else {
                ", but the machine was not calm"
            }
        );
        failures += u32::from(was_calm);
        assert!(failures < CALM_TRIES, "{why}");
    }
    skipped("the machine is not calm");
}

/// Says that the test of this thread does not test anything here, and why; `scripts/test` counts such tests apart.
pub(crate) fn skipped(why: &str) {
    let test = std::thread::current();
    let line = format!("{}: {why}", test.name().unwrap_or("a test"));
    println!("skipped: {line}");
    if let Some(path) = std::env::var_os("SKIPPED_TESTS") {
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path);
        let mut file = file.expect("the list of skipped tests can be written");
        std::io::Write::write_all(&mut file, format!("{line}\n").as_bytes()).expect("written");
    }
}

/// An error unless `holds`.
pub(crate) fn ensure(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

/// A thread that wants to be woken every millisecond, and counts when it is late.
struct Metronome {
    done: Arc<AtomicBool>,
    thread: JoinHandle<(u32, u32)>,
}

impl Metronome {
    /// Later than this is late: longer than a slice of the scheduler, shorter than what a test would notice.
    const LATE: Duration = Duration::from_millis(8);

    fn start() -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&done);
        let thread = std::thread::spawn(move || {
            let (mut beats, mut late) = (0, 0);
            while !seen.load(Ordering::Relaxed) {
                let begun = Instant::now();
                std::thread::sleep(Duration::from_millis(1));
                beats += 1;
                late += u32::from(begun.elapsed() > Self::LATE);
            }
            (beats, late)
        });
        Self { done, thread }
    }

    /// Whether fewer than one wake-up in 500 was late.
    fn stop(self) -> bool {
        self.done.store(true, Ordering::Relaxed);
        let (beats, late) = self.thread.join().expect("it only sleeps");
        late * 500 < beats
    }
}

/// Runs the binary.
pub(crate) fn loadgen(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args(arguments)
        .output()
        .unwrap()
}

/// Runs the binary with its JSON report on standard output.
pub(crate) fn json(arguments: &[&str]) -> (i32, loadgen::report::model::Report) {
    let output = loadgen(&[arguments, &["--json", "-", "--quiet"]].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    let report = serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr))
    });
    (output.status.code().unwrap(), report)
}

/// The result inside a report of `run`.
pub(crate) fn run_of(report: loadgen::report::model::Report) -> loadgen::report::model::RunResult {
    match report.body {
        loadgen::report::model::Body::Run { run } => *run,
        _ => panic!("not a run"),
    }
}

/// A path for a file of this test.
pub(crate) fn temporary(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("loadgen-test-{}-{name}", std::process::id()))
}
