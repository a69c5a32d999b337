//! loadgen: an open-loop load generator and capacity planner for memcached-compatible servers.
//!
//! ```text
//!   cli -> commands (run, search, scan, compare, plan)
//!            |  fleet: workers, phases          control, server_process: the server's side
//!            |    worker: schedule, ring loop      |
//!            |      net (ring), wire (protocols), workload, value, record
//!            `-> measurement -> verdict -> report (text, json, csv, hdr, html)
//! ```
//!
//! Each request is due at a time of its own, drawn before any reply is known; its response time counts from then.
//! The crate is a library so that tests and other tools can drive it; the binary is a few lines around [`cli`].

#![deny(unsafe_code)]

pub mod cli;
pub mod client;
pub mod clock;
pub mod command;
pub mod control;
pub mod error;
pub mod fleet;
pub mod host;
pub mod interrupt;
pub mod live;
pub mod load;
pub mod measurement;
pub mod net;
pub mod record;
pub mod report;
pub mod server_process;
mod servers;
pub mod session;
pub mod settings;
pub mod slo;
pub mod stats;
pub mod target;
pub mod units;
pub mod value;
pub mod verdict;
pub mod wire;
pub mod worker;
pub mod workload;
