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
//!   heap_use state_name table         `stats conns`, `stats latency`
//!   latency_facts
//! connection                        what a connection is: its state, and what it is in the middle of
//! upload key_run walk_state gather  what it can be in the middle of
//!   store_command holder window
//! run_state auth_state read_state   parts of its state
//!   close_event listed input link
//!   sending held step tls cx
//! ```

mod ahead;
mod auth_state;
mod binary;
mod broadcast;
mod close_event;
mod connection;
mod cx;
mod decrypt;
mod direct;
mod end;
mod flow;
mod gather;
mod heap_use;
mod held;
mod holder;
mod input;
mod key_run;
mod latency_facts;
mod link;
mod listed;
mod output;
mod password;
mod read_state;
mod reading;
mod receive;
mod run_state;
mod secure;
mod sending;
mod state_name;
mod statistics;
mod step;
mod steps;
mod store_command;
mod storing;
mod table;
mod text;
mod tls;
mod upload;
mod walk;
mod walk_state;
mod watch;
mod window;

pub(crate) use auth_state::AuthState;
pub(crate) use connection::Conn;
pub(crate) use cx::{Cx, KEYS_PER_TURN};
pub(crate) use direct::{Arrival, LANDING_BYTES};
pub(crate) use gather::Gather;
pub(crate) use held::Held;
pub(crate) use link::Link;
pub(crate) use listed::Listed;
pub(crate) use output::OUTPUT_BYTES_MAX;
pub(crate) use read_state::ReadChange;
pub(crate) use secure::HandshakeTurn;
pub(crate) use table::{ConnTable, Totals};
pub(crate) use tls::{Sealing, Secure};

use connection::Phase;
