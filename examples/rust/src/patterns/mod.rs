//! The patterns, one file each.

mod cache_aside;
mod counters;
mod invalidation;
mod leases;
mod multi_get;
mod negative;
mod pools;
mod sessions;
mod warming;
mod write_behind;
mod write_through;

use crate::stage::Result;

/// A pattern's program.
pub(crate) type Run = fn() -> Result<()>;

/// All patterns by name.
pub(crate) const ALL: [(&str, Run); 11] = [
    ("cache_aside", cache_aside::run),
    ("write_through", write_through::run),
    ("write_behind", write_behind::run),
    ("warming", warming::run),
    ("invalidation", invalidation::run),
    ("leases", leases::run),
    ("negative", negative::run),
    ("sessions", sessions::run),
    ("counters", counters::run),
    ("pools", pools::run),
    ("multi_get", multi_get::run),
];
