//! From options to running workers: resolves servers, asks their versions, starts a fleet, measures.

use crate::cli::options::{ClientOptions, PaceOptions, WorkloadOptions};
use crate::control::{Control, Stats, shard_map};
use crate::error::{Exit, LoadError, Result};
use crate::fleet::Fleet;
use crate::fleet::config::FleetConfig;
use crate::host::{self, CpuId};
use crate::interrupt;
use crate::live::Live;
use crate::load::Load;
use crate::measurement::Measurement;
use crate::report::build;
use crate::report::model::{Context, Preload, Server, ServerStats, WorkloadSummary};
use crate::report::text;
use crate::server_process::{self, ProcessUsage};
use crate::target::{Endpoint, Router};
use crate::wire::protocol::Protocol;
use crate::workload::{Workload, WorkloadSpec};
use corecached_client::Ketama;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Outstanding requests per connection of an open loop, unless asked otherwise: deep enough that a stall of the
/// server does not stop the schedule.
const OPEN_DEPTH: usize = 64;

/// The length of a time-series window, unless asked otherwise.
const INTERVAL: Duration = Duration::from_millis(500);
/// Windows of a time series. Each keeps the response times that occurred in it, some tens of kilobytes.
const WINDOWS_MAX: u32 = 10_000;
/// CPUs have numbers below this.
const CPUS_MAX: usize = 1024;

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

/// A server with its control connection, as long as that works.
struct ControlledServer {
    control: Option<Control>,
    endpoint: Endpoint,
    server: Server,
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

/// Builds the workload that the options describe.
pub fn workload(options: &WorkloadOptions) -> Result<Arc<Workload>> {
    let mut spec = match options.preset {
        Some(preset) => preset.spec().map_err(LoadError::usage)?,
        None => WorkloadSpec::default(),
    };
    let chosen = options.clone();
    spec.mix = chosen.mix.unwrap_or(spec.mix);
    spec.keys = chosen.keys.unwrap_or(spec.keys);
    spec.key_distribution = chosen.key_dist.unwrap_or(spec.key_distribution);
    spec.key_bytes = chosen.key_bytes.unwrap_or(spec.key_bytes);
    spec.key_prefix = chosen.key_prefix.unwrap_or(spec.key_prefix);
    spec.value_size = chosen.value_size.unwrap_or(spec.value_size);
    spec.ttl = chosen.ttl.unwrap_or(spec.ttl);
    spec.look_aside = options.look_aside;
    spec.verify = !options.no_verify;
    spec.seed = options.seed;
    Workload::new(spec).map_err(LoadError::usage)
}

/// The load that the options describe, at `rate` or as a closed loop.
pub fn load(pace: &PaceOptions, rate: Option<f64>, duration: Duration) -> Result<Load> {
    let usual = if rate.is_some() { OPEN_DEPTH } else { 1 };
    Ok(Load {
        rate,
        arrivals: pace.arrivals,
        depth: pace.depth.map_or(usual, |depth| depth as usize),
        in_flight_max: pace.max_in_flight,
        warm_up: pace.warmup,
        duration,
        interval: window(pace.interval, duration)?,
    })
}

/// The length of a window in a time series of `duration`. If `asked` is given, it is that length, or an error if that
/// makes too many windows. Otherwise it is the usual length, or a longer one if that would make too many windows.
fn window(asked: Option<Duration>, duration: Duration) -> Result<Duration> {
    let shortest = duration / WINDOWS_MAX;
    match asked {
        Some(asked) if asked < shortest => Err(LoadError::usage(format!(
            "--interval {asked:?} divides {duration:?} into more than {WINDOWS_MAX} windows: give at least {}ms",
            shortest.as_millis() + 1
        ))),
        Some(asked) => Ok(asked.min(duration)),
        None => Ok(INTERVAL.max(shortest).min(duration)),
    }
}

/// The CPUs of the option; without it the last allowed CPU (servers and interrupts tend to be on the first).
fn worker_cpus(option: Option<&str>) -> Result<Vec<CpuId>> {
    let Some(text) = option else {
        let allowed = host::allowed_cpus()?;
        let last = allowed
            .last()
            .copied()
            .ok_or_else(|| LoadError::usage("this process may use no CPU: name one with --cpus"))?;
        return Ok(vec![last]);
    };
    let wrong = || {
        LoadError::usage(format!(
            "--cpus {text}: give numbers and ranges, as in 1,3 or 4-7"
        ))
    };
    let mut cpus = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let first: usize = first.trim().parse().map_err(|_| wrong())?;
        let last: usize = last.trim().parse().map_err(|_| wrong())?;
        if first > last || last >= CPUS_MAX {
            return Err(wrong());
        }
        for cpu in (first..=last).map(CpuId) {
            if cpus.contains(&cpu) {
                return Err(LoadError::usage(format!(
                    "--cpus {text}: CPU {} is named twice, and one CPU has one worker",
                    cpu.0
                )));
            }
            cpus.push(cpu);
        }
    }
    Ok(cpus)
}

