//! Whose memory a large value is received into.
//!
//! | the key belongs to | the value is received into |
//! | --- | --- |
//! | this shard | this shard's memory |
//! | another one, up to 64 KiB | this shard's memory, and is copied into a message at its end |
//! | another one, larger | the owner's memory, which is asked for by message, window by window (`execute/stage.rs`) |

use corecached_engine::{Room, Staged, StagedHandle};

use crate::execute::{Access, Grant};
use crate::op::{Op, Refusal, ReplyStyle, StageStep, Verb};
use crate::shard::ShardId;
use crate::shard::pages::lend;
use crate::shard::router::Router;

use super::window::Window;
use super::{Conn, Cx};

/// Larger values are received into the memory of the shard that owns their key: what is copied in one go is bounded.
pub(super) const COPIED_BYTES_MAX: usize = 64 * 1024;

/// Who holds the memory of a value.
#[derive(Debug)]
pub(super) enum Holder {
    /// This shard.
    Own(Staged),
    /// The shard that owns the key. There is no value if its beginning was refused, and no more memory if that was.
    Owner(ShardId, Option<StagedHandle>, Option<Refusal>),
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
    /// Whether other shards may lend pages, if the one that holds the value has none left.
    pub(super) may_borrow: bool,
}

/// An answer to the question for more memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Supply {
    /// Here it is.
    Given,
    /// Other items have to make room first.
    Later,
    /// The owner has been asked.
    Awaited,
    /// There is none.
    Refused(Refusal),
}

impl Holder {
    /// Asks for more memory for the value `op` is about, which begins with `begin`.
    pub(super) fn ask(
        &mut self,
        conn: super::ConnId,
        (op, begin): (&Op<'_>, StageStep),
        wanted: &Wanted,
        window: &mut Window,
        cx: &mut Cx<'_>,
    ) -> Supply {
        let own = cx.access.shard;
        let bytes = wanted.bytes;
        let borrow = |cx: &mut Cx<'_>, shard| {
            wanted.may_borrow && lend(&mut cx.access, cx.shared, shard, wanted.lacking)
        };
        match self {
            Holder::Own(staged) => match cx.access.engine.staged_space(staged, bytes, window) {
                Room::Given => Supply::Given,
                Room::Later => Supply::Later,
                Room::OutOfMemory if borrow(cx, own) => Supply::Later,
                Room::OutOfMemory => Supply::Refused(Refusal::NoMemory),
            },
            &mut Holder::Owner(shard, staged, refusal) => {
                match refusal {
                    None => {}
                    Some(Refusal::NoMemory) if borrow(cx, shard) => {}
                    Some(refusal) => return Supply::Refused(refusal),
                }
                let step = staged.map_or(begin, |staged| StageStep::Grow { staged, bytes });
                *self = Holder::ask_owner(conn, shard, op, step, cx);
                Supply::Awaited
            }
            Holder::Asked => Supply::Awaited,
        }
    }

    /// Sends a question to the owner.
    pub(super) fn ask_owner(
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
            Holder::Own(staged) => access.engine.abort(staged),
            Holder::Owner(shard, Some(staged), _) => router.abort_staged(shard, staged),
            Holder::Owner(_, None, _) | Holder::Asked => {}
        }
    }
}
