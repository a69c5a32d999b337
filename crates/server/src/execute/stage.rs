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

use corecached_engine::{Reserve, Room, Space, Staged, StagedHandle, StoreOutcome};
use corecached_reactor::Outgoing;

use crate::op::{Op, Refusal, StageStep};
use crate::shard::ShardId;
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
    pub(crate) staged: Option<StagedHandle>,
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
        StageStep::Grow { staged, bytes } => Some(grow(access, staged.into_staged(), bytes)),
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
                engine.commit(staged.into_staged(), mode, &extras, now)
            });
            stored(op.key, &op.reply, &outcome, out);
            None
        }
        StageStep::Abort { staged } => {
            access.engine.abort(staged.into_staged());
            None
        }
    }
}

fn begin(access: &mut Access<'_>, reserve: &Reserve<'_>) -> Part {
    match access.engine.reserve(reserve, access.now) {
        Ok(staged) => grow(access, staged, FIRST_BYTES),
        Err(outcome) => Part::Granted(Box::new(Grant {
            shard: access.shard,
            staged: None,
            spaces: Vec::new(),
            refusal: Some(Refusal::of(&outcome)),
        })),
    }
}

fn grow(access: &mut Access<'_>, mut staged: Staged, bytes: usize) -> Part {
    let mut spaces = Vec::new();
    let room = access.engine.staged_space(&mut staged, bytes, &mut spaces);
    Part::Granted(Box::new(Grant {
        shard: access.shard,
        staged: Some(staged.into_handle()),
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
