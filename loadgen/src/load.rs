//! The load of a phase: how much is asked for, and for how long.

use crate::worker::arrivals::ArrivalKind;
use std::time::Duration;

/// The load of one phase.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Requests per second; `None` for a closed loop.
    pub rate: Option<f64>,
    /// The distribution of gaps of the open loop.
    pub arrivals: ArrivalKind,
    /// Outstanding requests per connection.
    pub depth: usize,
    /// Outstanding requests in all.
    pub in_flight_max: usize,
    /// Time before measuring.
    pub warm_up: Duration,
    /// Time of measuring.
    pub duration: Duration,
    /// Resolution of the time series.
    pub interval: Duration,
}
