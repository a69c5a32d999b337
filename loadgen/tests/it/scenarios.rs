//! What loadgen is held against: servers whose behaviour is known, each with what is true of it and what loadgen must
//! say. [`crate::honesty`] checks each as a test, [`crate::truth`] prints them all as a table.

use crate::bed::{Action, Bed, scripted};
use crate::judgements;
use crate::support::{ensure, json, run_of};
use loadgen::report::model::{IncidentReport, RunResult};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One server, the truth, and loadgen's words.
pub(crate) struct Row {
    /// What the server does.
    pub(crate) server: &'static str,
    /// What is true, from the server's side.
    pub(crate) truth: String,
    /// What loadgen says.
    pub(crate) says: String,
    /// What does not agree.
    pub(crate) wrong: Vec<String>,
}

impl Row {
    pub(crate) fn new(server: &'static str, truth: String, says: String) -> Self {
        Self {
            server,
            truth,
            says,
            wrong: Vec::new(),
        }
    }

    pub(crate) fn expect(mut self, what: &str, holds: bool) -> Self {
        if !holds {
            self.wrong.push(what.to_owned());
        }
        self
    }

    /// An error unless all agrees.
    pub(crate) fn result(&self) -> Result<(), String> {
        let Self { truth, says, .. } = self;
        ensure(self.wrong.is_empty(), || {
            format!("{:?}; truth: {truth}; loadgen: {says}", self.wrong)
        })
    }

    /// Fails unless all agrees.
    pub(crate) fn check(&self) {
        if let Err(why) = self.result() {
            panic!("{why}");
        }
    }
}

/// A scenario.
pub(crate) type Scenario = fn() -> Row;

/// All of them, in the order of the table.
pub(crate) const ALL: &[Scenario] = &[
    poisson_spreads,
    uniform_takes_turns,
    three_servers_spread,
    slow_replies_delay_their_own_connection,
    a_stopped_server,
    dropped_replies,
    refused_sets,
    one_connection_closed,
    one_server_of_three_killed,
    a_malformed_reply,
    one_lost_reply,
    one_repeated_reply,
    corrupt_values,
    replies_after_the_last_window,
    terminated,
    server_cpu,
    crowded_client,
    judgements::search_in_virtual_time,
    judgements::compare_with_a_slower_one,
    judgements::scan_above_the_objective,
    judgements::plan_for_a_hot_key,
];

/// Small and quick, all keys set first.
const QUICK: [&str; 6] = ["--keys", "500", "--key-dist", "uniform", "--warmup", "0s"];

/// Runs a mix against a server and gives the exit code and the result.
fn run_mix(servers: &str, mix: &str, more: &[&str]) -> (i32, RunResult) {
    let target = ["run", "-s", servers, "--mix", mix];
    let (exit, report) = json(&[&target[..], &QUICK, more].concat());
    (exit, run_of(report))
}

/// The same with gets only.
fn run(servers: &str, more: &[&str]) -> (i32, RunResult) {
    run_mix(servers, "get", more)
}

fn preloaded(run: &RunResult) -> u64 {
    run.preload.as_ref().map_or(0, |preload| preload.keys)
}

fn range(counts: &[u64]) -> (u64, u64) {
    let lowest = counts.iter().min().copied().unwrap_or(0);
    (lowest, counts.iter().max().copied().unwrap_or(0))
}

fn ms(ns: Option<u64>) -> f64 {
    ns.map_or(f64::NAN, |ns| ns as f64 / 1e6)
}

fn only_incident(run: &RunResult) -> Option<&IncidentReport> {
    match run.verdict.incidents.as_slice() {
        [only] => Some(only),
        _ => None,
    }
}

fn incident_words(run: &RunResult) -> String {
    let words = |incident: &IncidentReport| {
        format!(
            "{} x {} at {:.1} s, {} reopened",
            incident.count, incident.kind, incident.first_s, incident.reopened
        )
    };
    let all: Vec<String> = run.verdict.incidents.iter().map(words).collect();
    all.join("; ")
}

fn spread(server: &'static str, arrivals: &str, lowest: u64, highest: u64) -> Row {
    let bed = Bed::honest();
    let (exit, run) = run(
        &bed.address,
        &["-r", "2k", "-d", "2s", "--arrivals", arrivals],
    );
    let counts = bed.gets_by_connection();
    let (low, high) = range(&counts);
    let said = &run.connections[0];
    Row::new(
        server,
        format!("{} connections got {low} to {high} requests", counts.len()),
        format!("{} to {}", said.lowest, said.highest),
    )
    .expect("exit 0", exit == 0)
    .expect("every key set is counted", preloaded(&run) == 500)
    .expect("all connections are used", counts.len() == 50)
    .expect("as counted", (said.lowest, said.highest) == (low, high))
    .expect("as chance has it", low >= lowest && high <= highest)
}

