//! All tests, over the driver that this module is called after.

mod accept;
mod close;
mod common;
mod datagram;
mod idle;
mod park;
mod receive;
mod send;
mod stall;
