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
//! Until the value is whole nobody else refers to those chunks, so the owner goes on with everything else.

use corecached_engine::{Reserve, Room, Staged, StagedTicket, StoreRefusal};

use super::access::Access;
use super::outcome::Grant;
use crate::ids::ShardId;

/// Bytes that are asked for at the beginning of a value: they bring its first chunk.
const FIRST_BYTES: usize = 1;

/// Takes the first memory for a value.
pub(super) fn begin(access: &mut Access<'_>, reserve: &Reserve<'_>) -> Grant {
    match access.engine.reserve(reserve, access.now) {
        Ok(staged) => give(access, staged, FIRST_BYTES),
        Err(why) => refused(access.shard, why),
    }
}

/// Takes more memory for a value.
pub(super) fn grow(access: &mut Access<'_>, staged: StagedTicket, bytes: usize) -> Grant {
    match access.engine.take_staged(staged) {
        Some(staged) => give(access, staged, bytes),
        None => refused(access.shard, StoreRefusal::OutOfMemory),
    }
}

/// The answer that there is no memory, and no value to go on with.
fn refused(shard: ShardId, why: StoreRefusal) -> Grant {
    Grant {
        shard,
        staged: None,
        spaces: Vec::new(),
        refusal: Some(why),
    }
}

fn give(access: &mut Access<'_>, mut staged: Staged, bytes: usize) -> Grant {
    let mut spaces = Vec::new();
    let room = access.engine.staged_space(&mut staged, bytes, &mut spaces);
    Grant {
        shard: access.shard,
        staged: Some(access.engine.leave_staged(staged)),
        spaces,
        refusal: (room == Room::OutOfMemory).then_some(StoreRefusal::OutOfMemory),
    }
}
