//! Runs operations on a shard.
//!
//! ```text
//!   Op      --> execute      --+--> engine --> Outcome                    (apply.rs)
//!                              +--> the same, with log and counts by prefix  (observed.rs)
//!                              +--> either of them, and a sample             (sampled.rs)
//!   ShardOp --> run_on_shard -----> engine --> ShardOutcome
//! ```

use corecached_engine::Pin;

use super::access::Access;
use super::observed::run;
use super::op::{Op, ShardOp};
use super::outcome::{Outcome, ShardOutcome};
use super::report::{HotKeysReport, ShardReport};
use super::sampled::sampled;
use super::stage;

/// Runs an operation on a key.
#[inline]
pub(crate) fn execute<'e>(access: &'e mut Access<'_>, op: &Op<'_>) -> Outcome<'e> {
    if access.observer.sampler.wants(op.hash.0) {
        return sampled(access, op);
    }
    run(access, op)
}

/// Runs an operation on a whole shard.
pub(crate) fn run_on_shard(access: &mut Access<'_>, op: &ShardOp<'_>) -> ShardOutcome {
    let now = access.now;
    match *op {
        ShardOp::FlushAll { at } => access.engine.flush_all(at, now),
        ShardOp::ResetStats => {
            access.engine.reset_stats();
            access.observer.reset();
        }
        ShardOp::HotKeys { reset } => {
            return ShardOutcome::HotKeys(Box::new(HotKeysReport::of(access, reset)));
        }
        ShardOp::Report => {
            let report = ShardReport::of(access.shard, access.engine);
            return ShardOutcome::Report(Box::new(report));
        }
        ShardOp::Prefixes { from } => {
            return ShardOutcome::Prefixes(Box::new(access.observer.prefixes(from)));
        }
        ShardOp::Reassign {
            source,
            destination,
        } => {
            let outcome = access.engine.reassign(source, destination, now);
            access.observer.collect(access.engine);
            return ShardOutcome::Reassigned(outcome);
        }
        ShardOp::Begin(reserve) => {
            return ShardOutcome::Granted(Box::new(stage::begin(access, &reserve)));
        }
        ShardOp::Grow { staged, bytes } => {
            return ShardOutcome::Granted(Box::new(stage::grow(access, staged, bytes)));
        }
        ShardOp::Abort { staged } => {
            if let Some(staged) = access.engine.take_staged(staged) {
                access.engine.abort(staged);
            }
        }
        ShardOp::Unpin { pin } => {
            // SAFETY: the shard that has sent the value made these bits of its only pin; the owner of the engine, which
            // made the pin, executes the operation once.
            access.engine.unpin(unsafe { Pin::from_bits(pin) });
        }
    }
    ShardOutcome::Done
}
