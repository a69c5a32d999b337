//! The shards' threads: each one makes its executor and its ring, waits for the others, serves, and ends when the
//! server does.
//!
//! ```text
//!   main thread   start ---------------------- all ready: go ------------------ stop -- join
//!   shard-0         executor, ring, memory --> Ready ... Go --> serves ................ done
//!   shard-1         executor, ring, memory --> Ready ... Go --> serves ................ done
//! ```
//!
//! If a thread cannot be started, it reports this and the start fails. If a thread has started and cannot go on, the
//! process ends: the other shards would be half a server.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use corecached_reactor::runtime::Runtime;
use corecached_reactor::{Io, Reactor, ReactorConfig};

use tracing::warn;

use super::prefault;
use super::stuck::Stuck;
use crate::base::cpus::shards_for;
use crate::error::StartError;
use crate::ids::ShardId;
use crate::process::{self, Cpus, Slice};
use crate::route::directory::Links;
use crate::route::stage::Stage;
use crate::shard::{Shard, ShardParts};
use crate::shared::Shared;

/// Seconds within which all shards have ended, or else one of them is stuck: the sum of the times that they may wait.
/// They are counted one by one, since the process may be stopped meanwhile.
const END_SECONDS_MAX: usize = 2 // clients take their last replies
    + 1 // listeners are taken down
    + 27; // a machine that is busy with something else
/// Seconds after which shards that have not ended are named, and woken once more.
const END_SECONDS_USUAL: usize = 5;

/// The running threads.
#[derive(Debug)]
pub(crate) struct Threads {
    go: Arc<Barrier>,
    /// A channel that is closed once all threads have ended.
    running: Receiver<()>,
}

/// Starts a thread for each shard and waits until all of them are ready. They serve once [`Threads::go`] is called.
///
/// # Errors
/// If a thread, an executor, a ring or its memory is not available.
pub(crate) fn start(
    shared: &Arc<Shared>,
    parts: Vec<ShardParts>,
    cpus: &Cpus,
) -> Result<Threads, StartError> {
    let (io, shards) = (shared.globals.config.driver(), parts.len());
    let are_few = shards <= FEW_TO_A_CPU * shards_for(shared.globals.config.cpus.len());
    let go = Arc::new(Barrier::new(shards + 1));
    let (report, reports) = mpsc::channel();
    let (runs, running) = mpsc::channel();
    for parts in parts {
        let shared = Arc::clone(shared);
        let go = Arc::clone(&go);
        let report = Report::new(report.clone());
        let runs = runs.clone();
        let thread = thread::Builder::new().name(format!("shard-{}", parts.id.0));
        let seat = Seat {
            cpu: cpus.of(usize::from(parts.id.0)),
            are_few,
        };
        let started = thread.spawn(move || {
            let id = parts.id;
            run(parts, Arc::clone(&shared), seat, report, &go);
            shared.route.shard(id).reaches(Stage::Ended);
            drop(runs);
        });
        started.map_err(|error| StartError::thread(io, shards, error))?;
    }
    drop(report);
    for _ in 0..shards {
        let told = reports.recv();
        told.unwrap_or_else(|_| Err(StartError::Executor("a shard's thread has ended".into())))?;
    }
    Ok(Threads { go, running })
}

impl Threads {
    /// Makes all shards serve.
    pub(crate) fn go(&self) {
        self.go.wait();
    }

    /// Waits until all shards have ended; they have been told to end before.
    pub(crate) fn join(self, shared: &Shared) {
        let mut report = String::new();
        for second in 1..=END_SECONDS_MAX {
            let stuck = Stuck::begin(shared);
            let waited = self.running.recv_timeout(Duration::from_secs(1));
            if waited == Err(RecvTimeoutError::Disconnected) {
                return;
            }
            report = stuck.report(shared);
            if second == END_SECONDS_USUAL {
                warn!("not ended after {second} s: {report}");
                shared.route.wake_all();
            }
        }
        process::fail(format_args!(
            "not all shards have ended within {END_SECONDS_MAX} s: {report}"
        ));
    }
}

/// The report of a shard's thread to the main thread, sent once. If the thread ends without a report, that is reported.
struct Report(Option<Sender<Result<(), StartError>>>);

