//! The mathematics behind the answers, apart from any measuring: rate search, intervals of ratios, the knee of a
//! curve, the skew of a cluster.

pub mod edge;
pub mod knee;
pub mod ratio;
pub mod search;
pub mod skew;
pub mod student;
