//! How much heap memory a connection holds now.

use super::{Conn, Held, Phase};

/// Narrows a number of bytes: more than 4 GiB for one purpose cannot occur, and would count as 4 GiB.
fn narrow(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

impl Conn {
    /// The memory that the connection holds now. It is computed once in each turn in which anything happened to the
    /// connection.
    #[inline]
    pub(crate) fn held(&self) -> Held {
        let sending = if self.send_is_under_way() {
            self.sending_bytes
        } else {
            0
        };
        let is_plain = matches!(self.phase, Phase::Command | Phase::Swallow(_))
            && self.gather.is_none()
            && self.secure.is_none();
        Held {
            input: narrow(self.input.held_bytes()),
            output: narrow(self.replies.held_bytes() + sending),
            work: if is_plain { 0 } else { self.held_for_work() },
        }
    }

    #[cold]
    fn held_for_work(&self) -> u32 {
        let phase = match &self.phase {
            Phase::Value(upload) => upload.held_bytes(),
            Phase::Walk(walk) => walk.held_bytes(),
            Phase::Keys(run) => size_of_val(&**run),
            // A watcher's buffer belongs to `watch`.
            Phase::Command | Phase::Swallow(_) | Phase::Watching(_) => 0,
        };
        let gather = self.gather.as_ref().map_or(0, |it| it.held_bytes());
        let secure = self.secure.as_ref().map_or(0, |it| it.held_bytes());
        narrow(phase + gather + secure)
    }
}
