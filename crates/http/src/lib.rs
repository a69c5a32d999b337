//! As much of HTTP/1.1 as is needed for what few look at: the page of `corecached top`, the metrics of a server. Each
//! connection brings one GET or HEAD, is answered and closed.
//!
//! ```text
//!   clients --> listener --> serve.rs: one thread waits for all of them
//!                              connection.rs: reads a request, sends the answer, waits until it was taken
//!                                 request.rs: the head of the request --> Site --> answer.rs
//! ```
//!
//! Nobody is trusted: a request has a limit in bytes and in time, an answer has a time in which it must be taken, and
//! there are so many connections and no more. A client that is slow or silent delays nobody else.

#![forbid(unsafe_code)]

mod answer;
mod connection;
mod request;
mod serve;

pub use answer::Answer;
pub use request::Request;
pub use serve::{CONNECTIONS_MAX, serve};
