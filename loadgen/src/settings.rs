//! From options to what is asked for: everything that can be wrong about it without a server is found here, before
//! anything is connected.

use crate::cli::options::{ClientOptions, PaceOptions, TlsOptions, WorkloadOptions};
use crate::error::{LoadError, Result};
use crate::fleet::config::WORKERS_MAX;
use crate::host::{self, CpuId};
use crate::load::Load;
use crate::net::server::{Server, TLS_SCHEME};
use crate::net::tls::TlsSettings;
use crate::server_process;
use crate::target::Endpoint;
use crate::wire::protocol::Protocol;
use crate::workload::{Workload, WorkloadSpec};
use corecached_tls::Identity;
use std::sync::Arc;
use std::time::Duration;

/// Outstanding requests per connection of an open loop, unless asked otherwise: deep enough that a stall of the
/// server does not stop the schedule.
pub(crate) const OPEN_DEPTH: usize = 64;

/// The length of a time-series window, unless asked otherwise.
const INTERVAL: Duration = Duration::from_millis(500);
/// Windows of a time series. Each keeps the response times that occurred in it, some tens of kilobytes.
const WINDOWS_MAX: u32 = 10_000;
/// CPUs have numbers below this.
const CPUS_MAX: usize = 1024;

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

/// Where the load goes, and from where: checked as far as that is possible without a connection.
pub struct Target {
    /// The servers.
    pub(crate) servers: Vec<Server>,
    /// The client's side.
    pub(crate) client: ClientOptions,
    /// The CPUs of the workers, one worker on each.
    pub(crate) cpus: Vec<CpuId>,
    /// The server's process.
    pub(crate) server_pid: Option<u32>,
}

impl Target {
    /// Checks what the options say about `servers` (addresses as typed) and about the client's side.
    pub fn new(servers: &[String], client: &ClientOptions, workload: &Workload) -> Result<Self> {
        if client.protocol == Protocol::Binary && workload.spec.mix.any(|verb| verb.is_meta()) {
            return Err(LoadError::usage(
                "the verbs mg, ms, md and ma are meta commands: use --protocol text or meta",
            ));
        }
        let servers = parse_servers(servers, &client.tls)?;
        if client.shard_aware {
            check_shard_aware(&servers)?;
        }
        let cpus = worker_cpus(client.cpus.as_deref())?;
        check_cpus(&cpus)?;
        host::reserve_descriptors(client.connections as usize)?;
        let target = Self {
            servers,
            client: client.clone(),
            cpus,
            server_pid: None,
        };
        target.with_server_pid("--server-pid", client.server_pid)
    }

    /// The same with the server's process, which the option of this name gives.
    pub fn with_server_pid(mut self, option: &str, pid: Option<u32>) -> Result<Self> {
        if let Some(pid) = pid {
            server_process::read(pid)
                .map_err(|error| LoadError::usage(format!("{option} {pid}: {error}")))?;
        }
        self.server_pid = pid;
        Ok(self)
    }
}

/// A shard is chosen by the source port of a connection to its server.
fn check_shard_aware(servers: &[Server]) -> Result<()> {
    let [server] = servers else {
        return Err(LoadError::usage("--shard-aware works with one server"));
    };
    match server.endpoint {
        Endpoint::Tcp { .. } => Ok(()),
        Endpoint::Unix(_) => Err(LoadError::usage(
            "--shard-aware needs TCP: a Unix socket has no source port",
        )),
    }
}

/// The servers of the addresses as typed. Files of TLS are read only if TLS is spoken.
fn parse_servers(servers: &[String], options: &TlsOptions) -> Result<Vec<Server>> {
    let speaks_tls = |text: &String| options.tls || text.starts_with(TLS_SCHEME);
    let settings = match servers.iter().any(speaks_tls) {
        true => Some(tls_settings(options)?),
        false => None,
    };
    let parsed = servers.iter().map(|text| {
        let settings = settings.as_ref().filter(|_| speaks_tls(text));
        Server::parse(text, settings)
    });
    parsed.collect()
}

fn tls_settings(options: &TlsOptions) -> Result<TlsSettings> {
    let identity = options.tls_cert.as_ref().map(|cert| Identity {
        cert: cert.clone(),
        key: options.tls_key.as_ref().unwrap_or(cert).clone(),
    });
    TlsSettings::load(
        options.tls_ca.as_deref(),
        options.tls_insecure,
        identity.as_ref(),
        options.tls_name.as_deref(),
    )
}

/// Whether a worker can run on each of these CPUs, and there can be so many workers.
fn check_cpus(cpus: &[CpuId]) -> Result<()> {
    if cpus.is_empty() || cpus.len() > WORKERS_MAX {
        return Err(LoadError::usage(format!(
            "between 1 and {WORKERS_MAX} worker CPUs are possible"
        )));
    }
    cpus.iter().try_for_each(|&cpu| host::check_cpu(cpu))
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
