//! Sockets and the ring they are driven by. The only module with unsafe code (`buffers.rs` and `ring.rs`).

#[allow(unsafe_code)]
mod buffers;
pub mod connect;
#[allow(unsafe_code)]
pub mod ring;
