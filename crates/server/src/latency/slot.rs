//! The commands of a connection that are not answered yet, and the times of those that are.

use super::Stage;
use super::tally::Counts;

/// The facts about a connection that decide how its commands are measured.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts {
    /// Whether it has kept input that it could work on.
    pub(crate) keeps_work: bool,
    /// Where its kept input begins and ends, in bytes that wrap around.
    pub(crate) input: (u32, u32),
    /// The places of the first reply that has not been given and of the next one.
    pub(crate) replies: (u32, u32),
    /// Whether replies have to come before the last of its commands is answered.
    pub(crate) awaits: bool,
    /// Whether there is something that could be sent, or is being sent.
    pub(crate) is_sending: bool,
}

/// When the input that a connection has kept was received: bytes up to `until` at `since`, later ones at `newest`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    pub(super) since: u64,
    until: u32,
    newest: u64,
    end: u32,
}

impl Kept {
    /// When the kept input of a connection was received; `was` is what was known before it worked in a turn of
    /// `received`.
    pub(super) fn after(was: Option<Kept>, facts: &Facts, received: u64) -> Kept {
        let (begin, end) = facts.input;
        let Some(was) = was else {
            return Kept {
                since: received,
                until: end,
                newest: received,
                end,
            };
        };
        let newest = if was.end == end { was.newest } else { received };
        match (begin.wrapping_sub(was.until) as i32) < 0 {
            true => Kept { newest, end, ..was },
            // All that came first is used up.
            false => Kept {
                since: newest,
                until: end,
                newest,
                end,
            },
        }
    }
}

/// The commands of a connection that have been executed and are not answered.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slot {
    pub(super) counts: Counts,
    pub(super) received: u64,
    pub(super) begun: u64,
    /// The end of the window; 0 in the turn of the window.
    pub(super) executed: u64,
    /// Whether some of them waited for another shard.
    pub(super) waited: bool,
    /// The place of the reply behind the first replies that were awaited.
    pub(super) until: u32,
    pub(super) kept: Option<Kept>,
}

/// Nanoseconds by stage; `None` where commands have not waited for another shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) queue: u64,
    pub(crate) execution: u64,
    pub(crate) other_shard: Option<u64>,
    pub(crate) sending: u64,
    pub(crate) total: u64,
}

impl Times {
    pub(super) fn by_stage(&self) -> impl Iterator<Item = (Stage, u64)> {
        let other_shard = self.other_shard.map(|ns| (Stage::OtherShard, ns));
        let own = [
            (Stage::Queue, self.queue),
            (Stage::Execution, self.execution),
            (Stage::Sending, self.sending),
            (Stage::Total, self.total),
        ];
        own.into_iter().chain(other_shard)
    }
}