/// 4,000 requests on 50 connections: 80 each, with a standard deviation of 9.
pub(crate) fn poisson_spreads() -> Row {
    spread(
        "answers; 50 connections, Poisson arrivals",
        "poisson",
        30,
        140,
    )
}

pub(crate) fn uniform_takes_turns() -> Row {
    spread(
        "answers; 50 connections, uniform arrivals",
        "uniform",
        80,
        80,
    )
}

pub(crate) fn three_servers_spread() -> Row {
    let beds = [Bed::honest(), Bed::honest(), Bed::honest()];
    let addresses: Vec<&str> = beds.iter().map(|bed| bed.address.as_str()).collect();
    let (exit, run) = run(&addresses.join(","), &["-r", "2k", "-d", "2s", "-c", "30"]);
    let truth: Vec<(u64, u64)> = beds
        .iter()
        .map(|bed| range(&bed.gets_by_connection()))
        .collect();
    let said: Vec<(u64, u64)> = run
        .connections
        .iter()
        .map(|share| (share.lowest, share.highest))
        .collect();
    let words = |ranges: &[(u64, u64)]| {
        let all: Vec<String> = ranges.iter().map(|(a, b)| format!("{a} to {b}")).collect();
        all.join("; ")
    };
    Row::new(
        "three that answer; 30 connections, ketama",
        words(&truth),
        words(&said),
    )
    .expect("exit 0", exit == 0)
    .expect("every key set is counted", preloaded(&run) == 500)
    .expect("as counted", truth == said)
    .expect(
        "no connection is left out",
        truth.iter().all(|(low, _)| *low > 20),
    )
}

/// 1% of replies are late; on 50 connections few others wait behind them, so nine tenths never notice.
pub(crate) fn slow_replies_delay_their_own_connection() -> Row {
    const PAUSE: Duration = Duration::from_millis(300);
    let bed = Bed::start(|_, get| match get.number % 100 {
        50 => Action::Late(PAUSE, get.right),
        _ => Action::Bytes(get.right),
    });
    let (exit, run) = run(&bed.address, &["-r", "500", "-d", "3s"]);
    let response = &run.all.response;
    Row::new(
        "1% of replies 300 ms late; 500/s on 50 connections",
        "p90 below 150 ms, p99 300 ms".to_owned(),
        format!(
            "p90 {:.0} ms, p99 {:.0} ms (slip {:.0} ms)",
            ms(response.p90_ns),
            ms(response.p99_ns),
            ms(run.all.slip.p99_ns)
        ),
    )
    .expect("exit 0", exit == 0)
    .expect("p90", ms(response.p90_ns) < 150.0)
    .expect("p99", (270.0..2000.0).contains(&ms(response.p99_ns)))
}

/// What a server did that stopped answering halfway.
pub(crate) fn a_stopped_server() -> Row {
    let bed = Arc::new(Bed::honest());
    let stopper = Arc::clone(&bed);
    let thread = std::thread::spawn(move || {
        stopper.wait_for_gets(500);
        stopper.pause();
    });
    let slo = ["--slo", "p99<5s"];
    let (exit, run) = run(
        &bed.address,
        &[&["-r", "500", "-d", "2s"], &slo[..]].concat(),
    );
    thread.join().unwrap();
    let answered = bed.answered();
    bed.resume();
    let lost = run.verdict.lost_total();
    let due = run.all.completed + run.all.no_reply;
    let last = run.series.last().unwrap();
    Row::new(
        "stops answering halfway; 500/s for 2 s",
        format!(
            "{} of {due} without reply, waiting 1 to 2 s; objective missed",
            due - answered
        ),
        format!(
            "{lost} lost, p99 {:.2} s, {}",
            ms(run.all.response.p99_ns) / 1e3,
            if run.verdict.slo_missed.is_empty() {
                "objective kept"
            } else {
                "objective missed"
            }
        ),
    )
    .expect("exit 6", exit == 6)
    .expect("as many as were not answered", lost == due - answered)
    .expect("about half", (300..700).contains(&lost))
    .expect("all counted", run.all.response.count == due)
    .expect("lost, not overloaded", run.verdict.overloaded.is_none())
    .expect("p99", ms(run.all.response.p99_ns) > 1500.0)
    .expect(
        "last window",
        ms(last.p50_ns) > 900.0 && last.no_reply > 100,
    )
}

