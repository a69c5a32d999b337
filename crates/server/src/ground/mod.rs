//! What everything stands on: the settings, the clock and the counters. It knows nothing of sockets, shards or connections.
//!
//! ```text
//! config ssl   what the command line asks for
//! tuning       what of it commands change
//! clock        the server's seconds
//! counters     what is counted of the network side
//! ```

pub(crate) mod clock;
pub(crate) mod config;
pub(crate) mod counters;
pub(crate) mod ssl;
pub(crate) mod tuning;
