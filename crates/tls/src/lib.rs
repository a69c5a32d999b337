//! TLS for a server without I/O: settings become configurations, ciphertext becomes plaintext and back.
//!
//! ```text
//!   Settings --Certificates::load--> Policies { default, btls, mtls } --Session::new--> Session
//!      (the only place that reads files; again at each reload)                           |
//!                                          ciphertext --receive--> plaintext (a callback), and bytes to send
//!                                          replies ----encrypt---> ciphertext
//! ```
//!
//! A session knows no socket, no clock and no thread. The handshake, the keys and the records are rustls', with ring's
//! cryptography; what is here is how a cache server uses them: how much may wait in a buffer, what a reload changes, who
//! must show a certificate, and what an operator is told when a file is wrong.
#![forbid(unsafe_code)]

mod certificates;
mod ciphers;
mod error;
mod files;
mod nobody;
mod policy;
mod session;
mod settings;

pub use certificates::Certificates;
pub use ciphers::{Ciphers, parse as parse_ciphers};
pub use error::{LoadError, SessionError};
pub use policy::{ClientAuth, Policies, Policy};
pub use session::{Established, RECORD_BYTES_MAX, Session};
pub use settings::{KeyFormat, MinVersion, Settings, VerifyMode};
