//! The basis of a plan: its numbers, and the source of each.

use crate::cli::commands::PlanCommand;
use crate::error::{LoadError, Result};
use crate::report::format::format_capacity_interval;
use crate::report::model::{Body, LimitedBy, Report, SearchResult, WorkloadSummary};
use crate::units::{format_bytes, format_count, format_share};
use crate::workload::keys::KeyDistribution;
use crate::workload::mix::Mix;
use crate::workload::verb::Verb;
use serde::Serialize;
use std::path::Path;

/// The number of keys of a workload that is not described: loadgen's own default.
const KEYS_USUAL: u64 = 100_000;
/// The network of a node unless it is given: 10 Gbit/s.
const NETWORK_USUAL: f64 = 10e9;
/// Headers of Ethernet (18 bytes with the checksum, 20 of preamble and gap), IPv4 (20), and TCP with timestamps (32):
/// each request and each reply takes at least one such packet.
const PACKET_HEADERS: f64 = 18.0 + 20.0 + 20.0 + 32.0;
/// Bytes of a command or a reply around its key and value, in the text protocol.
const PROTOCOL_BYTES: f64 = 30.0;
/// If a process's memory per item is this many times what it counts per item, most of it is not items.
const FIXED_MEMORY_FACTOR: f64 = 2.0;
/// Far more connections than the capacity was measured with.
const CONNECTIONS_FACTOR: f64 = 4.0;

/// A number that a plan is made from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Input {
    /// The name of the number.
    pub(super) name: String,
    /// The value of the number, with its unit.
    pub(super) value: String,
    /// The source: an option, a file, or an assumption.
    pub(super) source: String,
}

/// A quantity and its source.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Known {
    pub(super) value: f64,
    pub(super) source: String,
}

/// The numbers that a plan is made from.
#[derive(Debug, Clone)]
pub(super) struct Basis {
    pub(super) inputs: Vec<Input>,
    pub(super) notes: Vec<String>,
    pub(super) capacity: f64,
    pub(super) key_distribution: KeyDistribution,
    pub(super) keys: u64,
    /// Share of the requests that read, and are followed by a set if they miss.
    pub(super) read_share: f64,
    /// Bytes on the wire of a request or its reply, the larger of the two.
    pub(super) request_bytes: Option<Known>,
    /// Memory of an item.
    pub(super) item_bytes: Option<Known>,
    pub(super) node_network: f64,
}

/// A report of a search, with the name of its file.
struct From {
    name: String,
    connections: usize,
    workload: WorkloadSummary,
    search: SearchResult,
}

/// Collects the inputs from the options and the report they name.
pub(super) fn basis(options: &PlanCommand) -> Result<Basis> {
    let from = options.from.as_deref().map(read).transpose()?;
    let from = from.as_ref();
    if let Some(from) = from
        && options.capacity.is_none()
    {
        refuse_doubtful(options, from)?;
    }
    let mut basis = Basis {
        inputs: Vec::new(),
        notes: Vec::new(),
        capacity: 0.0,
        key_distribution: KeyDistribution::Uniform,
        keys: KEYS_USUAL,
        read_share: 1.0,
        request_bytes: request_bytes(options, from),
        item_bytes: item_bytes(options, from),
        node_network: options.node_network.unwrap_or(NETWORK_USUAL),
    };
    basis.load(options);
    basis.capacity(options, from)?;
    basis.keys(options, from);
    basis.memory(options);
    basis.network(options)?;
    basis.notes(options, from);
    Ok(basis)
}

fn read(path: &Path) -> Result<From> {
    let name = path.display().to_string();
    let json = std::fs::read_to_string(path)
        .map_err(|error| LoadError::failed(&format!("reading {name}"), &error))?;
    let wrong = |why: String| LoadError::usage(format!("{name}: {why}"));
    let report: Report = serde_json::from_str(&json).map_err(|error| {
        wrong(format!(
            "not a report of this version's loadgen search ({error})"
        ))
    })?;
    let Body::Search { search } = report.body else {
        return Err(wrong(
            "a report of another command: plan needs one of loadgen search".to_owned(),
        ));
    };
    Ok(From {
        name,
        connections: report.context.connections,
        workload: report.workload,
        search: *search,
    })
}

