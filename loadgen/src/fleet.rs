//! The workers of a run, from the outside: start them, give them phases, add up what they record.

use crate::clock::{now_ns, realtime_offset_ns};
use crate::error::{Exit, LoadError, Result};
use crate::host::{CpuId, pin_current_thread, reserve_descriptors};
use crate::measurement::{Measurement, Window};
use crate::net::connect::{ShardPorts, connect};
use crate::net::ring::Ring;
use crate::record::Interval;
use crate::target::{Endpoint, GroupId, Router};
use crate::value::Version;
use crate::wire::{Protocol, request_bytes_max};
use crate::worker::Worker;
use crate::worker::arrivals::{ArrivalKind, Arrivals};
use crate::worker::connection::{Connection, Limits};
use crate::worker::core::Core;
use crate::worker::phase::{Message, Pace, Phase, Source, WaitPolicy};
use crate::worker::pick::Groups;
use crate::worker::verify::{Verifier, Watermarks};
use crate::workload::verb::Verb;
use crate::workload::{Generator, Workload};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Everything about the client's side of a run that does not change between phases.
#[derive(Debug, Clone)]
pub struct FleetConfig {
    /// The servers (for `Router::Shards`, the shard port of the one server).
    pub endpoints: Vec<Endpoint>,
    /// Which connections a key goes to.
    pub router: Router,
    /// The protocol of all connections.
    pub protocol: Protocol,
    /// Connections in all.
    pub connections: usize,
    /// One worker on each.
    pub cpus: Vec<CpuId>,
    /// The largest depth any phase will use.
    pub depth_max: usize,
    /// How workers wait.
    pub wait: WaitPolicy,
    /// What they ask.
    pub workload: Arc<Workload>,
}

/// The load of one phase.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Requests per second, or nothing for a closed loop.
    pub rate: Option<f64>,
    /// The distribution of gaps of the open loop.
    pub arrivals: ArrivalKind,
    /// Outstanding requests per connection.
    pub depth: usize,
    /// Outstanding requests in all.
    pub in_flight_max: usize,
    /// Time before measuring.
    pub warm_up: Duration,
    /// Time of measuring.
    pub duration: Duration,
    /// Resolution of the time series.
    pub interval: Duration,
    /// Keep each window's histogram (for the interval log).
    pub keep_histograms: bool,
}

/// How long replies may take after the last request was due.
const DRAIN: Duration = Duration::from_secs(1);
/// How long the last sets of a preload may take.
const LOAD_DRAIN: Duration = Duration::from_secs(10);
/// Requests outstanding per connection while loading.
const LOAD_DEPTH: usize = 32;
/// Between the order to start and the start: enough for every worker to wake up.
const START_DELAY_NS: u64 = 2_000_000;
/// Empty intervals per worker: one being filled, one being added, two to spare.
const SPARE_INTERVALS: usize = 3;
/// Messages the collector may be behind.
const MESSAGES_MAX: usize = 1024;
/// Workers' numbers fit in a version's low bits.
const WORKERS_MAX: usize = 1 << crate::worker::core::WORKER_BITS;

/// The running workers.
pub struct Fleet {
    handles: Vec<Handle>,
    inlet: Receiver<Message>,
    workload: Arc<Workload>,
    connections: usize,
    cpus: Vec<CpuId>,
    phases: u64,
}

struct Handle {
    // An order ends when the fleet is dropped; the thread follows.
    orders: Option<Sender<Phase>>,
    spares: SyncSender<Box<Interval>>,
    thread: Option<JoinHandle<()>>,
}

impl Fleet {
    /// Opens all connections and starts the workers.
    pub fn start(config: &FleetConfig) -> Result<Self> {
        let workers = config.cpus.len();
        if workers == 0 || workers > WORKERS_MAX {
            return Err(LoadError::usage(format!("between 1 and {WORKERS_MAX} worker CPUs are possible")));
        }
        let connections = rounded_connections(config.connections, workers * config.router.groups());
        reserve_descriptors(connections)?;
        let mut shares = open_all(config, connections)?;
        let watermarks = Arc::new(Watermarks::new(workers, now_ns() as u32 ^ std::process::id()));
        let (outlet, inlet) = sync_channel(MESSAGES_MAX);
        let mut handles = Vec::new();
        for (index, sockets) in shares.drain(..).enumerate() {
            let generator = config.workload.generator(index, workers).map_err(LoadError::usage)?;
            let plan = WorkerPlan {
                config: config.clone(),
                index,
                sockets,
                generator,
                watermarks: Arc::clone(&watermarks),
            };
            handles.push(spawn(plan, &outlet)?);
        }
        Ok(Self {
            handles,
            inlet,
            workload: Arc::clone(&config.workload),
            connections,
            cpus: config.cpus.clone(),
            phases: 0,
        })
    }

