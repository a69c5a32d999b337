//! The workers of a run, from the outside: start them, give them phases, add up what they record.

pub mod config;
mod dial;
mod open;
mod spawn;

use crate::clock::now_ns;
use crate::error::{Exit, LoadError, Result};
use crate::host::{self, CpuId, reserve_descriptors};
use crate::interrupt;
use crate::load::Load;
use crate::measurement::{Measurement, Window};
use crate::target::Router;
use crate::worker::arrivals::{ArrivalKind, Arrivals};
use crate::worker::phase::{Message, Pace, Phase, Source};
use crate::worker::verify::Watermarks;
use crate::workload::Workload;
use config::{FleetConfig, LOAD_DEPTH, WORKERS_MAX};
use open::open_all;
use spawn::{Handle, WorkerPlan, spawn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long replies may take after the last request was due.
const DRAIN: Duration = Duration::from_secs(1);
/// How long the last sets of a preload may take.
const LOAD_DRAIN: Duration = Duration::from_secs(10);
/// The time between the order to start and the start: enough for every worker to wake up.
const START_DELAY_NS: u64 = 2_000_000;
/// Messages the collector may be behind.
const MESSAGES_MAX: usize = 1024;
/// After this time without a message from the workers, the fleet checks whether they are alive.
const WORKER_CHECK: Duration = Duration::from_secs(2);

/// The running workers.
pub struct Fleet {
    handles: Vec<Handle>,
    inlet: Receiver<Message>,
    workload: Arc<Workload>,
    connections: usize,
    cpus: Vec<CpuId>,
    phases: u64,
    stop: Arc<AtomicBool>,
    /// The server or shard of each group of connections, in words.
    groups: Vec<String>,
}

impl Fleet {
    /// Opens all connections and starts the workers.
    pub fn start(config: &FleetConfig) -> Result<Self> {
        let workers = config.cpus.len();
        if workers == 0 || workers > WORKERS_MAX {
            return Err(LoadError::usage(format!(
                "between 1 and {WORKERS_MAX} worker CPUs are possible"
            )));
        }
        let connections = rounded_connections(config.connections, workers * config.router.groups());
        reserve_descriptors(connections)?;
        let mut shares = open_all(config, connections)?;
        let watermarks = Arc::new(Watermarks::new(
            workers,
            now_ns() as u32 ^ std::process::id(),
        ));
        let stop = Arc::clone(&watermarks.stop);
        interrupt::stop_on_signals(&stop)?;
        let orders = dial::start(config)?;
        let (outlet, inlet) = sync_channel(MESSAGES_MAX);
        let mut handles = Vec::new();
        for (index, sockets) in shares.drain(..).enumerate() {
            let generator = config
                .workload
                .generator(index, workers)
                .map_err(LoadError::usage)?;
            let plan = WorkerPlan {
                config: config.clone(),
                index,
                sockets,
                generator,
                watermarks: Arc::clone(&watermarks),
                orders: orders.clone(),
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
            stop,
            groups: group_names(config),
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
        let stolen_before = host::stolen_ns(&self.cpus);
        // A closed loop has no schedule that must begin together, and a worker that wakes up quickly would send before
        // the start; requests that are due before the start are not counted.
        let delay_ns = if load.rate.is_some() {
            START_DELAY_NS
        } else {
            0
        };
        let start_ns = now_ns() + delay_ns;
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
                // A worker that has ended has left a message that says why.
                let _ = orders.send(phase);
            }
        }
        let mut measurement = self.collect(load, start_ns, progress)?;
        measurement.note_stolen(stolen_before, host::stolen_ns(&self.cpus));
        Ok(measurement)
    }

    fn pace(&self, load: &Load, worker: usize, workers: usize, start_ns: u64) -> Pace {
        let share = |all: usize| (all / workers + usize::from(worker < all % workers)).max(1);
        match load.rate {
            Some(rate) => Pace::Open {
                arrivals: Arrivals::new(
                    load.arrivals,
                    rate,
                    worker,
                    workers,
                    start_ns,
                    self.workload.spec.seed.wrapping_add(self.phases),
                ),
                in_flight_max: share(load.in_flight_max),
            },
            None => Pace::Closed {
                in_flight_max: share(load.in_flight_max.min(load.depth * self.connections)),
            },
        }
    }

    fn collect(
        &mut self,
        load: &Load,
        start_ns: u64,
        progress: &mut dyn FnMut(&Window),
    ) -> Result<Measurement> {
        let measure_start_ns = start_ns + nanoseconds(load.warm_up);
        let mut measurement = Measurement::new(load, self.handles.len(), measure_start_ns);
        measurement.groups.clone_from(&self.groups);
        let mut running = self.handles.len();
        let mut failure = None;
        while running > 0 {
            match self.inlet.recv_timeout(WORKER_CHECK) {
                Ok(Message::Interval(worker, mut interval)) => {
                    if let Some(window) = measurement.add(worker, &interval) {
                        progress(&window);
                    }
                    interval.clear();
                    // A full pool or a worker that has ended has no use for the interval.
                    let _ = self.handles[worker].empties.try_send(interval);
                }
                Ok(Message::Done(end)) => {
                    running -= 1;
                    measurement.end.add(end);
                }
                Ok(Message::Failed(error)) => {
                    failure = Some(error);
                    break;
                }
                Err(RecvTimeoutError::Timeout) if !self.has_lost_worker() => {}
                // A panic of a worker has been printed by its thread.
                Err(_) => return Err(LoadError::new(Exit::Failed, "a worker ended")),
            }
        }
        match failure {
            Some(error) => Err(error),
            None => Ok(measurement),
        }
    }

    fn has_lost_worker(&self) -> bool {
        let mut threads = self
            .handles
            .iter()
            .filter_map(|handle| handle.thread.as_ref());
        threads.any(JoinHandle::is_finished)
    }

    /// Whether the user interrupted the last phase: it is complete, only shorter.
    #[must_use]
    pub fn interrupted(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The CPUs of the workers.
    #[must_use]
    pub fn cpus(&self) -> &[CpuId] {
        &self.cpus
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for handle in &mut self.handles {
            handle.orders = None;
        }
        // Workers may be blocked on a full channel: empty it until they are gone.
        for handle in &mut self.handles {
            while handle
                .thread
                .as_ref()
                .is_some_and(|thread| !thread.is_finished())
            {
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

/// The server or shard of each group of connections, as reports call it.
fn group_names(config: &FleetConfig) -> Vec<String> {
    match &config.router {
        Router::Shards(map) => (0..map.shards())
            .map(|shard| format!("{} shard {shard}", config.servers[0]))
            .collect(),
        _ => config.servers.iter().map(ToString::to_string).collect(),
    }
}

/// Each worker has as many connections to each group as any other.
fn rounded_connections(asked: usize, unit: usize) -> usize {
    asked.max(1).div_ceil(unit) * unit
}
