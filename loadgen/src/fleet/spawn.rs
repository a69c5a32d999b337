//! A worker's thread: its parts, its start and its life.

use super::config::{FleetConfig, LOAD_DEPTH};
use super::open::Share;
use crate::clock::{RunDelay, realtime_offset_ns};
use crate::error::{Exit, LoadError, Result};
use crate::host::pin_current_thread;
use crate::net::ring::Ring;
use crate::record::Interval;
use crate::value::Version;
use crate::wire::request::request_bytes_max;
use crate::worker::Worker;
use crate::worker::connection::{Connection, Limits};
use crate::worker::core::Core;
use crate::worker::ledger::Ledger;
use crate::worker::links::{Links, Order};
use crate::worker::phase::{Message, Phase};
use crate::worker::pick::Groups;
use crate::worker::sleep::Sleep;
use crate::worker::verify::{Verifier, Watermarks};
use crate::workload::verb::Verb;
use crate::workload::{Generator, Workload};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

/// Empty intervals per worker: one being filled, one being added, two to spare.
const EMPTY_INTERVALS: usize = 3;

/// The parts that a worker's thread is given.
pub(super) struct WorkerPlan {
    pub(super) config: FleetConfig,
    pub(super) index: usize,
    pub(super) sockets: Share,
    pub(super) generator: Generator,
    pub(super) watermarks: Arc<Watermarks>,
    /// The channel by which lost connections are ordered anew.
    pub(super) orders: Sender<Order>,
}

/// A worker's thread, from the outside.
pub(super) struct Handle {
    // An order ends when the fleet is dropped; the thread follows.
    pub(super) orders: Option<Sender<Phase>>,
    pub(super) empties: SyncSender<Box<Interval>>,
    pub(super) thread: Option<JoinHandle<()>>,
}

/// Starts a worker's thread.
pub(super) fn spawn(plan: WorkerPlan, outlet: &SyncSender<Message>) -> Result<Handle> {
    let (orders, inbox) = channel::<Phase>();
    let (empties, pool) = sync_channel(EMPTY_INTERVALS + 2);
    let verbs = worker_verbs(&plan.config.workload);
    for _ in 0..EMPTY_INTERVALS {
        // The pool was made with room for them.
        let _ = empties.try_send(Box::new(Interval::new(&verbs)));
    }
    let outlet = outlet.clone();
    let thread = std::thread::Builder::new()
        .name(format!("worker-{}", plan.index))
        .spawn(move || work(plan, &inbox, pool, &outlet))
        .map_err(|error| LoadError::failed("starting a worker", &error))?;
    let handle = Handle {
        orders: Some(orders),
        empties,
        thread: Some(thread),
    };
    Ok(handle)
}

/// The life of a worker's thread.
fn work(
    plan: WorkerPlan,
    inbox: &Receiver<Phase>,
    pool: Receiver<Box<Interval>>,
    outlet: &SyncSender<Message>,
) {
    let mut worker = match build(plan, pool, outlet.clone()) {
        Ok(worker) => worker,
        Err(error) => {
            let _ = outlet.send(Message::Failed(error));
            return;
        }
    };
    while let Ok(phase) = inbox.recv() {
        let message = match worker.run(phase) {
            Ok(end) => Message::Done(end),
            Err(error) => Message::Failed(error),
        };
        if outlet.send(message).is_err() {
            return;
        }
    }
    worker.say_goodbye();
}

/// The verbs a worker records: those of the workload, and the sets of the preload.
fn worker_verbs(workload: &Workload) -> Vec<Verb> {
    let mut verbs = workload.recorded_verbs();
    if !verbs.contains(&Verb::Set) {
        verbs.push(Verb::Set);
    }
    verbs
}

fn build(
    plan: WorkerPlan,
    empties: Receiver<Box<Interval>>,
    outlet: SyncSender<Message>,
) -> Result<Worker> {
    let WorkerPlan {
        config,
        index,
        sockets,
        generator,
        watermarks,
        orders,
    } = plan;
    pin_current_thread(config.cpus[index])?;
    let workload = Arc::clone(&config.workload);
    let limits = Limits {
        depth: config.depth_max.max(LOAD_DEPTH),
        multiget_keys: workload.spec.mix.multiget_keys(),
        request_bytes_max: request_bytes_max(&workload),
    };
    let (sockets, connections) = divide(sockets, &config, &limits);
    let is_encrypted = connections.iter().any(|it| it.tls.is_some());
    let ring =
        Ring::new(sockets, limits.send_bytes(is_encrypted)).map_err(|error| ring_error(&error))?;
    let verbs = worker_verbs(&workload);
    let seed = workload.spec.seed;
    let realtime_offset_ns = realtime_offset_ns();
    let check_expiry = !workload.spec.mix.any(Verb::touches);
    let core = Core {
        protocol: config.protocol,
        generator,
        router: config.router.clone(),
        interval: Box::new(Interval::new(&verbs)),
        verifier: Verifier::new(watermarks.run, realtime_offset_ns, check_expiry),
        watermarks,
        worker: index,
        realtime_offset_ns,
        now_ns: 0,
        looked_ns: 0,
        measured_ns: 0..0,
        slot_start_ns: 0,
        in_flight: 0,
        waiting: 0,
        ledger: Ledger::default(),
        doubt: None,
        error_examples: Vec::new(),
        last_version: Version(0),
        multiget: Vec::with_capacity(limits.multiget_keys + 1),
        scratch: Vec::with_capacity(256),
        workload,
    };
    let count = connections.len();
    Ok(Worker {
        groups: Groups::new(
            &connections,
            config.router.groups(),
            config.depth_max,
            index,
            seed,
        ),
        ring,
        connections,
        core,
        dirty: Vec::with_capacity(count),
        batch: Vec::with_capacity(count),
        sleep: Sleep::new(config.wait),
        outlet,
        empties,
        verbs,
        delay: RunDelay::of_this_thread(),
        links: Links::new(orders),
        scratch: Vec::new(),
    })
}

/// The sockets of a worker, which go to its ring, and the rest of its connections.
fn divide(share: Share, config: &FleetConfig, limits: &Limits) -> (Vec<OwnedFd>, Vec<Connection>) {
    let parts = share.into_iter().map(|(opened, group)| {
        let mut connection = Connection::new(group, config.protocol, limits);
        connection.secure(opened.tls);
        (opened.socket, connection)
    });
    parts.unzip()
}

fn ring_error(error: &std::io::Error) -> LoadError {
    let advice = match error.raw_os_error() {
        Some(libc::ENOSYS) => "this kernel has no io_uring: Linux 6.1 or later is needed",
        Some(libc::EPERM) => {
            "io_uring is disabled: set sysctl kernel.io_uring_disabled=0, or allow it in the container's seccomp profile"
        }
        Some(libc::EINVAL) => "this kernel's io_uring is too old: Linux 6.1 or later is needed",
        Some(libc::ENOMEM) => "too little locked memory: raise ulimit -l",
        _ => "see the kernel's log",
    };
    LoadError::new(
        Exit::Failed,
        format!("cannot set up io_uring: {error} ({advice})"),
    )
}
