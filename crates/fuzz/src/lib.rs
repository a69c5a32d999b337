//! What must hold for any bytes on the wire, and where such bytes come from.
//!
//! ```text
//!   fuzz/ (libFuzzer)  --+
//!   tests/ (seeds and    +--> parsers::*   one target per protocol and side: bytes -> invariants of what is parsed
//!     random bytes)    --+
//!
//!   bytes, streams::* ---> connections::* <---> a server without sockets: cut anywhere, a stream is answered alike;
//!                                             datagrams are answered in whole messages
//!
//!   streams::*  ---> a server ---> replies::*    random, half-malformed commands -> the reply stream is well formed,
//!                                                one reply per request, in order
//! ```
//!
//! Every function here panics when something does not hold. Nothing does I/O.

#![forbid(unsafe_code)]

mod choices;
pub mod connections;
pub mod parsers;
pub mod replies;
pub mod streams;

pub use choices::Choices;
