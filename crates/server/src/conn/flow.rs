//! When a connection goes on: the things that it waits for, and whether its socket is read meanwhile.
//!
//! ```text
//!   input is left after   a turn's share of requests            it goes on in the next turn
//!                         replies that the peer does not take }
//!                         questions to other shards           } paused: it goes on when that is over
//!                         a broadcast                         }
//!                         memory of shards that are at work,  } it goes on in the next warm window
//!                         the end of a long line              }
//!   too much of it is left                                      its socket is not read meanwhile
//! ```

use corecached_protocol::text::LINE_BYTES_AT_ONCE_MAX;

use super::output::OUTPUT_BYTES_MAX;
use super::run_state::RunState;
use super::step::{Step, Stop};
use super::{Conn, Cx, Phase};

/// A connection pauses with this many replies outstanding at other shards or queued behind those.
const OUTSTANDING_MAX: usize = 512;
/// A line without an end is waited for in this many turns, which are a warm window apart.
const TURNS_WITHOUT_END_MAX: u8 = 3;
impl Conn {
    /// Whether no further request may be executed for now.
    pub(super) fn is_paused(&self) -> bool {
        self.send_is_under_way()
            || self.gather.is_some()
            || self.replies.outstanding() >= OUTSTANDING_MAX
            || self.replies.expected_bytes() > OUTPUT_BYTES_MAX
            || matches!(&self.phase, Phase::Value(upload) if upload.is_awaited())
    }

    /// Whether the connection goes on without further input: a walk is in the middle of the items, or a value waits for
    /// memory.
    pub(super) fn is_mid_run(&self) -> bool {
        match &self.phase {
            Phase::Walk(_) => true,
            Phase::Value(upload) => upload.waits(),
            _ => false,
        }
    }

    /// Whether nothing happens on the connection unless its peer sends something. If that takes long, the connection is
    /// idle.
    pub(crate) fn awaits_input(&self) -> bool {
        let is_busy = matches!(
            self.phase,
            Phase::Keys(_) | Phase::Walk(_) | Phase::Watching(_)
        );
        let owes = self.send_is_under_way() || self.owes_replies() || self.gather.is_some();
        !is_busy && !owes && !self.is_datagram()
    }

    /// Whether the connection could go on with input that it has kept.
    pub(crate) fn can_resume(&self) -> bool {
        self.run_state == RunState::Stalled && !self.is_paused()
    }

    /// Whether the connection goes on only after others had time to work.
    pub(crate) fn waits_for_window(&self) -> bool {
        match &self.phase {
            Phase::Value(upload) => upload.waits_for_window(),
            _ => self.line.turns > 0,
        }
    }

    /// A line without an end has grown to `bytes` bytes, which is longer than it may be. If its beginning and end
    /// arrived together it is answered: a connection is read in portions of a receive buffer, so the rest of the line
    /// may be in the next buffer, or on its way out of the kernel. The line is given some turns for that.
    pub(super) fn too_long(&mut self, bytes: usize, cx: &Cx<'_>) -> Step {
        self.line.turns += u8::from(cx.has_long_turn || self.line.turns == 0);
        if bytes > LINE_BYTES_AT_ONCE_MAX
            || self.line.turns > TURNS_WITHOUT_END_MAX
            || self.reads.have_ended()
        {
            return Step::Close;
        }
        Step::UsedAll(0, Stop::Later)
    }

    /// The number of gets whose replies may be asked for now: at most `wanted`, and at least one.
    #[inline]
    pub(super) fn reply_room(&self, wanted: usize, cx: &Cx<'_>) -> usize {
        match cx.router.has_peers() {
            true => self.replies.room(cx.output_bytes_max, wanted),
            false => wanted,
        }
    }
}