    /// The connections that were opened: at least those asked for.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections
    }

    /// Sets every key once. `progress` is called with each finished window.
    pub fn preload(&mut self, progress: &mut dyn FnMut(&Window)) -> Result<Measurement> {
        let load = Load {
            rate: None,
            arrivals: ArrivalKind::Uniform,
            depth: LOAD_DEPTH,
            in_flight_max: LOAD_DEPTH * self.connections,
            warm_up: Duration::ZERO,
            duration: Duration::MAX,
            interval: Duration::from_millis(500),
            keep_histograms: false,
        };
        let (keys, workers) = (self.workload.spec.keys, self.handles.len() as u64);
        let spaces = self.workload.key_spaces();
        let source = |worker: u64| {
            let range = keys * worker / workers..keys * (worker + 1) / workers;
            Source::Load {
                spaces: spaces.clone(),
                next: range.start,
                range,
            }
        };
        self.phase(&load, &source, LOAD_DRAIN, progress)
    }

    /// Runs one phase of the workload's mix.
    pub fn run(&mut self, load: &Load, progress: &mut dyn FnMut(&Window)) -> Result<Measurement> {
        self.phase(load, &|_| Source::Mix, DRAIN, progress)
    }

    fn phase(
        &mut self,
        load: &Load,
        source: &dyn Fn(u64) -> Source,
        drain: Duration,
        progress: &mut dyn FnMut(&Window),
    ) -> Result<Measurement> {
        let start_ns = now_ns() + START_DELAY_NS;
        self.phases += 1;
        let workers = self.handles.len();
        for (index, handle) in self.handles.iter().enumerate() {
            let phase = Phase {
                source: source(index as u64),
                pace: self.pace(load, index, workers, start_ns),
                depth: load.depth,
                start_ns,
                warm_up_ns: nanoseconds(load.warm_up),
                measure_ns: nanoseconds(load.duration),
                drain_ns: nanoseconds(drain),
                interval_ns: nanoseconds(load.interval).max(1),
            };
            if let Some(orders) = &handle.orders {
                // A worker that is gone has left a message saying why.
                let _ = orders.send(phase);
            }
        }
        self.collect(load, start_ns, progress)
    }

    fn pace(&self, load: &Load, worker: usize, workers: usize, start_ns: u64) -> Pace {
        let share = |all: usize| (all / workers + usize::from(worker < all % workers)).max(1);
        match load.rate {
            Some(rate) => Pace::Open {
                arrivals: Arrivals::new(load.arrivals, rate, worker, workers, start_ns, self.workload.spec.seed.wrapping_add(self.phases)),
                in_flight_max: share(load.in_flight_max),
            },
            None => Pace::Closed {
                in_flight_max: share(load.in_flight_max.min(load.depth * self.connections)),
            },
        }
    }

    fn collect(&mut self, load: &Load, start_ns: u64, progress: &mut dyn FnMut(&Window)) -> Result<Measurement> {
        let measure_start_ns = start_ns + nanoseconds(load.warm_up);
        let mut measurement = Measurement::new(load, self.handles.len(), measure_start_ns);
        let mut running = self.handles.len();
        let mut failure = None;
        while running > 0 {
            match self.inlet.recv() {
                Ok(Message::Interval(worker, mut interval)) => {
                    if let Some(window) = measurement.add(worker, &interval) {
                        progress(&window);
                    }
                    interval.clear();
                    // A full pool or a worker that is gone has no use for it.
                    let _ = self.handles[worker].spares.try_send(interval);
                }
                Ok(Message::Done(end)) => {
                    running -= 1;
                    measurement.end.add(end);
                }
                Ok(Message::Failed(error)) => {
                    failure = Some(error);
                    break;
                }
                Err(_) => return Err(LoadError::new(Exit::Failed, "all workers ended")),
            }
        }
        match failure {
            Some(error) => Err(error),
            None => Ok(measurement),
        }
    }

    /// The CPUs of the workers.
    #[must_use]
    pub fn cpus(&self) -> &[CpuId] {
        &self.cpus
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for handle in &mut self.handles {
            handle.orders = None;
        }
        // Workers may be blocked on a full channel: empty it until they are gone.
        for handle in &mut self.handles {
            while handle.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
                let _ = self.inlet.recv_timeout(Duration::from_millis(1));
            }
            if let Some(thread) = handle.thread.take() {
                // A panic of a worker has been printed by its thread.
                let _ = thread.join();
            }
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 4)
}

/// Each worker has as many connections to each group as any other.
fn rounded_connections(asked: usize, unit: usize) -> usize {
    asked.max(1).div_ceil(unit) * unit
}

