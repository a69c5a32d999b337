//! From settings to running workers: asks the servers' versions, starts a fleet, measures.

use crate::cli::options::{ClientOptions, WorkloadOptions};
use crate::control::{Stats, shard_map};
use crate::error::{Exit, LoadError, Result};
use crate::fleet::Fleet;
use crate::fleet::config::FleetConfig;
use crate::host;
use crate::interrupt;
use crate::live::Live;
use crate::load::Load;
use crate::measurement::Measurement;
use crate::net::server::Server;
use crate::report::build;
use crate::report::model::{Context, Preload, ServerStats, WorkloadSummary};
use crate::report::text;
use crate::server_process::{self, ProcessUsage};
use crate::servers::{self, ControlledServer};
use crate::settings::{OPEN_DEPTH, Target};
use crate::target::Router;
use crate::workload::Workload;
use corecached_client::Ketama;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The workers, connected to their servers, and the control connections beside them.
pub struct Session {
    /// The workers.
    pub fleet: Fleet,
    /// The workload of the workers.
    pub workload: Arc<Workload>,
    controls: Vec<ControlledServer>,
    client: ClientOptions,
    routing: &'static str,
    server_pid: Option<u32>,
    /// Measurements made.
    measured: u64,
}

/// A measurement with the server's figures for the same time.
pub struct Measured {
    /// The client's side.
    pub measurement: Measurement,
    /// The server's process.
    pub server: Option<ProcessUsage>,
    /// The server's statistics.
    pub stats: Vec<ServerStats>,
    /// The figures of the server's side that could not be read, in words.
    pub notes: Vec<String>,
}

impl Session {
    /// Connects to the servers and starts the workers.
    pub fn open(target: Target, workload: Arc<Workload>, depth_max: usize) -> Result<Self> {
        let Target {
            servers,
            client,
            cpus,
            server_pid,
        } = target;
        let mut controls = servers::open(&servers, client.protocol)?;
        let (router, servers, routing) = route(&client, servers, &mut controls)?;
        let config = FleetConfig {
            servers,
            router,
            protocol: client.protocol,
            connections: client.connections as usize,
            cpus,
            depth_max: depth_max.max(OPEN_DEPTH),
            wait: client.wait,
            workload: Arc::clone(&workload),
        };
        Ok(Self {
            fleet: Fleet::start(&config)?,
            workload,
            controls,
            client,
            routing,
            server_pid,
            measured: 0,
        })
    }

    /// Sets all keys, unless `--no-preload` says that they are there.
    pub fn preload_if_wanted(
        &mut self,
        options: &WorkloadOptions,
        live: &mut Live,
    ) -> Result<Option<Preload>> {
        match options.no_preload {
            true => Ok(None),
            false => self.preload(live).map(Some),
        }
    }

    fn preload(&mut self, live: &mut Live) -> Result<Preload> {
        let keys = self.workload.spec.keys * self.workload.key_spaces().len() as u64;
        live.stage(&format!("setting {keys} keys"));
        let evicted_before = evictions(&self.stats());
        let measurement = self.fleet.preload(&mut |window| live.window(window))?;
        self.check_interrupt()?;
        let counts = measurement.total.all_verbs().counts;
        let errors = counts.errors_total() + counts.no_reply_total();
        for incident in build::incidents(&measurement) {
            live.message(&format!("preload: {}", text::incident_line(&incident)));
        }
        if errors > 0 {
            let why = measurement.end.error_examples.join("; ");
            live.message(&format!(
                "preload: {} of {keys} sets were refused and {} had no reply ({why})",
                counts.errors_total(),
                counts.no_reply_total()
            ));
        }
        Ok(Preload {
            keys: counts.completed - counts.errors_total(),
            seconds: measurement.measured.wall_ns as f64 / 1e9 / self.fleet.cpus().len() as f64,
            errors,
            evictions: evictions(&self.stats()).saturating_sub(evicted_before),
        })
    }

