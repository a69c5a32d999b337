//! A client for memcached and corecached: text, meta and binary protocol, blocking or async.
//!
//! ```text
//!   Client            pools, several servers or shards, multi-get over all of them         tokio::Client
//!   Connection        one server: calls, pipelines                                         tokio::Connection
//!   Session           one connection without its socket: bytes out, bytes in, answers
//!   request, Answer   what can be asked, in every protocol that can say it
//!   wire              requests to bytes, bytes to parts of replies; no allocation
//! ```
//!
//! Each layer is public and can be used without those above it. `loadgen` of this repository, for example, uses `wire`
//! below its own io_uring loop.
//!
//! # Example
//!
//! ```
//! use corecached_client::{Client, Config};
//! use std::time::Duration;
//!
//! # let server = corecached_client::scripted::Script::new()
//! #     .then("ms user:7 3 O0 T300\r\nAda\r\n", "HD O0\r\n")
//! #     .then("mg user:7 O1 v f\r\n", "VA 3 O1 f0\r\nAda\r\n")
//! #     .then("mg user:8 O2 v f\r\n", "EN O2\r\n")
//! #     .serve()?;
//! # let address = server.address();
//! let client = Client::connect([address], Config::new())?;
//! client.set("user:7", "Ada", Duration::from_secs(300))?;
//! if let Some(item) = client.get("user:7")? {
//!     assert_eq!(&item.value[..], b"Ada");
//! }
//! assert_eq!(client.get("user:8")?, None);
//! # Ok::<(), corecached_client::Error>(())
//! ```
//!
//! # What it promises
//!
//! - After a timeout, a broken connection or a reply that does not fit, the connection is closed and never used again:
//!   the reply to one request is never taken for the reply to a later request. In the meta and binary protocols every
//!   reply is checked against the opaque number of its request too.
//! - Everything a server sends is bounded: reply lines, values, statistics.
//! - A time to live is rounded up, never down to 0, which would mean for ever.
//! - A server that cannot be reached costs one connect timeout in each [`Config::retry_after`], not one per request.
//!
//! # Features
//!
//! `tokio`: async connections and clients, in the module `tokio`. `tls`: TLS by rustls, for both kinds.

#![forbid(unsafe_code)]

mod address;
mod answer;
mod client;
mod config;
mod connection;
mod error;
mod key;
mod limits;
mod net;
mod pipeline;
mod pool;
mod protocol;
mod reader;
pub mod request;
mod route;
#[doc(hidden)]
pub mod scripted;
mod session;
mod tls;
#[cfg(feature = "tokio")]
pub mod tokio;
mod ttl;
mod verbs;
pub mod wire;

pub use address::{Address, DEFAULT_PORT};
pub use answer::{Answer, Attributes, Hit};
pub use client::Client;
pub use config::Config;
pub use connection::Connection;
pub use corecached_protocol::KEY_BYTES_MAX;
pub use error::{Doing, Error, ProtocolError, Refusal, RefusalKind, Result};
pub use net::Socket;
pub use pipeline::{Answers, Pipeline, Ticket};
pub use protocol::Protocol;
pub use request::{Item, Lease, LeaseToken, Request, Stored};
pub use route::{Ketama, ShardMap, ShardMapError, SourcePorts};
pub use session::Session;
#[cfg(feature = "tls")]
pub use tls::Tls;
pub use ttl::Ttl;