type Share = Vec<(OwnedFd, GroupId)>;

fn open_all(config: &FleetConfig, connections: usize) -> Result<Vec<Share>> {
    let (workers, groups) = (config.cpus.len(), config.router.groups());
    let mut ports = ShardPorts::new(groups);
    let mut shares: Vec<Share> = (0..workers).map(|_| Vec::new()).collect();
    for index in 0..connections {
        let group = (index / workers) % groups;
        let socket = match &config.router {
            Router::Single => connect(&config.endpoints[0])?,
            Router::Ketama(_) => connect(&config.endpoints[group])?,
            Router::Shards(_) => ports.connect(&config.endpoints[0], group)?,
        };
        shares[index % workers].push((socket, GroupId(group)));
    }
    Ok(shares)
}

/// What a worker's thread is given.
struct WorkerPlan {
    config: FleetConfig,
    index: usize,
    sockets: Share,
    generator: Generator,
    watermarks: Arc<Watermarks>,
}

fn spawn(plan: WorkerPlan, outlet: &SyncSender<Message>) -> Result<Handle> {
    let (orders, inbox) = channel::<Phase>();
    let (spares, pool) = sync_channel(SPARE_INTERVALS + 2);
    let verbs = worker_verbs(&plan.config.workload);
    for _ in 0..SPARE_INTERVALS {
        // The pool was made with room for them.
        let _ = spares.try_send(Box::new(Interval::new(&verbs)));
    }
    let outlet = outlet.clone();
    let thread = std::thread::Builder::new()
        .name(format!("worker-{}", plan.index))
        .spawn(move || work(plan, &inbox, pool, &outlet))
        .map_err(|error| LoadError::failed("starting a worker", &error))?;
    let handle = Handle {
        orders: Some(orders),
        spares,
        thread: Some(thread),
    };
    Ok(handle)
}

/// The life of a worker's thread.
fn work(plan: WorkerPlan, inbox: &Receiver<Phase>, pool: Receiver<Box<Interval>>, outlet: &SyncSender<Message>) {
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
}

/// The verbs a worker records: those of the workload, and the sets of the preload.
fn worker_verbs(workload: &Workload) -> Vec<Verb> {
    let mut verbs = workload.recorded_verbs();
    if !verbs.contains(&Verb::Set) {
        verbs.push(Verb::Set);
    }
    verbs
}

fn build(plan: WorkerPlan, spares: Receiver<Box<Interval>>, outlet: SyncSender<Message>) -> Result<Worker> {
    let WorkerPlan {
        config,
        index,
        sockets,
        generator,
        watermarks,
    } = plan;
    pin_current_thread(config.cpus[index])?;
    let workload = Arc::clone(&config.workload);
    let limits = Limits {
        depth: config.depth_max.max(LOAD_DEPTH),
        multiget_keys: workload.spec.mix.multiget_keys(),
        request_bytes_max: request_bytes_max(&workload),
    };
    let (sockets, groups): (Vec<OwnedFd>, Vec<GroupId>) = sockets.into_iter().unzip();
    let connections: Vec<Connection> = groups.iter().map(|&group| Connection::new(group, config.protocol, &limits)).collect();
    let ring = Ring::new(sockets, limits.outbox_bytes()).map_err(|error| ring_error(&error))?;
    let verbs = worker_verbs(&workload);
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
        measured_ns: 0..0,
        in_flight: 0,
        error_examples: Vec::new(),
        last_version: Version(0),
        multiget: Vec::with_capacity(limits.multiget_keys + 1),
        scratch: Vec::with_capacity(256),
        workload,
    };
    let count = connections.len();
    Ok(Worker {
        groups: Groups::new(&connections, config.router.groups(), config.depth_max),
        ring,
        connections,
        core,
        dirty: Vec::with_capacity(count),
        batch: Vec::with_capacity(count),
        wait: config.wait,
        outlet,
        spares,
        verbs,
    })
}

fn ring_error(error: &std::io::Error) -> LoadError {
    let advice = match error.raw_os_error() {
        Some(libc::ENOSYS) => "this kernel has no io_uring: Linux 6.1 or later is needed",
        Some(libc::EPERM) => "io_uring is disabled: set sysctl kernel.io_uring_disabled=0, or allow it in the container's seccomp profile",
        Some(libc::EINVAL) => "this kernel's io_uring is too old: Linux 6.1 or later is needed",
        Some(libc::ENOMEM) => "too little locked memory: raise ulimit -l",
        _ => "see the kernel's log",
    };
    LoadError::new(Exit::Failed, format!("cannot set up io_uring: {error} ({advice})"))
}
