//! Large values that another shard receives into this shard's memory.
//!
//! ```text
//!   shard of the connection                            owner of the key
//!   Begin, Grow ------------------------------------>  takes chunks            (bounded, as any call of the engine)
//!   socket -> recvmsg -> chunks of the owner  <------  Grant: their addresses
//!   ... until the value is whole
//!   Commit ----------------------------------------->  links the item, replies
//! ```
//!
//! Nobody else refers to those chunks meanwhile, so the owner goes on with everything else.

use corecached_engine::{Reserve, Room, Space, Staged, StagedTicket, StoreOutcome};
use corecached_reactor::Outgoing;

use crate::cell::ShardId;
use crate::op::{Op, Refusal, StageStep};
use crate::watch::{Committed, committed};

use super::{Access, Part, stored};

/// Bytes that are asked for with the beginning of a value: its first chunk.
const FIRST_BYTES: usize = 1;

/// An answer to [`StageStep::Begin`] and [`StageStep::Grow`].
#[derive(Debug)]
pub(crate) struct Grant {
    /// Whose memory it is.
    pub(crate) shard: ShardId,
    /// The value, unless it could not even begin.
    pub(crate) staged: Option<StagedTicket>,
    /// Memory for its next bytes; none if others have to make room first, or if it is refused.
    pub(crate) spaces: Vec<Space>,
    /// Why there will be no more.
    pub(crate) refusal: Option<Refusal>,
}

/// Runs a step.
pub(super) fn step(
    access: &mut Access<'_>,
    op: &Op<'_>,
    step: StageStep,
    out: &mut Outgoing,
) -> Option<Part> {
    match step {
        StageStep::Begin(value) => Some(begin(access, &value.reserve(op.key, op.hash))),
        StageStep::Grow { staged, bytes } => Some(match access.engine.take_staged(staged) {
            Some(staged) => grow(access, staged, bytes),
            None => refused(access.shard, Refusal::NoMemory),
        }),
        StageStep::Commit {
            staged,
            mode,
            extras,
            value_bytes,
        } => {
            let value = Committed {
                key: op.key,
                hash: op.hash,
                mode,
                value_bytes,
            };
            let outcome = committed(access, &value, |engine, now| {
                match engine.take_staged(staged) {
                    Some(staged) => engine.commit(staged, mode, &extras, now),
                    None => StoreOutcome::OutOfMemory,
                }
            });
            stored(op.key, &op.reply, &outcome, out);
            None
        }
        StageStep::Abort { staged } => {
            if let Some(staged) = access.engine.take_staged(staged) {
                access.engine.abort(staged);
            }
            None
        }
    }
}

fn begin(access: &mut Access<'_>, reserve: &Reserve<'_>) -> Part {
    match access.engine.reserve(reserve, access.now) {
        Ok(staged) => grow(access, staged, FIRST_BYTES),
        Err(outcome) => refused(access.shard, Refusal::of(&outcome)),
    }
}

/// There is no value to go on with.
fn refused(shard: ShardId, why: Refusal) -> Part {
    Part::Granted(Box::new(Grant {
        shard,
        staged: None,
        spaces: Vec::new(),
        refusal: Some(why),
    }))
}

fn grow(access: &mut Access<'_>, mut staged: Staged, bytes: usize) -> Part {
    let mut spaces = Vec::new();
    let room = access.engine.staged_space(&mut staged, bytes, &mut spaces);
    Part::Granted(Box::new(Grant {
        shard: access.shard,
        staged: Some(access.engine.leave_staged(staged)),
        spaces,
        refusal: (room == Room::OutOfMemory).then_some(Refusal::NoMemory),
    }))
}

impl Refusal {
    /// Why the engine does not take a value.
    pub(crate) fn of(outcome: &StoreOutcome) -> Refusal {
        match outcome {
            StoreOutcome::TooLarge => Refusal::TooLarge,
            _ => Refusal::NoMemory,
        }
    }
}