impl Report {
    fn new(sender: Sender<Result<(), StartError>>) -> Self {
        Self(Some(sender))
    }

    fn send(mut self, result: Result<(), StartError>) {
        if let Some(sender) = self.0.take() {
            // A main thread that no longer listens has heard of another shard's failure.
            let _ = sender.send(result);
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if let Some(sender) = self.0.take() {
            let _ = sender.send(Err(StartError::Executor(
                "a shard's thread has ended".into(),
            )));
        }
    }
}

/// With so many shards to a CPU, their threads gain by short slices; with more, they lose. See `process/slice.rs`.
const FEW_TO_A_CPU: usize = 2;

/// Where a shard's thread runs.
#[derive(Clone, Copy, Debug)]
struct Seat {
    /// The CPU that the thread is kept on, if it is.
    cpu: Option<usize>,
    /// Whether there are at most [`FEW_TO_A_CPU`] shards to a CPU.
    are_few: bool,
}

/// The main function of a shard's thread.
fn run(parts: ShardParts, shared: Arc<Shared>, seat: Seat, report: Report, go: &Barrier) {
    let id = parts.id;
    let is_pinned = seat.cpu.is_some_and(process::pin);
    let executor = match make_executor(
        shared.globals.config.driver(),
        shared.globals.config.threads,
    ) {
        Ok(executor) => executor,
        Err(error) => return report.send(Err(error)),
    };
    // This comes after the executor is made, so that it does not apply to the thread that glommio starts for itself.
    let slice = match seat.are_few {
        true => process::ask_for_short_slice(),
        false => Slice::Usual,
    };
    let served = executor.run(async move {
        let reactor = match begin(&parts, &shared, is_pinned) {
            Ok(reactor) => reactor,
            Err(error) => {
                report.send(Err(error));
                return Ok(());
            }
        };
        report.send(Ok(()));
        // No shard sends anything before all shards can be woken.
        go.wait();
        Shard::new(parts, shared, reactor, slice).serve().await
    });
    if let Err(error) = served {
        process::fail(format_args!("shard {} cannot go on: {error}", id.0));
    }
}

/// Makes an executor for this thread.
fn make_executor(io: Io, shards: usize) -> Result<Runtime, StartError> {
    // Glommio panics if its own thread cannot be started.
    match process::catching(|| Runtime::new(io)) {
        Ok(made) => made.map_err(|error| match error {
            error if error.raw_os_error() == Some(libc::ENOMEM) => no_memory(shards),
            error => StartError::Executor(error.to_string()),
        }),
        Err(text) if text.contains("spawn thread") => Err(StartError::thread(io, shards, text)),
        Err(text) => Err(StartError::Executor(text)),
    }
}

fn no_memory(shards: usize) -> StartError {
    corecached_reactor::StartError::out_of_memory(shards).into()
}

/// Makes the things that a shard needs before it can be reached.
fn begin(parts: &ShardParts, shared: &Shared, is_pinned: bool) -> Result<Reactor, StartError> {
    let config = ReactorConfig {
        io: shared.globals.config.driver(),
        ..ReactorConfig::default()
    };
    let reactor = Reactor::new(&config).map_err(|error| match error {
        corecached_reactor::StartError::OutOfMemory { .. } => {
            no_memory(shared.globals.config.threads)
        }
        error => error.into(),
    })?;
    let links = Links {
        doorbell: reactor.doorbell_target(),
        waker: reactor.waker(),
    };
    shared.route.shard(parts.id).attach(links);
    place_memory(shared, parts.id, is_pinned)?;
    Ok(reactor)
}

/// Makes the shard's memory come from the NUMA node of this thread, the shard's own; with `-o prefault`, all of it now.
fn place_memory(shared: &Shared, shard: ShardId, is_pinned: bool) -> Result<(), StartError> {
    let Some(mut core) = shared.cores.of(shard).try_borrow() else {
        debug_assert!(false, "nobody borrows before everybody has started");
        return Ok(());
    };
    if is_pinned {
        core.engine.prefer_this_node();
    }
    prefault::populate(&shared.globals.config, &mut core.engine)
}
