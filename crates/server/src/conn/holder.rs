//! Whose memory a large value is received into.
//!
//! | the key belongs to | the value is received into |
//! | --- | --- |
//! | this shard | this shard's memory |
//! | another one, up to 64 KiB | this shard's memory, and is copied into a message at its end |
//! | another one, larger | the owner's memory, which is asked for by message, window by window (`execute/stage.rs`) |

use corecached_engine::{Room, Staged, StagedTicket, StoreOutcome};

use crate::cell::ShardId;
use crate::execute::{Access, Grant};
use crate::memory::pages::{Loan, lend};
use crate::op::{Begin, Op, Refusal, ReplyStyle, StageStep, Verb};
use crate::route::router::Router;

use super::window::Window;
use super::{Conn, Cx};

/// Larger values are received into the memory of the shard that owns their key: what is copied in one go is bounded.
pub(super) const COPIED_BYTES_MAX: usize = 64 * 1024;

/// Who holds the memory of a value.
#[derive(Debug)]
pub(super) enum Holder {
    /// This shard, once it has memory for the beginning.
    Own(Option<Staged>),
    /// The shard that owns the key. There is no value if it has not begun yet or its beginning was refused, and no more memory
    /// if that was.
    Owner(ShardId, Option<StagedTicket>, Option<Refusal>),
    /// That shard has been asked, and has not answered yet.
    Asked,
}

/// A question for more memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
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

impl Wanted {
    /// Has other shards lend pages to `shard`, which has nothing left that could go.
    fn borrow(&self, shard: ShardId, cx: &mut Cx<'_>) -> Supply {
        match lend(&mut cx.access, &cx.shared.neighbours(), shard, self.lacking) {
            Loan::Given => Supply::Later,
            Loan::Busy => Supply::Busy,
            Loan::Nothing => Supply::Refused(Refusal::NoMemory),
        }
    }
}

impl Holder {
    /// Whether no memory has been asked for.
    pub(super) fn is_new(&self) -> bool {
        matches!(self, Holder::Own(None) | Holder::Owner(_, None, None))
    }

    /// Asks for more memory for the value `op` is about, which begins with `begin`.
    pub(super) fn ask(
        &mut self,
        conn: super::ConnId,
        (op, begin): (&Op<'_>, Begin),
        wanted: &Wanted,
        window: &mut Window,
        cx: &mut Cx<'_>,
    ) -> Supply {
        let own = cx.access.shard;
        match self {
            Holder::Own(None) => {
                let reserve = begin.reserve(op.key, op.hash);
                match cx.access.engine.reserve(&reserve, cx.access.now) {
                    Ok(staged) => {
                        *self = Holder::Own(Some(staged));
                        self.ask(conn, (op, begin), wanted, window, cx)
                    }
                    Err(StoreOutcome::OutOfMemory) => wanted.borrow(own, cx),
                    Err(outcome) => Supply::Refused(Refusal::of(&outcome)),
                }
            }
            Holder::Own(Some(staged)) => {
                let engine = &mut cx.access.engine;
                match engine.staged_space(staged, wanted.bytes, window) {
                    Room::Given => Supply::Given,
                    Room::Later => Supply::Later,
                    Room::OutOfMemory => wanted.borrow(own, cx),
                }
            }
            &mut Holder::Owner(shard, staged, refusal) => {
                match refusal {
                    None => {}
                    Some(Refusal::NoMemory) => match wanted.borrow(shard, cx) {
                        Supply::Later => {}
                        other => return other,
                    },
                    Some(refusal) => return Supply::Refused(refusal),
                }
                let bytes = wanted.bytes;
                let step = staged.map_or(StageStep::Begin(begin), |staged| StageStep::Grow {
                    staged,
                    bytes,
                });
                *self = Holder::ask_owner(conn, shard, op, step, cx);
                Supply::Awaited
            }
            Holder::Asked => Supply::Awaited,
        }
    }

    /// Sends a question to the owner.
    fn ask_owner(
        conn: super::ConnId,
        shard: ShardId,
        op: &Op<'_>,
        step: StageStep,
        cx: &mut Cx<'_>,
    ) -> Holder {
        let op = Op {
            verb: Verb::Stage(step),
            reply: ReplyStyle::None,
            ..*op
        };
        cx.router.push(shard, &op, Some(Conn::no_reply_to(conn)));
        Holder::Asked
    }

    /// The owner has answered.
    pub(super) fn granted(&mut self, grant: Grant, window: &mut Window) {
        debug_assert!(matches!(self, Holder::Asked), "nothing was asked for");
        window.extend(grant.spaces);
        *self = Holder::Owner(grant.shard, grant.staged, grant.refusal);
    }

    /// Gives the memory back. What has been asked for and not come yet is given back when it comes.
    pub(super) fn abort(self, access: &mut Access<'_>, router: &mut Router) {
        match self {
            Holder::Own(Some(staged)) => access.engine.abort(staged),
            Holder::Owner(shard, Some(staged), _) => router.abort_staged(shard, staged),
            Holder::Own(None) | Holder::Owner(_, None, _) | Holder::Asked => {}
        }
    }
}
