//! The map's entry for an item.

use corecached_engine::{Deadline, Fetch, Hit, ReadFacts, Recache};

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) value: Vec<u8>,
    pub(super) flags: u32,
    pub(super) deadline: Deadline,
    pub(super) cas: u64,
    pub(super) binary_key: bool,
    pub(super) stale: bool,
    pub(super) won: bool,
    /// Whether the item was fetched; unknown after a change of a number, which may or may not have been made in place.
    pub(super) fetched: Option<bool>,
    pub(super) used: u32,
}

impl Entry {
    /// Called when a reader has found the item: it must be this one.
    pub(super) fn read(&self, facts: &ReadFacts, now: u32, leaps: bool) {
        assert_eq!(
            (facts.client_flags, facts.cas, facts.deadline),
            (self.flags, self.cas, self.deadline)
        );
        assert_eq!(
            (facts.is_stale, facts.was_won, facts.has_binary_key),
            (self.stale, self.won, self.binary_key)
        );
        assert!(
            self.fetched != Some(false),
            "the first fetch is the engine's"
        );
        if self.used != u32::MAX {
            let idle = now - self.used;
            assert!(facts.idle_seconds <= idle, "{}", facts.idle_seconds);
            assert!(leaps || facts.idle_seconds == idle);
        }
    }

    /// Called when a lookup has found the item: it must be this one. The changes that the lookup has made are taken
    /// over.
    pub(super) fn see(&mut self, hit: &Hit<'_>, value: &[u8], fetch: Fetch, now: u32, leaps: bool) {
        assert!(value == self.value, "another value");
        assert_eq!(
            (hit.client_flags(), hit.cas(), hit.deadline_before()),
            (self.flags, self.cas, self.deadline)
        );
        assert_eq!(
            (hit.is_stale(), hit.was_won(), hit.has_binary_key()),
            (self.stale, self.won, self.binary_key)
        );
        assert!(self.fetched.is_none_or(|fetched| fetched == hit.fetched()));
        if self.used != u32::MAX {
            let idle = now - self.used;
            assert!(hit.idle_seconds() <= idle, "{}", hit.idle_seconds());
            assert!(leaps || hit.idle_seconds() == idle);
        }
        let (bump, deadline, recache) = match fetch {
            Fetch::Count => (true, None, None),
            Fetch::Touch(deadline) => (true, Some(deadline), None),
            Fetch::Meta(meta) => (meta.bump, meta.deadline, Some(meta.recache)),
            Fetch::Quiet | Fetch::Inspect => (false, None, None),
        };
        let recaches = match recache {
            None => false,
            Some(Recache::Never) => self.stale,
            Some(Recache::Below(limit)) => {
                self.stale || (self.deadline.0 != 0 && self.deadline.0 < limit.0)
            }
            Some(Recache::Always) => true,
        };
        assert_eq!(hit.has_won(), recaches && !self.won);
        self.won |= hit.has_won();
        self.deadline = deadline.unwrap_or(self.deadline);
        assert_eq!(hit.deadline(), self.deadline);
        if bump {
            self.fetched = Some(true);
            self.used = now;
        }
    }
}
