//! Sockets, what is agreed on them before they carry requests, and the ring they are driven by. The only module with
//! unsafe code (`buffers.rs` and `ring.rs`).

#[allow(unsafe_code)]
mod buffers;
pub mod connect;
pub mod handshake;
#[allow(unsafe_code)]
pub mod ring;
pub mod server;
pub mod stream;
pub mod tls;