/// Sets, whose replies all look alike: each that is dropped leaves one request without a reply at the end.
pub(crate) fn dropped_replies() -> Row {
    let (sets, dropped) = (AtomicUsize::new(0), Arc::new(AtomicU64::new(0)));
    let counter = Arc::clone(&dropped);
    let address = scripted(move |_| {
        if sets.fetch_add(1, Ordering::SeqCst) % 100 == 50 {
            counter.fetch_add(1, Ordering::SeqCst);
            return Action::Silence;
        }
        Action::Reply("STORED\r\n".to_owned())
    })
    .to_string();
    let more = ["-r", "1k", "-d", "2s", "--no-preload", "--slo", "p50<10s"];
    let (exit, run) = run_mix(&address, "set", &more);
    let dropped = dropped.load(Ordering::SeqCst);
    let lost = run.verdict.lost_total();
    Row::new(
        "drops 1% of the replies to sets",
        format!("{dropped} lost"),
        format!("{lost} lost"),
    )
    .expect("exit 6", exit == 6)
    .expect("as dropped", lost == dropped)
    .expect("in the objective", !run.verdict.slo_missed.is_empty())
    .expect("not overloaded", run.verdict.overloaded.is_none())
}

pub(crate) fn refused_sets() -> Row {
    let refused = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&refused);
    let address = scripted(move |line| {
        if line.is_get() {
            return Action::Reply("END\r\n".to_owned());
        }
        counter.fetch_add(1, Ordering::SeqCst);
        Action::Reply("SERVER_ERROR out of memory storing object\r\n".to_owned())
    })
    .to_string();
    let more = ["-r", "1k", "-d", "1s", "--no-preload", "--slo", "p99<60s"];
    let (exit, run) = run_mix(&address, "get=90,set=10", &more);
    let refused = refused.load(Ordering::SeqCst);
    let set = run
        .classes
        .iter()
        .find(|class| class.verb == "set")
        .unwrap();
    Row::new(
        "refuses every set (10% of requests)",
        format!("{refused} refused, no set has a response time"),
        format!(
            "{} errors, p99 of sets {}, {}",
            run.all.errors,
            loadgen::units::format_latency(set.response.p99_ns),
            run.verdict.slo_missed.join("; ")
        ),
    )
    .expect("exit 6", exit == 6)
    .expect("as refused", run.all.errors == refused)
    .expect("no percentile", set.response.p99_ns.is_none())
    .expect("objective", !run.verdict.slo_missed.is_empty())
}

pub(crate) fn one_connection_closed() -> Row {
    let bed = Bed::start(|_, get| match get.number {
        500 => Action::Close,
        _ => Action::Bytes(get.right),
    });
    let (exit, run) = run(&bed.address, &["-r", "500", "-d", "2s"]);
    let incident = only_incident(&run);
    let is = |holds: fn(&IncidentReport) -> bool| incident.is_some_and(holds);
    Row::new(
        "closes 1 of 50 connections on request 500",
        "1 closed, opened again, 1 or few requests lost".to_owned(),
        format!(
            "{}; {} lost",
            incident_words(&run),
            run.verdict.lost_total()
        ),
    )
    .expect("exit 4", exit == 4)
    .expect(
        "one closed",
        is(|incident| incident.kind == "closed" && incident.count == 1),
    )
    .expect("opened again", is(|incident| incident.reopened == 1))
    .expect(
        "the time",
        is(|incident| (0.5..2.0).contains(&incident.first_s)),
    )
    .expect("few lost", (1..50).contains(&run.verdict.lost_total()))
    .expect("the rest goes on", run.all.completed > 800)
}

