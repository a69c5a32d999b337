//! The mathematics behind the answers, apart from any measuring: rate search, bootstrap intervals, the knee of a curve.

pub mod bootstrap;
pub mod knee;
pub mod search;
