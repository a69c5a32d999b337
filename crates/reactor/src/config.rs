//! The sizes of a reactor, with the reason for each default.

use std::time::Duration;

/// By what means a reactor moves bytes. All reactors that ring each other use the same means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Io {
    /// An io_uring of the reactor's own: one system call sends all replies and brings all input.
    #[default]
    Uring,
    /// epoll, with a system call for each read and each send; for machines where io_uring is denied.
    Epoll,
}

/// How large a reactor's queues and buffers are, and what moves bytes. One reactor per shard, so each number counts
/// once per core.
#[derive(Clone, Debug)]
pub struct ReactorConfig {
    /// By what means bytes are moved.
    pub io: Io,
    /// Submission queue entries, a power of two. A tick may queue more: the excess is submitted early.
    pub entries: u32,
    /// Completion queue entries, a power of two, at least `entries`. An overflow is handled but costs a system call.
    pub completion_entries: u32,
    /// Receive buffers, a power of two up to 32,768. A tick can hold this many reads at once.
    ///
    /// The kernel takes them in turn (first in, first out), so all of them pass through the cache, and the touched part
    /// of each counts as memory. 64, 256 and 1,024 cost the same CPU at 50 connections; running out costs a submission.
    pub buffers: u16,
    /// Bytes of one receive buffer. Small requests touch a page of it; large values come in pieces of this size.
    pub buffer_bytes: u32,
    /// Length of a short warm window ([`Window::Short`]), after which there is an [`crate::Event::WindowEnded`]; zero:
    /// no window ends.
    ///
    /// Each end of a window wakes the thread. At 500 us that cost 5% of the CPU of one shard at half load. At 2 ms 16
    /// shards on two CPUs are woken 8,000 times a second.
    pub short_window: Duration,
    /// Length of a long warm window ([`Window::Long`]).
    pub long_window: Duration,
    /// Initial capacity of a send buffer in bytes.
    pub send_buffer_bytes: usize,
    /// A send buffer that grew above this capacity is freed, not pooled.
    pub send_buffer_bytes_max: usize,
    /// The pool of send buffers keeps at most this many bytes of capacity.
    pub send_pool_bytes_max: usize,
    /// Receive buffers for UDP, a power of two; mapped when the first UDP socket is received from. Each has room for
    /// the largest datagram, 68 KiB, of which the kernel touches what arrives.
    pub datagram_buffers: u16,
    /// Bytes of UDP replies that the kernel has not taken yet; more are not accepted.
    pub datagram_bytes_max: usize,
    /// How long to leave a listener alone after the process or system ran out of descriptors or memory.
    pub accept_retry: Duration,
}

/// The length of a warm window; [`ReactorConfig`] has the numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Window {
    /// For callers that wait for the end of the window.
    #[default]
    Short,
    /// For callers that do not: the thread is woken less often.
    Long,
}

impl Default for ReactorConfig {
    fn default() -> Self {
        Self {
            io: Io::Uring,
            entries: 1024,
            completion_entries: 4096,
            buffers: 256,
            buffer_bytes: 8 * 1024,
            short_window: Duration::from_millis(2),
            long_window: Duration::from_millis(16),
            send_buffer_bytes: 2 * 1024,
            send_buffer_bytes_max: 64 * 1024,
            send_pool_bytes_max: 2 * 1024 * 1024,
            datagram_buffers: 128,
            datagram_bytes_max: 16 * 1024 * 1024,
            accept_retry: Duration::from_millis(50),
        }
    }
}