pub(crate) fn one_server_of_three_killed() -> Row {
    let beds = Arc::new([Bed::honest(), Bed::honest(), Bed::honest()]);
    let killer = Arc::clone(&beds);
    let thread = std::thread::spawn(move || {
        killer[1].wait_for_gets(200);
        killer[1].kill();
        [killer[0].gets(), killer[2].gets()]
    });
    let addresses: Vec<&str> = beds.iter().map(|bed| bed.address.as_str()).collect();
    let (exit, run) = run(&addresses.join(","), &["-r", "600", "-d", "2s", "-c", "30"]);
    let at_kill = thread.join().unwrap();
    let after = [beds[0].gets() - at_kill[0], beds[2].gets() - at_kill[1]];
    let lost = run.verdict.lost_total();
    let due = run.all.completed + run.all.no_reply;
    let answered: u64 = beds.iter().map(Bed::answered).sum();
    let names = |incident: &IncidentReport| incident.server == beds[1].address;
    Row::new(
        "three servers, one killed after its request 200",
        format!(
            "{} of {due} without reply; 10 connections closed",
            due - answered
        ),
        format!("{lost} lost; {}", incident_words(&run)),
    )
    .expect("exit 4", exit == 4)
    .expect("the others go on", after.iter().all(|&count| count > 50))
    .expect("named", run.verdict.incidents.iter().all(names))
    .expect(
        "ten closed",
        only_incident(&run).is_some_and(|incident| incident.count == 10),
    )
    // What the server wrote as it was killed may not have arrived.
    .expect("counted", lost.abs_diff(due - answered) < 10 && lost > 50)
    .expect("the waits count", run.all.response.count == due)
    .expect("not overloaded", run.verdict.overloaded.is_none())
}

pub(crate) fn a_malformed_reply() -> Row {
    let bed = Bed::start(|_, get| match get.number {
        300 => Action::Reply("WHAT?\r\n".to_owned()),
        _ => Action::Bytes(get.right),
    });
    let (exit, run) = run(&bed.address, &["-r", "500", "-d", "2s"]);
    let incident = only_incident(&run);
    Row::new(
        "answers request 300 with \"WHAT?\"",
        "1 malformed reply".to_owned(),
        incident_words(&run),
    )
    .expect("exit 4", exit == 4)
    .expect(
        "one, quoted",
        incident.is_some_and(|incident| {
            incident.kind == "malformed reply"
                && incident.count == 1
                && incident.example.contains("WHAT?")
        }),
    )
    .expect("the rest goes on", run.all.completed > 800)
}

/// On few connections, so that requests follow the one whose reply is tampered with.
const FEW: [&str; 8] = ["-r", "2k", "-d", "2s", "-c", "2", "--depth", "64"];

fn shifted(server: &'static str, truth: &str, tamper: fn(Vec<u8>) -> Action) -> Row {
    let bed = Bed::start(move |_, get| match get.number {
        1000 => tamper(get.right),
        _ => Action::Bytes(get.right),
    });
    let (exit, run) = run(&bed.address, &FEW);
    let incident = only_incident(&run);
    Row::new(
        server,
        truth.to_owned(),
        format!(
            "{}; {} wrong values",
            incident_words(&run),
            run.verdict.violations_total()
        ),
    )
    .expect("exit 4", exit == 4)
    .expect(
        "one shift with an example",
        incident.is_some_and(|incident| {
            incident.kind == "shifted replies"
                && incident.count == 1
                && (incident.example.contains("was answered with the value of")
                    || incident.example.contains("nothing was asked for"))
        }),
    )
    .expect("no wrong values", run.verdict.violations_total() == 0)
    .expect("the rest goes on", run.all.completed > 3000)
}

pub(crate) fn one_lost_reply() -> Row {
    shifted(
        "drops the reply to get 1000; depth 64",
        "1 lost, the later ones shifted",
        |_| Action::Silence,
    )
}

pub(crate) fn one_repeated_reply() -> Row {
    shifted(
        "sends the reply to get 1000 twice",
        "1 too many, the later ones shifted",
        |right| Action::Bytes([right.as_slice(), right.as_slice()].concat()),
    )
}

/// Each 50th get brings another key's value, in turns under that key's name and under the right one.
pub(crate) fn corrupt_values() -> Row {
    let corrupted = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&corrupted);
    let bed = Bed::start(move |line, get| {
        if get.number % 50 != 25 {
            return Action::Bytes(get.right);
        }
        counter.fetch_add(1, Ordering::SeqCst);
        let other = get.items.another(line.key());
        let named = match get.number % 100 {
            25 => other.as_str(),
            _ => line.key(),
        };
        Action::Bytes(get.items.value(&other, named))
    });
    let (exit, run) = run(&bed.address, &FEW);
    let corrupted = corrupted.load(Ordering::SeqCst);
    let said = run.verdict.violations_total();
    Row::new(
        "answers 2% of gets with another key's value",
        format!("{corrupted} wrong values, no shift"),
        format!(
            "{said} wrong values, {} connections opened anew",
            run.verdict.incidents.len()
        ),
    )
    .expect("exit 5", exit == 5)
    .expect("as many", said == corrupted)
    .expect("no shift", run.verdict.incidents.is_empty())
    .expect("examples", !run.verdict.violation_examples.is_empty())
}

