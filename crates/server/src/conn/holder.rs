//! Which shard's memory a large value is received into.
//!
//! | the key belongs to | the value is received into |
//! | --- | --- |
//! | this shard | this shard's memory |
//! | another one, up to 64 KiB | this shard's memory, and is copied into a message at its end |
//! | another one, larger | the owner's memory, which is asked for by message, window by window (`operation/stage.rs`) |

use corecached_engine::{Reserve, Room, Staged, StagedTicket, StoreRefusal};

use crate::ids::{ConnId, ShardId};
use crate::memory::give::{self, PageSupply};
use crate::operation::access::Access;
use crate::operation::op::ShardOp;
use crate::operation::outcome::Grant;
use crate::route::router::Router;

use super::cx::Cx;
use super::window::Window;

/// Larger values are received into the memory of the shard that owns their key, since the bytes copied in one go have
/// to be bounded.
pub(super) const COPIED_BYTES_MAX: usize = 64 * 1024;

/// The shard that holds the memory of a value.
#[derive(Debug)]
pub(super) enum Holder {
    /// No shard yet; this shard is to be asked for the first memory of the value.
    New(ShardId),
    /// The connection's own shard, which also owns the key.
    Own(Staged),
    /// The shard that owns the key.
    Owner(ShardId, StagedTicket),
    /// The shard that owns the key; it has refused more memory.
    Refusing {
        /// The shard that owns the key.
        shard: ShardId,
        /// The value, unless its first memory was refused.
        staged: Option<StagedTicket>,
        /// Why the memory was refused.
        why: StoreRefusal,
    },
    /// The shard that owns the key; it has been asked for memory and has not answered yet.
    Asked,
}

/// A request for more memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// The connection that asks.
    pub(super) conn: ConnId,
    /// The value that the memory is for.
    pub(super) value: Reserve<'a>,
    /// Bytes wanted now.
    pub(super) bytes: usize,
    /// Bytes missing until the value is whole.
    pub(super) lacking: usize,
}

/// Answer to a request for more memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Supply {
    /// The memory is there.
    Given,
    /// Other items have to make room first, which they do within some turns.
    Later,
    /// Other shards would have to give pages, but are at work.
    Busy,
    /// The shard that owns the key has been asked.
    Awaited,
    /// There is no memory.
    Refused(StoreRefusal),
}

impl<'a> Wanted<'a> {
    /// Takes pages of other shards for `shard`, which has nothing left that could be evicted.
    fn take_pages(&self, shard: ShardId, cx: &mut Cx<'_>) -> Supply {
        let near = cx.shared.neighbours();
        match give::take_pages(&mut cx.access, &near, shard, self.lacking) {
            PageSupply::Given => Supply::Later,
            PageSupply::Busy => Supply::Busy,
            PageSupply::Nothing => Supply::Refused(StoreRefusal::OutOfMemory),
        }
    }

    /// The operation that asks for the first memory of the value, or for more of it.
    fn op(&self, staged: Option<StagedTicket>) -> ShardOp<'a> {
        match staged {
            None => ShardOp::Begin(self.value),
            Some(staged) => ShardOp::Grow {
                staged,
                bytes: self.bytes,
            },
        }
    }
}

impl Holder {
    /// Whether no memory has been asked for.
    pub(super) fn is_new(&self) -> bool {
        matches!(self, Holder::New(_))
    }

    /// Asks for more memory and puts it into `window` if it is there at once.
    pub(super) fn ask(
        &mut self,
        wanted: &Wanted<'_>,
        window: &mut Window,
        cx: &mut Cx<'_>,
    ) -> Supply {
        let own = cx.access.shard;
        match self {
            Holder::New(shard) if *shard == own => {
                match cx.access.engine.reserve(&wanted.value, cx.access.now) {
                    Ok(staged) => {
                        *self = Holder::Own(staged);
                        self.ask(wanted, window, cx)
                    }
                    Err(StoreRefusal::OutOfMemory) => wanted.take_pages(own, cx),
                    Err(why) => Supply::Refused(why),
                }
            }
            Holder::Own(staged) => {
                let engine = &mut cx.access.engine;
                match engine.staged_space(staged, wanted.bytes, window) {
                    Room::Given => Supply::Given,
                    Room::Later => Supply::Later,
                    Room::OutOfMemory => wanted.take_pages(own, cx),
                }
            }
            &mut Holder::New(shard) => self.ask_owner(shard, None, wanted, cx),
            &mut Holder::Owner(shard, staged) => self.ask_owner(shard, Some(staged), wanted, cx),
            &mut Holder::Refusing { shard, staged, why } => match why {
                StoreRefusal::TooLarge => Supply::Refused(why),
                StoreRefusal::OutOfMemory => match wanted.take_pages(shard, cx) {
                    Supply::Later => self.ask_owner(shard, staged, wanted, cx),
                    otherwise => otherwise,
                },
            },
            Holder::Asked => Supply::Awaited,
        }
    }

    /// Sends a request to the shard that owns the key.
    fn ask_owner(
        &mut self,
        shard: ShardId,
        staged: Option<StagedTicket>,
        wanted: &Wanted<'_>,
        cx: &mut Cx<'_>,
    ) -> Supply {
        cx.router
            .push_shard_op(shard, &wanted.op(staged), Some(wanted.conn));
        *self = Holder::Asked;
        Supply::Awaited
    }

    /// Takes in the owner's answer.
    pub(super) fn granted(&mut self, grant: Grant, window: &mut Window) {
        debug_assert!(matches!(self, Holder::Asked), "nothing was asked for");
        window.extend(grant.spaces);
        let (shard, staged) = (grant.shard, grant.staged);
        *self = match (staged, grant.refusal) {
            (staged, Some(why)) => Holder::Refusing { shard, staged, why },
            (Some(staged), None) => Holder::Owner(shard, staged),
            (None, None) => Holder::New(shard),
        };
    }

    /// Gives the memory back. Memory that has been asked for and has not come yet is given back when it comes.
    pub(super) fn abort(self, access: &mut Access<'_>, router: &mut Router) {
        match self {
            Holder::Own(staged) => access.engine.abort(staged),
            Holder::Owner(shard, staged)
            | Holder::Refusing {
                shard,
                staged: Some(staged),
                ..
            } => router.abort_staged(shard, staged),
            Holder::New(_) | Holder::Refusing { staged: None, .. } | Holder::Asked => {}
        }
    }
}