/// The reasons not to plan with a search's capacity.
fn doubts(search: &SearchResult) -> Vec<String> {
    let mut doubts = Vec::new();
    if search.limited_by == LimitedBy::Client {
        doubts.push("the client was the limit".to_owned());
    }
    if search.violations.values().sum::<u64>() > 0 {
        doubts.push("values came back wrong".to_owned());
    }
    if search.capacity_high.is_none() {
        doubts.push("no rate missed the objective".to_owned());
    } else if !search.settled {
        doubts.push("its interval is wider than was asked for".to_owned());
    }
    doubts
}

fn refuse_doubtful(options: &PlanCommand, from: &From) -> Result<()> {
    let doubts = doubts(&from.search);
    if doubts.is_empty() || options.accept_doubtful {
        return Ok(());
    }
    Err(LoadError::usage(format!(
        "the capacity in {} is doubtful: {}; search again, or plan with it all the same with --accept-doubtful",
        from.name,
        doubts.join(", ")
    )))
}

fn item_bytes(options: &PlanCommand, from: Option<&From>) -> Option<Known> {
    if let Some(bytes) = options.item_bytes {
        let source = format!(
            "--item-bytes, and {} B --item-overhead",
            options.item_overhead
        );
        return Some(Known {
            value: (bytes + options.item_overhead) as f64,
            source,
        });
    }
    let from = from?;
    let resident = from.search.resident_bytes_per_item;
    let counted = from.search.item_bytes;
    resident
        .map(|value| Known {
            value,
            source: format!("{}: resident memory over items", from.name),
        })
        .or_else(|| {
            let source = format!(
                "{}: the server's own count, without its tables (search with --server-pid measures them)",
                from.name
            );
            Some(Known {
                value: counted?,
                source,
            })
        })
}

fn request_bytes(options: &PlanCommand, from: Option<&From>) -> Option<Known> {
    let with_headers = |bytes: f64, source: String| Known {
        value: bytes + PACKET_HEADERS,
        source: format!("{source}, and {PACKET_HEADERS} B of packet headers"),
    };
    if let Some(bytes) = options.request_bytes {
        return Some(with_headers(bytes as f64, "--request-bytes".to_owned()));
    }
    if let Some(from) = from {
        let (sent, received) = from.search.bytes_per_request;
        return Some(with_headers(sent.max(received), from.name.clone()));
    }
    let bytes = options.item_bytes? as f64 + PROTOCOL_BYTES;
    Some(with_headers(
        bytes,
        format!("--item-bytes, and {PROTOCOL_BYTES} B of protocol"),
    ))
}

impl Basis {
    fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    fn input(&mut self, name: &str, value: String, source: impl Into<String>) {
        self.inputs.push(Input {
            name: name.to_owned(),
            value,
            source: source.into(),
        });
    }

    fn load(&mut self, options: &PlanCommand) {
        self.input(
            "peak",
            format!("{}/s", format_count(options.peak)),
            "--peak",
        );
        self.input("growth", format_share(options.growth), "--growth");
    }

    fn capacity(&mut self, options: &PlanCommand, from: Option<&From>) -> Result<()> {
        let known = match (options.capacity, from) {
            (Some(value), _) => Known {
                value,
                source: "--capacity, whose interval and verdict are not known".to_owned(),
            },
            (None, Some(from)) => from_search(from)?,
            // The command line asks for one of the two.
            (None, None) => return Err(LoadError::usage("--capacity or --from is needed")),
        };
        self.capacity = known.value;
        let value = format!("{}/s", format_count(known.value));
        self.input("capacity of a node", value, known.source);
        self.input("headroom", format_share(options.headroom), "--headroom");
        let zones = match options.zones {
            1 => format!("{} nodes", options.losses),
            zones => format!("{} nodes, or one of {zones} zones", options.losses),
        };
        self.input("losses", zones, "--losses, --zones");
        Ok(())
    }