/// The server is this process; what it spends beside the scripted loop is its sockets and the other tests.
pub(crate) fn server_cpu() -> Row {
    const SPENT: Duration = Duration::from_micros(500);
    let turn = Mutex::new(());
    let bed = Bed::start(move |_, get| {
        let turn = turn.lock().unwrap();
        let end = loadgen::clock::thread_cpu_ns() + SPENT.as_nanos() as u64;
        while loadgen::clock::thread_cpu_ns() < end {
            std::hint::spin_loop();
        }
        drop(turn);
        Action::Bytes(get.right)
    });
    let pid = std::process::id().to_string();
    let (exit, run) = run(
        &bed.address,
        &["-r", "400", "-d", "2s", "--server-pid", &pid],
    );
    let usage = run.server.expect("the process can be read");
    let cpu_us = usage.us_per_request();
    Row::new(
        "spends 500 us of CPU on each request",
        "500 us and what its sockets cost".to_owned(),
        format!("{cpu_us:.0} us a request, {:.2} CPUs busy", usage.cpus_busy),
    )
    .expect("exit 0", exit == 0)
    .expect("at least that", cpu_us > 495.0)
}

/// A server that stands still when the last window ends, and goes on after it.
pub(crate) fn replies_after_the_last_window() -> Row {
    let crate::outputs::Holdings { requests, p99_ns } = crate::outputs::holdings();
    let [report, log, series] = requests;
    Row::new(
        "stands still at the end, answers after it",
        "report, log and time series hold the same".to_owned(),
        format!(
            "{report}, {log} and {series} requests; p99 {} and {} ns",
            p99_ns[0], p99_ns[1]
        ),
    )
    .expect("as many requests", report == log && report == series)
    .expect("the same p99", p99_ns[0] == p99_ns[1])
}

pub(crate) fn terminated() -> Row {
    let bed = Bed::honest();
    let load = ["-r", "500", "-d", "60s", "--json", "-", "--quiet"];
    let workload = ["--keys", "100", "--mix", "get", "--warmup", "0s"];
    let child = start(&[&["run", "-s", &bed.address], &load[..], &workload].concat());
    bed.wait_for_gets(300);
    signal(&child, rustix::process::Signal::TERM);
    let output = child.wait_with_output().unwrap();
    let run = run_of(serde_json::from_slice(&output.stdout).unwrap());
    let answered = bed.answered();
    let exit = output.status.code();
    Row::new(
        "answers; loadgen gets SIGTERM after request 300 of 30,000",
        format!("{answered} answered"),
        format!(
            "{} answered, exit {}",
            run.all.completed,
            exit.unwrap_or(-1)
        ),
    )
    .expect("exit 143", exit == Some(143))
    .expect("as many", run.all.completed == answered)
    .expect("cut short", run.seconds < 50.0)
    .expect(
        "said so",
        run.verdict
            .notes
            .iter()
            .any(|note| note.contains("interrupted")),
    )
}

/// Starts the binary without waiting for it.
pub(crate) fn start(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

pub(crate) fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, signal).unwrap();
}

/// Other threads on the worker's CPU: its CPU time is what it ran, spinning left out, and how long it waited is said.
pub(crate) fn crowded_client() -> Row {
    const HOGS: usize = 3;
    let cpu = loadgen::host::allowed_cpus().unwrap()[0];
    let done = Arc::new(AtomicBool::new(false));
    let hogs: Vec<_> = (0..HOGS)
        .map(|_| {
            let done = Arc::clone(&done);
            std::thread::spawn(move || {
                loadgen::host::pin_current_thread(cpu).unwrap();
                while !done.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        })
        .collect();
    let bed = Bed::honest();
    let cpus = cpu.0.to_string();
    let (_, run) = run(&bed.address, &["-r", "500", "-d", "1s", "--cpus", &cpus]);
    done.store(true, Ordering::Relaxed);
    hogs.into_iter().for_each(|hog| hog.join().unwrap());
    let client = run.client;
    let waited = client.delayed_share;
    Row::new(
        "answers; three busy threads on the client's CPU",
        "the client costs more than 1 us a request and waits for its CPU".to_owned(),
        format!(
            "{:.1} us a request, waiting {}",
            client.cpu_us_per_request,
            waited.map_or("unknown".to_owned(), loadgen::units::format_share)
        ),
    )
    .expect(
        "not nothing",
        client.cpu_us_per_request > 1.0 && client.busiest_worker > 0.0,
    )
    .expect("it waits", waited.is_none_or(|share| share > 0.05))
}
