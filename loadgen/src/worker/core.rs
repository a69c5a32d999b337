//! A worker without its sockets: makes requests, takes replies, records and judges. No system calls.

use super::connection::{Outbox, Pending, Reply};
use super::ledger::{Entry, Ledger};
use super::verify::{Acknowledged, Verifier, Watermarks};
use crate::record::{Interval, Late, Latencies, NoReply};
use crate::target::{GroupId, Router};
use crate::value::{Mark, Version};
use crate::wire;
use crate::wire::protocol::Protocol;
use crate::wire::reply::Status;
use crate::wire::request::Request;
use crate::workload::keys::KeyId;
use crate::workload::verb::{KeySpace, Verb};
use crate::workload::{Generator, Workload};
use std::sync::Arc;

/// The low bits of a version hold the worker's number, so that no two writes share one.
pub(crate) const WORKER_BITS: u32 = 8;

/// Examples of error texts kept per worker.
const ERROR_EXAMPLES_MAX: usize = 4;

/// Draws of a key for a multi-get until it is one of the right group.
const GROUP_ATTEMPTS_MAX: usize = 1000;

/// The state shared by all connections of a worker.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) workload: Arc<Workload>,
    pub(crate) protocol: Protocol,
    pub(crate) generator: Generator,
    pub(crate) router: Router,
    pub(crate) interval: Box<Interval>,
    pub(crate) verifier: Verifier,
    pub(crate) watermarks: Arc<Watermarks>,
    pub(crate) worker: usize,
    pub(crate) realtime_offset_ns: u64,
    /// When the replies being processed arrived.
    pub(crate) now_ns: u64,
    /// The last time at which the ring is known to have been empty: a reply found now has waited for the worker since
    /// then at most.
    pub(crate) looked_ns: u64,
    /// Requests due in this window count.
    pub(crate) measured_ns: std::ops::Range<u64>,
    /// When the window of the time series that is under way began.
    pub(crate) slot_start_ns: u64,
    pub(crate) in_flight: usize,
    /// Requests that are due and wait for their connections to have room.
    pub(crate) waiting: usize,
    /// Requests that will have no reply.
    pub(crate) ledger: Ledger,
    /// The oldest version lost with a connection: the server may still apply it, until the time given.
    pub(crate) doubt: Option<(Version, u64)>,
    pub(crate) error_examples: Vec<String>,
    pub(crate) last_version: Version,
    pub(crate) multiget: Vec<KeyId>,
    pub(crate) scratch: Vec<u8>,
}

/// A request to make, with everything that a follow-up may need.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    pub(crate) verb: Verb,
    pub(crate) space: KeySpace,
    pub(crate) key: KeyId,
    pub(crate) cas_unique: u64,
    pub(crate) due_ns: u64,
    pub(crate) ready_ns: u64,
}

impl Core {
    /// No request rendered from `now_ns` on has a version below this.
    pub(crate) fn version_floor(&self, now_ns: u64) -> Version {
        let step = 1u64 << WORKER_BITS;
        Version((now_ns + self.realtime_offset_ns) & !(step - 1))
    }

    /// The version of a request rendered now: later than any before it of this worker.
    #[inline]
    fn next_version(&mut self) -> Version {
        let step = 1u64 << WORKER_BITS;
        let clock = self.version_floor(self.now_ns).0 | self.worker as u64;
        self.last_version = Version(clock.max(self.last_version.0 + step));
        self.last_version
    }

    /// Draws the other keys of a multi-get: keys of the same group, since one server answers it.
    fn draw_multiget(&mut self, first: KeyId, space: KeySpace) {
        self.multiget.clear();
        self.multiget.push(first);
        let wanted = self.workload.spec.mix.multiget_keys();
        if self.router.groups() == 1 {
            while self.multiget.len() < wanted {
                let key = self.generator.next_key();
                self.multiget.push(key);
            }
            return;
        }
        let group = self.route(space, first);
        let mut keys = std::mem::take(&mut self.multiget);
        draw_of_group(&mut keys, wanted, || {
            let key = self.generator.next_key();
            (self.route(space, key) == group).then_some(key)
        });
        self.multiget = keys;
    }

    /// The group that owns a key.
    #[inline]
    pub(crate) fn route(&mut self, space: KeySpace, key: KeyId) -> GroupId {
        self.router
            .route(&self.workload, space, key, &mut self.scratch)
    }

