//! Async connections and clients, for tokio.
//!
//! ```text
//!   Client      a pool for each server or shard, shared by tasks
//!   Connection  one server: calls, pipelines
//!   Session     the same as below the blocking ones: only the waiting differs
//! ```
//!
//! A call that is dropped before it is done (by a `select!` or a timeout around it) leaves its reply on its way: its
//! connection is then closed and not used again.
//!
//! ```
//! use corecached_client::{Config, tokio::Client};
//! use std::time::Duration;
//!
//! # let server = corecached_client::scripted::Script::new()
//! #     .then("ms user:7 3 O0 T300\r\nAda\r\n", "HD O0\r\n")
//! #     .then("mg user:7 O1 v f\r\n", "VA 3 O1 f0\r\nAda\r\n")
//! #     .serve()?;
//! # let address = server.address();
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let client = Client::connect([address], Config::new())?;
//! client.set("user:7", "Ada", Duration::from_secs(300)).await?;
//! let found = client.get("user:7").await?;
//! assert_eq!(found.map(|item| item.value).as_deref(), Some(&b"Ada"[..]));
//! # Ok::<(), corecached_client::Error>(())
//! # })
//! # .map_err(std::io::Error::other)?;
//! # Ok::<(), std::io::Error>(())
//! ```

mod client;
mod connection;
mod pool;
mod socket;

pub use client::Client;
pub use connection::{Connection, Pipeline};
pub use socket::Socket;