impl Session {
    /// Connects to `servers` (addresses as typed) and starts the workers.
    pub fn open(
        servers: &[String],
        client: &ClientOptions,
        workload: Arc<Workload>,
        depth_max: usize,
    ) -> Result<Self> {
        if client.protocol == Protocol::Binary && workload.spec.mix.any(|verb| verb.is_meta()) {
            return Err(LoadError::usage(
                "the verbs mg, ms, md and ma are meta commands: use --protocol text or meta",
            ));
        }
        let endpoints = servers
            .iter()
            .map(|server| Endpoint::parse(server))
            .collect::<Result<Vec<_>>>()?;
        let mut controls = Vec::new();
        for endpoint in &endpoints {
            let (control, version) = Control::open(endpoint, client.protocol)?;
            let address = endpoint.to_string();
            controls.push(ControlledServer {
                control: Some(control),
                endpoint: endpoint.clone(),
                server: Server { address, version },
            });
        }
        let (router, endpoints, routing) = route(client, endpoints, &mut controls)?;
        let config = FleetConfig {
            endpoints,
            router,
            protocol: client.protocol,
            connections: client.connections as usize,
            cpus: worker_cpus(client.cpus.as_deref())?,
            depth_max: depth_max.max(OPEN_DEPTH),
            wait: client.wait,
            workload: Arc::clone(&workload),
        };
        Ok(Self {
            fleet: Fleet::start(&config)?,
            workload,
            controls,
            client: client.clone(),
            routing,
            server_pid: client.server_pid,
            measured: 0,
        })
    }

    /// Counts the CPU time of another process than the one that the options name.
    #[must_use]
    pub fn with_server_pid(mut self, pid: Option<u32>) -> Self {
        self.server_pid = pid;
        self
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
            let address = &controlled.server.address;
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
        let of_server = |controlled: &mut ControlledServer| {
            if controlled.control.is_none() {
                let opened = Control::open(&controlled.endpoint, protocol);
                controlled.control = opened.ok().map(|(control, _)| control);
            }
            let stats = controlled.control.as_mut()?.stats("");
            if stats.is_err() {
                // Half an answer may be on its way.
                controlled.control = None;
            }
            stats.ok()
        };
        self.controls.iter_mut().map(of_server).collect()
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
            servers: self
                .controls
                .iter()
                .map(|controlled| controlled.server.clone())
                .collect(),
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
    endpoints: Vec<Endpoint>,
    controls: &mut [ControlledServer],
) -> Result<(Router, Vec<Endpoint>, &'static str)> {
    if client.shard_aware {
        let [endpoint] = endpoints.as_slice() else {
            return Err(LoadError::usage("--shard-aware works with one server"));
        };
        let control = controls[0].control.as_mut();
        let shards = control.map_or_else(|| Ok(Stats::new()), |control| control.stats("shards"))?;
        let map = shard_map(&shards)?;
        return Ok((
            Router::Shards(map),
            vec![endpoint.at_port(map.port())],
            "shards",
        ));
    }
    if endpoints.len() > 1 {
        let ring = Ketama::new(endpoints.iter().map(ToString::to_string));
        return Ok((Router::Ketama(ring), endpoints, "ketama"));
    }
    Ok((Router::Single, endpoints, "single"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_series_has_no_more_windows_than_can_be_kept() {
        let day = Duration::from_secs(24 * 3600);
        let second = Duration::from_secs(1);
        let longest = second * WINDOWS_MAX;
        assert_eq!(window(None, 8 * second).ok(), Some(INTERVAL));
        assert_eq!(window(None, day).ok(), Some(day / WINDOWS_MAX));
        assert_eq!(window(None, INTERVAL / 2).ok(), Some(INTERVAL / 2));
        assert_eq!(window(Some(second), longest).ok(), Some(second));
        assert_eq!(window(Some(day), second).ok(), Some(second));
        let refused = window(Some(second), longest * 2).unwrap_err().to_string();
        assert!(refused.contains("give at least 2001ms"), "{refused}");
        assert!(window(Some(Duration::from_millis(2001)), longest * 2).is_ok());
    }

    #[test]
    fn each_cpu_has_one_worker() {
        let cpus =
            |text| worker_cpus(Some(text)).map(|cpus| cpus.iter().map(|cpu| cpu.0).collect());
        assert_eq!(cpus("1,3-5").ok(), Some(vec![1, 3, 4, 5]));
        for text in ["1,1", "1-3,2", "4,2-4"] {
            let refused: Result<Vec<usize>> = cpus(text);
            let why = refused.unwrap_err().to_string();
            assert!(why.contains("is named twice"), "{text}: {why}");
        }
        assert!(cpus("3-1").is_err() && cpus("1024").is_err() && cpus("x").is_err());
    }
}
