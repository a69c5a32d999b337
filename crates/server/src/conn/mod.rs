//! A connection: bytes in, operations out, replies back in order. It knows no socket call and no clock.
//!
//! ```text
//!              +--------- input (left over from earlier) ---------+
//!   received --+--> codec (by the first byte) --> Op --+--> own engine ------+--> Replies --> to be sent
//!                                                      +--> Router (remote) -+
//! ```
//!
//! Phases: a command line is awaited, a large value is being read into slab memory, bytes are being dropped, or a long
//! multi-get is being worked off. A connection pauses when its peer does not read, when it waits for a broadcast, and
//! after `-R` requests in one turn. Meanwhile, received bytes are kept in `input`; beyond a limit, the socket is no
//! longer read.
//!
//! The files are layers: each knows those below it, and no file knows one above.
//!
//! ```text
//! receive decrypt direct            bytes on their way in: kept, decrypted, or read straight into slab memory
//! steps                             the loop over them
//! text binary password              requests, by protocol
//! ahead storing statistics walk     runs of gets; values; commands of all shards; walks over all items; the log that
//!   broadcast watch                   takes a connection for good
//! output flow reading secure end    what a connection does: replies; when it goes on, is read and ends; its memory;
//!   measure state table timed         `stats conns`, `stats latency`
//! connection                        what a connection is: its state, and what it is in the middle of
//! upload key_run walk_state gather  what it can be in the middle of
//!   announced holder window
//! course input link reads sending   parts of its state
//!   held step tls cx
//! ```

mod ahead;
mod announced;
mod binary;
mod broadcast;
mod connection;
mod course;
mod cx;
mod decrypt;
mod direct;
mod end;
mod flow;
mod gather;
mod held;
mod holder;
mod input;
mod key_run;
mod link;
mod measure;
mod output;
mod password;
mod reading;
mod reads;
mod receive;
mod secure;
mod sending;
mod state;
mod statistics;
mod step;
mod steps;
mod storing;
mod table;
mod text;
mod timed;
mod tls;
mod upload;
mod walk;
mod walk_state;
mod watch;
mod window;

pub(crate) use connection::Conn;
pub(crate) use course::{Admittance, Listed};
pub(crate) use cx::{Cx, KEYS_PER_TURN};
pub(crate) use direct::{Arrival, LANDING_BYTES};
pub(crate) use gather::Gather;
pub(crate) use held::Held;
pub(crate) use link::Link;
pub(crate) use output::OUTPUT_BYTES_MAX;
pub(crate) use reads::Turning;
pub(crate) use secure::HandshakeTurn;
pub(crate) use table::{ConnTable, Totals};
pub(crate) use tls::{Sealing, Secure};

use connection::Phase;
