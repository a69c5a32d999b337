//! Tests of the engine through its public interface.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "engine/colliding.rs"]
mod colliding;
#[path = "engine/condense.rs"]
mod condense;
#[path = "engine/damage.rs"]
mod damage;
#[path = "engine/eviction.rs"]
mod eviction;
#[path = "engine/expiry.rs"]
mod expiry;
#[path = "engine/half_sent.rs"]
mod half_sent;
#[path = "engine/join.rs"]
mod join;
#[path = "engine/lend.rs"]
mod lend;
#[path = "engine/limit.rs"]
mod limit;
#[path = "engine/meters.rs"]
mod meters;
#[path = "engine/model/mod.rs"]
mod model;
// Only a kernel can say which memory is resident.
#[cfg(not(miri))]
#[path = "engine/prefault.rs"]
mod prefault;
#[path = "engine/readers.rs"]
mod readers;
#[path = "engine/reassign.rs"]
mod reassign;
#[path = "engine/restart.rs"]
mod restart;
#[path = "../benches/pauses/run.rs"]
mod run;
#[path = "engine/shift.rs"]
mod shift;
#[path = "engine/staged.rs"]
mod staged;
#[path = "engine/support.rs"]
mod support;
#[path = "engine/time.rs"]
mod time;
#[path = "engine/verbs.rs"]
mod verbs;
#[path = "engine/walk.rs"]
mod walk;
#[path = "engine/work.rs"]
mod work;
