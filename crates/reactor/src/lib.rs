//! The companion ring: the network side of one shard, and the only crate that knows io_uring, epoll and glommio.
//!
//! Each glommio executor owns one [`Reactor`]. Glommio keeps task queues and timers; the sockets
//! that are hot live in a second io_uring that belongs to the reactor, because what pays on a busy cache server is
//! to take everything that arrived and to send everything that was answered with one system call:
//!
//! ```text
//!            +----------------------------- turn() -----------------------------+
//!            |  io_uring_enter: submit the sends of the last tick, wait for >= 1 |
//!            +-------------------------------------------------------------------+
//!     multishot accept  -> Accepted          multishot recv -> Received (a buffer of the ring)
//!     send did not fit  -> SendBlocked       peer's MSG_RING -> Doorbell
//!     timer             -> WindowEnded       Waker::wake()   -> Wake
//!     multishot recvmsg -> Datagram          send_datagrams(): a reply in pieces
//!                 nothing for a whole warm window: park(), asleep inside glommio
//! ```
//!
//! Where io_uring is denied, the same operations are executed by `epoll`, below the same contract ([`Io`]), and
//! [`runtime`] has an executor that needs no rings.
//!
//! Not here: protocol, connections and their limits. The reactor moves bytes and reports what the kernel said.
//!
//! Unsafe code is in `ring`, `epoll` and `executor` (system calls), `buffers`, `event`, `gather`, `send`, `datagram`
//! and `descriptor`; `probe` reads a limit, `waker` names the ring, and `park` and `reactor` each take over one
//! descriptor. Through this crate safe code cannot touch memory or descriptors that are not its own: an [`Insert`] is
//! made by an unsafe function, a [`Stream`] owns its socket, listeners are shared, receive buffers know their reactor.
//!
//! A server that sends back what it receives, for one connection:
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::{TcpListener, TcpStream};
//! use std::sync::Arc;
//!
//! use corecached_reactor::{Event, Outgoing, Reactor, ReactorConfig, Token, WhenIdle};
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! let client = std::thread::spawn(move || {
//!     let mut client = TcpStream::connect(address)?;
//!     client.write_all(b"hello")?;
//!     let mut echo = [0; 5];
//!     client.read_exact(&mut echo)?;
//!     std::io::Result::Ok(echo)
//! });
//!
//! let mut reactor = Reactor::new(&ReactorConfig::default())?;
//! let (accepting, connection) = (Token(1), Token(2));
//! reactor.accept(&Arc::new(listener.into()), accepting);
//! let (mut stream, mut events, mut is_over) = (None, Vec::new(), false);
//! while !is_over {
//!     // Sends of the last turn go out with the system call that waits for the next events.
//!     reactor.turn(WhenIdle::Sleep, &mut events)?;
//!     for event in events.drain(..) {
//!         match event {
//!             Event::Accepted { fd, .. } => {
//!                 let accepted = reactor.open(fd, connection);
//!                 reactor.recv(&accepted);
//!                 stream = Some(accepted);
//!             }
//!             Event::Received { buf, .. } => {
//!                 let bytes = reactor.bytes(&buf).to_vec();
//!                 reactor.recycle(buf);
//!                 let stream = stream.as_mut().expect("it was accepted");
//!                 reactor.send(stream, Outgoing { bytes, inserts: Vec::new() });
//!             }
//!             Event::Eof { .. } => is_over = true,
//!             _ => {}
//!         }
//!     }
//! }
//! assert_eq!(&client.join().expect("it did not panic")?, b"hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// Tests inside share code with those outside, to which this crate is one among others.
#[cfg(test)]
extern crate self as corecached_reactor;

mod accept;
mod alarm;
mod buffers;
mod config;
mod datagram;
mod descriptor;
mod doorbells;
mod driver;
mod epoll;
mod event;
mod executor;
mod gather;
mod memlock;
mod offer;
mod operation;
mod outgoing;
mod park;
mod parking;
mod patience;
mod peer;
mod pool;
mod probe;
mod reactor;
mod receive;
mod release;
mod ring;
pub mod runtime;
mod send;
mod send_id;
mod sockets;
mod start_error;
mod stream;
#[cfg(test)]
mod tests;
mod token;
mod user_data;
mod waker;
mod window_timer;

pub use buffers::RecvBuf;
pub use config::{Io, ReactorConfig, Window};
pub use datagram::DatagramBuf;
pub use event::Event;
pub use operation::WhenIdle;
pub use outgoing::{Chain, Follow, Insert, Outgoing, Progress, Run};
pub use peer::Peer;
pub use probe::{Features, probe, probe_for_certain};
pub use reactor::Reactor;
pub use release::KernelRelease;
pub use send::IN_DOUBT;
pub use send_id::SendId;
pub use start_error::{StartError, setup_error};
pub use stream::Stream;
pub use token::Token;
pub use waker::{DoorbellTarget, Waker};