    /// Renders a request into an outbox.
    #[inline]
    pub(crate) fn issue(&mut self, outbox: &mut Outbox, ask: &Ask) {
        let version = self.next_version();
        let ttl_s = if ask.verb.writes_value() || ask.verb.touches() {
            self.generator.next_ttl_s()
        } else {
            0
        };
        let mut keys = 1;
        if ask.verb == Verb::MultiGet {
            self.draw_multiget(ask.key, ask.space);
            outbox.keys.extend(&self.multiget);
            keys = self.multiget.len() as u16;
        }
        let request = Request {
            verb: ask.verb,
            space: ask.space,
            key: ask.key,
            keys: &self.multiget,
            mark: Mark {
                key: ask.key,
                version,
                ttl_s,
                run: self.watermarks.run,
            },
            cas_unique: ask.cas_unique,
        };
        wire::render(self.protocol, &self.workload, &request, &mut outbox.bytes);
        outbox.unsent += 1;
        outbox.pending.push_back(Pending {
            verb: ask.verb,
            space: ask.space,
            keys,
            key: ask.key,
            due_ns: ask.due_ns,
            ready_ns: ask.ready_ns,
            sent_ns: 0,
            version,
            barrier: self.verifier.barrier(version),
        });
        self.in_flight += 1;
    }

    fn follow_up(
        &mut self,
        outbox: &mut Outbox,
        verb: Verb,
        space: KeySpace,
        key: KeyId,
        cas_unique: u64,
    ) {
        let ask = Ask {
            verb,
            space,
            key,
            cas_unique,
            due_ns: self.now_ns,
            ready_ns: self.now_ns,
        };
        self.issue(outbox, &ask);
    }

    /// Records a finished request.
    #[inline]
    pub(super) fn record(&mut self, pending: &Pending, status: Status, hits: u32) {
        self.interval.totals.completed += 1;
        if !self.measured_ns.contains(&pending.due_ns) {
            return;
        }
        let mut one = Late {
            due_ns: pending.due_ns,
            count: 1,
            ..Late::default()
        };
        let class = self.interval.class(pending.verb);
        class.counts.completed += 1;
        match status {
            Status::Error(kind) => {
                class.counts.errors[kind as usize] += 1;
                one.errors = 1;
            }
            Status::NotStored | Status::Exists => class.counts.refused += 1,
            Status::NotFound if pending.verb.writes_value() => class.counts.refused += 1,
            Status::NotFound => one.misses = u64::from(pending.keys),
            Status::Ok if pending.verb.reads() => {
                one.hits = u64::from(hits);
                one.misses = u64::from(pending.keys).saturating_sub(one.hits);
            }
            Status::Ok if !pending.verb.writes_value() => one.hits = 1,
            Status::Ok => {}
        }
        class.counts.hits += one.hits;
        class.counts.misses += one.misses;
        if one.errors == 0 {
            one.response_ns = self.now_ns.saturating_sub(pending.due_ns).max(1);
            let slip_ns = pending.sent_ns.saturating_sub(pending.ready_ns);
            class.record(&Latencies {
                response_ns: one.response_ns,
                service_ns: self.now_ns.saturating_sub(pending.sent_ns),
                slip_ns,
            });
            let own_ns = slip_ns + self.now_ns.saturating_sub(self.looked_ns);
            let net_ns = one.response_ns.saturating_sub(own_ns).max(1);
            self.interval.net.saturating_record(net_ns);
        }
        if pending.due_ns < self.slot_start_ns {
            self.interval.late.push(one);
        }
    }

    /// Notes a request that will have no reply, if it counts.
    pub(super) fn give_up_on(
        &mut self,
        verb: Verb,
        due_ns: u64,
        reason: NoReply,
        sent_ns: Option<u64>,
    ) {
        if self.measured_ns.contains(&due_ns) {
            self.ledger.note(Entry {
                verb,
                reason,
                due_ns,
                sent_ns,
                count: 1,
                started: 0,
            });
        }
    }

    /// Records all requests without a reply as having waited until now.
    pub(super) fn record_given_up(&mut self, now: u64) {
        for entry in self.ledger.take() {
            let waited_ns = now.saturating_sub(entry.due_ns).max(1);
            let since_sent_ns = entry.sent_ns.map(|sent_ns| now.saturating_sub(sent_ns));
            self.interval.class(entry.verb).record_no_reply(
                entry.reason,
                waited_ns,
                since_sent_ns,
                entry.count,
            );
            self.interval
                .net
                .saturating_record_n(waited_ns, entry.count);
            self.interval.totals.due += entry.started;
            self.interval.late.push(Late {
                due_ns: entry.due_ns,
                response_ns: waited_ns,
                count: entry.count,
                started: entry.started,
                no_reply: entry.count,
                ..Late::default()
            });
        }
    }