    /// Measures once.
    pub fn measure(&mut self, load: &Load, live: &mut Live) -> Result<Measured> {
        let before = self.stats();
        let reading = self.reading()?;
        let measurement = self.fleet.run(load, &mut |window| live.window(window))?;
        let mut notes = Vec::new();
        let server = reading.and_then(|(pid, before)| match server_process::read(pid) {
            // Warm-up and drain cost the server too: count all replies since the first reading.
            Ok(after) => Some(server_process::usage(
                &before,
                &after,
                measurement.replies(),
            )),
            Err(_) => {
                notes.push(format!("process {pid} is gone: what it cost is not known"));
                None
            }
        });
        let after = self.stats();
        let mut stats = Vec::new();
        for (controlled, pair) in self.controls.iter().zip(before.iter().zip(&after)) {
            let address = &controlled.server.to_string();
            match pair {
                (Some(before), Some(after)) => {
                    stats.push(build::server_stats(address, before, after));
                }
                _ => notes.push(format!(
                    "{address} did not answer a request for its statistics"
                )),
            }
        }
        self.measured += 1;
        Ok(Measured {
            measurement,
            server,
            stats,
            notes,
        })
    }

    /// The server's process now. A process that cannot be read is an error before the first measurement, and unknown
    /// after it.
    fn reading(&self) -> Result<Option<(u32, server_process::Reading)>> {
        let Some(pid) = self.server_pid else {
            return Ok(None);
        };
        match server_process::read(pid) {
            Ok(reading) => Ok(Some((pid, reading))),
            Err(_) if self.measured > 0 => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// An error if the user interrupted: for commands that would go on measuring.
    pub fn check_interrupt(&self) -> Result<()> {
        if self.fleet.interrupted() {
            return Err(LoadError::new(self.interrupt_exit(), "interrupted"));
        }
        Ok(())
    }

    /// The exit code of a command that was cut short by a signal.
    #[must_use]
    pub fn interrupt_exit(&self) -> Exit {
        if interrupt::is_terminated() {
            Exit::Terminated
        } else {
            Exit::Interrupted
        }
    }

    /// The servers' statistics now; `None` for a server that does not give any.
    pub fn stats(&mut self) -> Vec<Option<Stats>> {
        let protocol = self.client.protocol;
        let of_server = |controlled: &mut ControlledServer| controlled.stats(protocol);
        self.controls.iter_mut().map(of_server).collect()
    }

    /// Things worth knowing about the servers.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let notes = self.controls.iter().map(ControlledServer::note);
        notes.flatten().collect()
    }

    /// The circumstances, for the report.
    #[must_use]
    pub fn context(&self) -> Context {
        Context {
            command_line: host::command_line(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            kernel: host::kernel(),
            cpu: host::cpu_model(),
            started_unix_s: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
            servers: self.controls.iter().map(ControlledServer::report).collect(),
            protocol: self.client.protocol.name().to_owned(),
            connections: self.fleet.connections(),
            worker_cpus: self.fleet.cpus().iter().map(|cpu| cpu.0).collect(),
            wait: format!("{:?}", self.client.wait).to_lowercase(),
            routing: self.routing.to_owned(),
        }
    }
}

fn route(
    client: &ClientOptions,
    servers: Vec<Server>,
    controls: &mut [ControlledServer],
) -> Result<(Router, Vec<Server>, &'static str)> {
    if client.shard_aware {
        let control = controls[0].control.as_mut();
        let shards = control.map_or_else(|| Ok(Stats::new()), |control| control.stats("shards"))?;
        let map = shard_map(&shards)?;
        return Ok((
            Router::Shards(map),
            vec![servers[0].at_port(map.port())],
            "shards",
        ));
    }
    if servers.len() > 1 {
        // Clients hash host and port, with TLS and without.
        let names = servers.iter().map(|server| server.endpoint.to_string());
        return Ok((Router::Ketama(Ketama::new(names)), servers, "ketama"));
    }
    Ok((Router::Single, servers, "single"))
}

/// Items evicted so far by all servers, as far as the servers say.
fn evictions(stats: &[Option<Stats>]) -> u64 {
    let counts = stats
        .iter()
        .flatten()
        .filter_map(|stats| stats.get("evictions"));
    counts.filter_map(|count| count.parse::<u64>().ok()).sum()
}

/// The workload in words, for the report.
#[must_use]
pub fn summary(workload: &Workload) -> WorkloadSummary {
    let spec = &workload.spec;
    WorkloadSummary {
        mix: spec.mix.to_string(),
        keys: spec.keys,
        key_distribution: spec.key_distribution.to_string(),
        key_bytes: spec.key_bytes,
        value_size: spec.value_size.to_string(),
        value_bytes_mean: workload.sizes.mean(),
        ttl: spec.ttl.to_string(),
        look_aside: spec.look_aside,
        verify: spec.verify,
        seed: spec.seed,
    }
}
