//! CPU time of both sides, signals, and replies after the end.

use super::{Row, run};
use crate::bed::{Action, Bed};
use crate::support::run_of;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

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