    /// Remembers the consequences of an acknowledged write or delete for later reads.
    #[inline]
    pub(super) fn acknowledge(&mut self, pending: &Pending, status: Status) {
        let deletes = pending.verb.deletes();
        if pending.space != KeySpace::Values || !(deletes || pending.verb.writes_value()) {
            return;
        }
        self.watermarks
            .note_write(self.now_ns.saturating_sub(pending.sent_ns));
        let changed = match status {
            Status::Ok => true,
            Status::NotFound => deletes,
            _ => false,
        };
        if changed && self.workload.spec.verify {
            self.verifier.acknowledged(&Acknowledged {
                key: pending.key,
                barrier: pending.barrier,
                at_ns: self.now_ns,
                deleted: deletes,
            });
        }
    }

    /// Issues the follow-up of a reply: the second half of a cas, the set after a miss, a new counter or list.
    #[inline]
    pub(super) fn follow(
        &mut self,
        outbox: &mut Outbox,
        reply: &Reply,
        pending: &Pending,
        status: Status,
    ) {
        let look_aside = self.workload.spec.look_aside;
        match (pending.verb, status) {
            (Verb::Gets, Status::Ok) if reply.hits > 0 => {
                self.follow_up(
                    outbox,
                    Verb::Cas,
                    KeySpace::Values,
                    pending.key,
                    reply.cas_unique,
                );
            }
            (Verb::Gets, Status::Ok | Status::NotFound) => {
                self.follow_up(outbox, Verb::Set, KeySpace::Values, pending.key, 0);
            }
            (Verb::MultiGet, Status::Ok) if look_aside => {
                for &key in &reply.missed {
                    self.follow_up(outbox, Verb::Set, KeySpace::Values, key, 0);
                }
            }
            (Verb::Get | Verb::MetaGet | Verb::Gat, Status::Ok | Status::NotFound)
                if look_aside && reply.hits == 0 =>
            {
                self.follow_up(outbox, Verb::Set, KeySpace::Values, pending.key, 0);
            }
            (Verb::Incr | Verb::Decr | Verb::MetaArith, Status::NotFound) => {
                self.follow_up(outbox, Verb::Add, KeySpace::Counters, pending.key, 0);
            }
            (Verb::Append | Verb::Prepend, Status::NotStored | Status::NotFound) => {
                self.follow_up(outbox, Verb::Set, KeySpace::Lists, pending.key, 0);
            }
            (Verb::Append | Verb::Prepend, Status::Ok) if is_time_to_reset(pending.version) => {
                self.follow_up(outbox, Verb::Set, KeySpace::Lists, pending.key, 0);
            }
            _ => {}
        }
    }

    #[cold]
    pub(super) fn note_error(&mut self, text: &[u8]) {
        if self.error_examples.len() < ERROR_EXAMPLES_MAX {
            let text = text.escape_ascii().to_string();
            if !self.error_examples.contains(&text) {
                self.error_examples.push(text);
            }
        }
    }
}

/// Draws keys until `wanted` of them are of the right group (`draw` returns such a key or `None`), or until there seem
/// to be too few such keys. Returns the number of draws.
fn draw_of_group(
    keys: &mut Vec<KeyId>,
    wanted: usize,
    mut draw: impl FnMut() -> Option<KeyId>,
) -> usize {
    for drawn in 0..GROUP_ATTEMPTS_MAX {
        if keys.len() >= wanted {
            return drawn;
        }
        keys.extend(draw());
    }
    GROUP_ATTEMPTS_MAX
}

/// Lists would grow without end: one append in 64 is followed by a set.
fn is_time_to_reset(version: Version) -> bool {
    (version.0 >> WORKER_BITS).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(wanted: usize, mut draw: impl FnMut(u64) -> Option<KeyId>) -> (usize, Vec<KeyId>) {
        let (mut keys, mut number) = (vec![KeyId(0)], 0);
        let drawn = draw_of_group(&mut keys, wanted, || {
            number += 1;
            draw(number)
        });
        (drawn, keys)
    }

    #[test]
    fn no_more_keys_are_drawn_than_a_multi_get_needs() {
        let (drawn, keys) = draws(10, |number| (number % 3 == 0).then_some(KeyId(number)));
        assert_eq!((drawn, keys.len()), (27, 10));
        assert!(keys[1..].iter().all(|key| key.0 % 3 == 0));
    }

    #[test]
    fn drawing_ends_if_no_key_suits() {
        let (drawn, keys) = draws(10, |_| None);
        assert_eq!((drawn, keys.len()), (GROUP_ATTEMPTS_MAX, 1));
    }
}
