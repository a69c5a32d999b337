//! The report as data: what `--json` writes, and what the text and HTML reports are made from.
//!
//! ```text
//! Report      circumstances, workload, headline, and the result of one command:
//!   run       one measurement, with its verdict
//!   steps     search and scan: the steps, and what they say together
//!   compare   the steps of two servers, and their ratios
//! ```
//!
//! `docs/json.md` describes it for readers of the files. A field may be added without notice; a removed or changed one
//! raises [`SCHEMA_VERSION`].

mod compare;
mod run;
mod steps;
mod verdict;

pub use compare::{CompareResult, Comparison, Difference};
pub use run::{
    ClassResult, ClientUsage, ConnectionShares, Latency, Preload, RunResult, ServerStats,
};
pub use steps::{LimitedBy, ScanResult, SearchResult, Step};
pub use verdict::{ClientGrade, ClientShare, ClientVerdict, IncidentReport, Verdict};

use serde::{Deserialize, Serialize};

/// The version of the JSON schema.
pub const SCHEMA_VERSION: u32 = 2;

/// A whole report.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The circumstances of the measurement.
    pub context: Context,
    /// The workload.
    pub workload: WorkloadSummary,
    /// The sentence that answers the question.
    pub headline: String,
    /// The command's result.
    #[serde(flatten)]
    pub body: Body,
}

/// One of the commands' results.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase")]
pub enum Body {
    /// `loadgen run`.
    Run {
        /// The measurement.
        run: Box<RunResult>,
    },
    /// `loadgen search`.
    Search {
        /// The search.
        search: Box<SearchResult>,
    },
    /// `loadgen scan`.
    Scan {
        /// The curve.
        scan: Box<ScanResult>,
    },
    /// `loadgen compare`.
    Compare {
        /// The comparison.
        compare: Box<CompareResult>,
    },
}

/// The circumstances of a report.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Context {
    /// The command line as typed.
    pub command_line: String,
    /// loadgen's version.
    pub version: String,
    /// The kernel of the client's machine.
    pub kernel: String,
    /// The CPU of the client's machine.
    pub cpu: String,
    /// When the command began, seconds since 1970.
    pub started_unix_s: u64,
    /// Servers, with what each said of its version.
    pub servers: Vec<Server>,
    /// Protocol.
    pub protocol: String,
    /// Connections in all.
    pub connections: usize,
    /// CPUs of the workers.
    pub worker_cpus: Vec<usize>,
    /// How workers wait.
    pub wait: String,
    /// How keys find their connections: `single`, `ketama` or `shards`.
    pub routing: String,
}

/// A server under test.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Server {
    /// The server's address.
    pub address: String,
    /// The server's answer to `version`.
    pub version: String,
    /// TLS, if it was spoken.
    #[serde(default)]
    pub tls: Option<ServerTls>,
}

/// The TLS spoken with a server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ServerTls {
    /// `TLS 1.3` or `TLS 1.2`.
    pub version: String,
    /// The cipher suite by OpenSSL's name.
    pub cipher: String,
    /// Whether the server's certificate was verified.
    pub verified: bool,
    /// Whether the client had a certificate to show.
    pub client_certificate: bool,
    /// Handshakes with certificates, from the first connection to the end.
    pub handshakes_full: u64,
    /// Handshakes that went on with an earlier session.
    pub handshakes_resumed: u64,
    /// Their mean time, in milliseconds.
    pub handshake_ms_mean: f64,
}

impl ServerTls {
    /// All of it in words.
    #[must_use]
    pub fn sentence(&self) -> String {
        format!(
            "{} {}, certificate {}{}; {} full handshakes, {} resumed, {:.2} ms on average",
            self.version,
            self.cipher,
            if self.verified {
                "verified"
            } else {
                "NOT verified"
            },
            if self.client_certificate {
                ", client certificate given"
            } else {
                ""
            },
            self.handshakes_full,
            self.handshakes_resumed,
            self.handshake_ms_mean
        )
    }
}

/// The workload in words.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WorkloadSummary {
    /// Operations by weight.
    pub mix: String,
    /// Number of keys.
    pub keys: u64,
    /// The distribution of requests over the keys.
    pub key_distribution: String,
    /// The length of every key in bytes.
    pub key_bytes: usize,
    /// Value sizes.
    pub value_size: String,
    /// Mean over keys.
    pub value_bytes_mean: f64,
    /// Lifetimes.
    pub ttl: String,
    /// Whether misses are followed by sets.
    pub look_aside: bool,
    /// Whether values are checked.
    pub verify: bool,
    /// The seed.
    pub seed: u64,
}
