//! Replies from other shards to the connections that wait for them, and values back to the slabs once they are sent.

use std::mem::take;

use corecached_engine::KeyHash;
use corecached_reactor::Insert;

use crate::batch::{Reply, ReplyTo};
use crate::conn::Gather;
use crate::execute::{Grant, PinCookie};
use crate::op::{Op, ReplyStyle, Verb};

use crate::shared::Shared;

use super::Net;
use crate::cell::core::Core;

impl Net {
    /// Exchanges operations and replies with the other shards; this shard's own engine has been put down.
    pub(super) fn exchange(&mut self) {
        if !self.router.has_peers() {
            return;
        }
        let Shared { cells, route, .. } = &*self.shared;
        let counters = self.shared.telemetry.of(self.id.0);
        self.router
            .flush(cells, route, counters, self.now, &mut self.reactor);
        self.router.collect();
        let mut completed = self.router.take_completed();
        for batch in &mut completed {
            batch.deliver(|to, reply| self.deliver(to, reply));
        }
        self.router.give_back(completed);
    }

    fn deliver(&mut self, to: ReplyTo, reply: Reply<'_>) {
        match reply {
            Reply::Bytes {
                bytes,
                inserts,
                base,
            } => self.deliver_bytes(to, bytes, inserts, base),
            Reply::Done => self.part_done(to, |_| {}),
            Reply::Part(part) => self.part_done(to, |gather| gather.add_part(part)),
            Reply::Granted(grant) => self.granted(to, *grant),
            Reply::Walked { bytes, part } => {
                self.deliver_bytes(to, bytes, &mut [], 0);
                self.part_done(to, |gather| gather.add_part(part));
            }
        }
        self.after_input(to.conn);
    }

    /// Another shard has memory for a large value, or none.
    fn granted(&mut self, to: ReplyTo, grant: Grant) {
        let Grant { shard, staged, .. } = grant;
        match self.conns.get_mut(to.conn) {
            Some(conn) => conn.granted(grant),
            // The connection has ended meanwhile.
            None => {
                if let Some(staged) = staged {
                    self.router.abort_staged(shard, staged);
                }
            }
        }
    }

    pub(super) fn deliver_bytes(
        &mut self,
        to: ReplyTo,
        bytes: &[u8],
        inserts: &mut [Insert],
        base: usize,
    ) {
        self.warm.prepare(&mut self.reactor);
        match self.conns.get_mut(to.conn) {
            Some(conn) => conn.fulfil(to.seq, &mut self.warm.spare, bytes, inserts, base),
            None => self.unpin_remote(inserts),
        }
    }

    /// Notes that a shard has done its part of a connection's broadcast.
    pub(super) fn part_done(&mut self, to: ReplyTo, add: impl FnOnce(&mut Gather)) {
        let Some(conn) = self.conns.get_mut(to.conn) else {
            return;
        };
        let Some(gather) = conn.gather_mut() else {
            return;
        };
        add(gather);
        if gather.done() {
            conn.finish_gather(&self.shared, &mut self.warm.spare);
        }
    }

    /// Frees values that have been sent from slab memory.
    pub(super) fn unpin(&mut self, inserts: Vec<Insert>, core: &mut Core) {
        for pin in inserts.into_iter().filter_map(PinCookie::of) {
            if pin.shard == self.id {
                core.engine.unpin(pin.pin);
            } else {
                self.unpin_at_owner(pin);
            }
        }
    }

    /// The same for values that all lie in other shards' memory.
    fn unpin_remote(&mut self, inserts: &mut [Insert]) {
        for pin in inserts.iter_mut().map(take).filter_map(PinCookie::of) {
            debug_assert!(pin.shard != self.id, "only remote replies come in batches");
            self.unpin_at_owner(pin);
        }
    }

    fn unpin_at_owner(&mut self, pin: PinCookie) {
        let PinCookie { shard, pin } = pin;
        let op = Op {
            key: &[],
            hash: KeyHash(0),
            verb: Verb::Unpin {
                pin: pin.into_bits(),
            },
            reply: ReplyStyle::None,
        };
        self.router.push(shard, &op, None);
    }
}
