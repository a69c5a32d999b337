//! Pages that are populated before they are drawn: see [`crate::prefault`].

use std::io;

use super::{Page, PageId, Slabs};
use crate::prefault::{STEP_BYTES, Share};

impl Slabs {
    /// Populates pages that were never drawn, until held and populated memory of the shard are `bytes` together, or the
    /// limit is reached, or `stop` says so before a step. To be called by a thread on the NUMA node that the memory
    /// shall come from.
    ///
    /// # Errors
    ///
    /// There is no memory. Pages that were populated before stay.
    pub(crate) fn prefault(&mut self, bytes: u64, stop: impl Fn() -> bool) -> io::Result<()> {
        self.end_prefault();
        let page_bytes = self.page_bytes();
        let first = self.pages_end();
        let room = self.pages_max as u64 - u64::from(first);
        let wanted = bytes.saturating_sub(self.held_bytes()) / page_bytes as u64;
        let wanted = wanted.min(room) as u32;
        let budget = self.account.budget();
        let all = &budget.prefaulted;
        let share = Share::new(all, self.segment.mapping(), page_bytes, first);
        let mut done = 0;
        while done < wanted && !stop() {
            let pages = (wanted - done).min((STEP_BYTES / page_bytes) as u32);
            if !share.announce(all, pages, |sum| budget.has_room_for(sum)) {
                break;
            }
            let at = (first + done) as usize * page_bytes;
            let populated = (self.segment.mapping()).populate(at, pages as usize * page_bytes);
            share.extend(pages);
            done += pages;
            if let Err(error) = populated {
                self.prefaulted = Some(share);
                return Err(error);
            }
        }
        self.prefaulted = Some(share);
        Ok(())
    }

    /// The next page that was never drawn, if it is prefaulted. It is charged already.
    pub(super) fn draw_prefaulted(&mut self) -> Option<PageId> {
        let share = self.prefaulted.as_ref()?;
        let next = self.pages.len() as PageId;
        if !share.take(&self.account.budget().prefaulted, next) {
            return None;
        }
        self.pages.push(Page::VACANT);
        Some(next)
    }

    /// Bytes of prefaulted memory that are not drawn yet.
    pub(crate) fn prefaulted_bytes(&self) -> u64 {
        self.prefaulted.as_ref().map_or(0, Share::bytes)
    }

    /// Gives prefaulted memory of any shard back to the kernel if the limit was lowered below the sum of held and
    /// prefaulted memory; true if there may be more to give.
    pub(crate) fn trim_prefaulted(&self) -> bool {
        self.account.budget().make_room()
    }

    /// Gives the rest of the prefaulted memory back to the kernel.
    pub(crate) fn end_prefault(&mut self) {
        if let Some(share) = self.prefaulted.take() {
            share.close(&self.account.budget().prefaulted);
        }
    }
}

impl Drop for Slabs {
    fn drop(&mut self) {
        self.end_prefault();
    }
}