    fn keys(&mut self, options: &PlanCommand, from: Option<&From>) {
        let (keys, source) = match (options.items, from) {
            (Some(items), _) => (items, "--items".to_owned()),
            (None, Some(from)) => (from.workload.keys, from.name.clone()),
            (None, None) => (KEYS_USUAL, "assumed".to_owned()),
        };
        self.keys = keys.max(1);
        self.input("keys", format_count(keys as f64), source);
        let measured = from.and_then(|from| {
            let distribution = from.workload.key_distribution.parse().ok()?;
            Some((distribution, from.name.clone()))
        });
        let (distribution, source) = match (options.key_dist, measured) {
            (Some(distribution), _) => (distribution, "--key-dist".to_owned()),
            (None, Some(measured)) => measured,
            (None, None) => {
                self.note("skew is not counted: --key-dist says how requests spread over the keys, and a hot key can be more than a node serves".to_owned());
                (KeyDistribution::Uniform, "assumed".to_owned())
            }
        };
        self.key_distribution = distribution;
        self.input("key distribution", distribution.to_string(), source);
        let mix = from.and_then(|from| from.workload.mix.parse::<Mix>().ok());
        let source = match (&mix, from) {
            (Some(_), Some(from)) => from.name.clone(),
            _ => "assumed".to_owned(),
        };
        self.read_share = mix.map_or(1.0, |mix| mix.share(Verb::reads));
        self.input("requests that read", format_share(self.read_share), source);
    }

    fn memory(&mut self, options: &PlanCommand) {
        if let Some(Known {
            value: bytes,
            source,
        }) = self.item_bytes.clone()
        {
            self.input("memory of an item", format_bytes(bytes), source);
        }
        if let Some(memory) = options.node_memory {
            let value = format!(
                "{}, {} of it unused",
                format_bytes(memory as f64),
                format_share(options.memory_headroom)
            );
            self.input(
                "memory of a node",
                value,
                "--node-memory, --memory-headroom",
            );
        }
        if let Some(connections) = options.connections {
            let value = format!(
                "{}, {} each",
                format_count(connections as f64),
                format_bytes(options.connection_bytes as f64)
            );
            self.input("connections", value, "--connections, --connection-bytes");
        }
    }

    fn network(&mut self, options: &PlanCommand) -> Result<()> {
        let Some(Known {
            value: bytes,
            source,
        }) = self.request_bytes.clone()
        else {
            if options.node_network.is_some() {
                return Err(LoadError::usage(
                    "--node-network needs the bytes of a request: --request-bytes, --item-bytes or --from",
                ));
            }
            return Ok(());
        };
        self.input("bytes of a request", format!("{bytes:.0} B"), source);
        let source = options.node_network.map_or("assumed", |_| "--node-network");
        let value = format!("{}bit/s", format_count(self.node_network));
        self.input("network of a node", value, source);
        Ok(())
    }

    fn notes(&mut self, options: &PlanCommand, from: Option<&From>) {
        let Some(from) = from else { return };
        let doubts = doubts(&from.search);
        if options.capacity.is_none() && !doubts.is_empty() {
            self.note(format!("the capacity is doubtful: {}", doubts.join(", ")));
        }
        let planned = options.connections.unwrap_or(0) as f64;
        if planned > CONNECTIONS_FACTOR * from.connections as f64 {
            self.note(format!(
                "the capacity was measured with {} connections and {} are planned: more of them cost CPU, search with as many",
                from.connections,
                format_count(planned)
            ));
        }
        let (resident, counted) = (from.search.resident_bytes_per_item, from.search.item_bytes);
        if let (None, Some(resident), Some(counted)) = (options.item_bytes, resident, counted)
            && resident > FIXED_MEMORY_FACTOR * counted
        {
            self.note(format!(
                "the searched server held few items, and most of its memory was not theirs: {} counted of {} resident per item; search with more --keys, or give --item-bytes",
                format_bytes(counted),
                format_bytes(resident)
            ));
        }
    }
}

fn from_search(from: &From) -> Result<Known> {
    let search = &from.search;
    let missing = || LoadError::usage(format!("{}: the search found no capacity", from.name));
    let capacity = search.capacity.ok_or_else(missing)?;
    let low = search.capacity_low.filter(|low| *low > 0.0);
    let low = low.ok_or_else(missing)?;
    let source = format!(
        "{}: the lower end of {}/s, {}; {}",
        from.name,
        format_count(capacity),
        format_capacity_interval(search),
        search.limit
    );
    Ok(Known { value: low, source })
}
