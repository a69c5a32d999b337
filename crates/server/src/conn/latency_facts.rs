//! The facts about a connection by which its commands are measured (`latency/`).

use crate::latency::Facts;

use super::Conn;
use super::run_state::RunState;

impl Conn {
    /// The facts as they are now.
    #[inline]
    pub(crate) fn facts(&self) -> Facts {
        Facts {
            keeps_work: self.run_state == RunState::Stalled,
            input: self.input.span(),
            replies: self.replies.span(),
            awaits: self.replies.outstanding() > 0 || self.has_more_to_seal(),
            is_sending: self.send_is_under_way() || self.replies.has_ready(),
        }
    }
}
