//! Whose memory a large value is received into.
//!
//! | the key belongs to | the value is received into |
//! | --- | --- |
//! | this shard | this shard's memory |
//! | another one, up to 64 KiB | this shard's memory, and is copied into a message at its end |
//! | another one, larger | the owner's memory, which is asked for by message, window by window (`cell/stage.rs`) |

use corecached_engine::{Reserve, Room, Staged, StagedTicket, StoreOutcome};

use crate::cell::access::Access;
use crate::cell::op::{Refusal, ShardOp};
use crate::cell::outcome::Grant;
use crate::cell::{ConnId, ShardId};
use crate::memory::pages::{Loan, lend};
use crate::route::router::Router;

use super::Cx;
use super::window::Window;

/// Larger values are received into the memory of the shard that owns their key: what is copied in one go is bounded.
pub(super) const COPIED_BYTES_MAX: usize = 64 * 1024;

/// Who holds the memory of a value.
#[derive(Debug)]
pub(super) enum Holder {
    /// Nobody yet; this shard is to be asked for its beginning.
    New(ShardId),
    /// The connection's own shard.
    Own(Staged),
    /// The shard that owns the key.
    Owner(ShardId, StagedTicket),
    /// The shard that owns the key, and it has refused more memory.
    Refusing {
        /// That shard.
        shard: ShardId,
        /// The value, unless its beginning was refused.
        staged: Option<StagedTicket>,
        /// Why.
        why: Refusal,
    },
    /// The shard that owns the key has been asked, and has not answered yet.
    Asked,
}

/// A question for more memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// Who asks.
    pub(super) conn: ConnId,
    /// What for.
    pub(super) value: Reserve<'a>,
    /// So many bytes now.
    pub(super) bytes: usize,
    /// And so many until the value is whole.
    pub(super) lacking: usize,
}

/// An answer to the question for more memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Supply {
    /// Here it is.
    Given,
    /// Other items have to make room first, which they do by and by.
    Later,
    /// Other shards would have to give pages, but are at work.
    Busy,
    /// The owner has been asked.
    Awaited,
    /// There is none.
    Refused(Refusal),
}

impl<'a> Wanted<'a> {
    /// Has other shards lend pages to `shard`, which has nothing left that could go.
    fn borrow(&self, shard: ShardId, cx: &mut Cx<'_>) -> Supply {
        match lend(&mut cx.access, &cx.shared.neighbours(), shard, self.lacking) {
            Loan::Given => Supply::Later,
            Loan::Busy => Supply::Busy,
            Loan::Nothing => Supply::Refused(Refusal::NoMemory),
        }
    }

    /// The question for the beginning of the value, or for more of it.
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

    /// Asks for more memory.
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
                    Err(StoreOutcome::OutOfMemory) => wanted.borrow(own, cx),
                    Err(outcome) => Supply::Refused(Refusal::of(&outcome)),
                }
            }
            Holder::Own(staged) => {
                let engine = &mut cx.access.engine;
                match engine.staged_space(staged, wanted.bytes, window) {
                    Room::Given => Supply::Given,
                    Room::Later => Supply::Later,
                    Room::OutOfMemory => wanted.borrow(own, cx),
                }
            }
            &mut Holder::New(shard) => self.ask_owner(shard, None, wanted, cx),
            &mut Holder::Owner(shard, staged) => self.ask_owner(shard, Some(staged), wanted, cx),
            &mut Holder::Refusing { shard, staged, why } => match why {
                Refusal::TooLarge => Supply::Refused(why),
                Refusal::NoMemory => match wanted.borrow(shard, cx) {
                    Supply::Later => self.ask_owner(shard, staged, wanted, cx),
                    otherwise => otherwise,
                },
            },
            Holder::Asked => Supply::Awaited,
        }
    }

    /// Sends a question to the owner.
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

    /// The owner has answered.
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

    /// Gives the memory back. What has been asked for and not come yet is given back when it comes.
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
