//! In a steady state, gets and sets allocate nothing from the heap, whichever shard has their keys.
//!
//! ```text
//!   this process                                    the same program once more, as the server
//!   200 connections, pipelines  <-- loopback -->    corecached::main(), with an allocator that counts
//!   "trace", "places"           --- stdin ------>   a thread that answers with the places that allocated
//!                               <-- stdout ------
//! ```
//!
//! Nothing is timed: a round is a pipeline on each connection, and all replies to it. Buffers grow until they fit the
//! largest turn. Where shards wait for CPUs, a larger one comes by chance now and then, so some rounds may be needed
//! until hardly anything is allocated, and a few allocations in many requests are no failure. What glommio allocates
//! for itself does not count: it does so for each sleep and each timer, whatever the requests.

#![expect(clippy::unwrap_used, reason = "the whole program is a test")]

mod counting;
mod load;

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use load::{Clients, Mix};

/// Set for the process that is the server.
const SERVER: &str = "CORECACHED_COUNTED";
/// Rounds before each count.
const WARM_ROUNDS: usize = 20;
/// Rounds that are counted together, and how often before the test has failed.
const ROUNDS: usize = 40;
const ATTEMPTS: usize = 40;
/// One allocation in so many requests is no failure. One in a turn, or in a pipeline, would be one in 16 or fewer.
const REQUESTS_PER_ALLOCATION: usize = 400;
/// A shard without traffic for a moment gives its warm buffers back, and later takes as many anew.
const PER_PARK: usize = 16;
/// A server must answer this soon after its start, on a starved machine too.
const START_TIMEOUT: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    if std::env::var_os(SERVER).is_some() {
        thread::spawn(counting::answer_questions);
        return corecached::main();
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let cases = [1, 2, 16].into_iter().flat_map(|shards| {
        let mixes = match shards {
            1 => &[Mix::Mostly][..],
            _ => &[Mix::Gets, Mix::Mostly, Mix::Sets, Mix::Hopping],
        };
        mixes.iter().map(move |&mix| (shards, mix))
    });
    let cases = cases.filter(|&(shards, mix)| is_chosen(&name(shards, mix), &arguments));
    // The harness is ours, and knows as much of Rust's as tools ask for.
    if arguments.iter().any(|argument| argument == "--list") {
        cases.for_each(|(shards, mix)| println!("{}: test", name(shards, mix)));
        return ExitCode::SUCCESS;
    }
    let results: Vec<bool> = cases.map(|(shards, mix)| steady(shards, mix)).collect();
    let passed = results.iter().filter(|&&passed| passed).count();
    let failed = results.len() - passed;
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored");
    ExitCode::from(u8::from(failed > 0))
}

fn name(shards: usize, mix: Mix) -> String {
    format!("{mix:?}_at_{shards}_shards").to_lowercase()
}

/// Whether the command line asks for the test: by a part of its name, or by no name.
fn is_chosen(name: &str, arguments: &[String]) -> bool {
    let mut parts = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'));
    let is_any = parts.clone().next().is_none();
    is_any || parts.any(|part| name.contains(part.as_str()))
}

/// Whether a steady state with this mix allocates nothing.
fn steady(shards: usize, mix: Mix) -> bool {
    let mut server = Server::start(shards);
    let mut clients = Clients::new(server.address);
    let mut places = String::new();
    for _ in 0..ATTEMPTS {
        // While names of places were looked up, shards may have gone to sleep.
        for _ in 0..WARM_ROUNDS {
            clients.round(mix);
        }
        let parks = clients.parks();
        server.ask("trace");
        for _ in 0..ROUNDS {
            clients.round(mix);
        }
        let made;
        (made, places) = server.ask("places");
        let parks = clients.parks() - parks;
        let requests = ROUNDS * load::CONNECTIONS * load::DEPTH;
        println!("     {made} allocations in {requests} requests and {parks} parks");
        if made <= requests / REQUESTS_PER_ALLOCATION + parks * PER_PARK {
            println!("test {} ... ok", name(shards, mix));
            return true;
        }
    }
    println!("{places}\ntest {} ... FAILED", name(shards, mix));
    false
}

/// The server process.
struct Server {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Server {
    fn start(shards: usize) -> Server {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.local_addr())
            .unwrap()
            .port();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .env(SERVER, "1")
            .args(["-l", "127.0.0.1", "-U", "0", "-m", "256", "-p"])
            .arg(port.to_string())
            .args(["-t", &shards.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if let Ok(io) = std::env::var("CORECACHED_IO") {
            command.args(["-o", &format!("io={io}")]);
        }
        if rustix::process::geteuid().is_root() {
            command.args(["-u", "root"]);
        }
        let mut child = command.spawn().unwrap();
        let questions = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let server = Server {
            child,
            questions,
            answers,
            address,
        };
        server.wait();
        server
    }

    fn wait(&self) {
        let end = Instant::now() + START_TIMEOUT;
        while TcpStream::connect(self.address).is_err() {
            assert!(Instant::now() < end, "the server does not answer");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asks, and returns how many allocations there have been since tracing began, and the places of most of them.
    fn ask(&mut self, question: &str) -> (usize, String) {
        writeln!(self.questions, "{question}").unwrap();
        let line = self.line();
        let (made, lines) = line.trim().split_once(' ').unwrap();
        let lines: usize = lines.parse().unwrap();
        (
            made.parse().unwrap(),
            (0..lines).map(|_| self.line()).collect(),
        )
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
