//! Replies from other shards go to the connections that wait for them; values go back to their slabs once they are
//! sent.

use std::mem::take;

use corecached_reactor::Insert;

use crate::conn::Gather;
use crate::ids::{ConnId, ReplyTo};
use crate::lending::batch::Delivery;
use crate::lending::core::Core;
use crate::operation::op::ShardOp;
use crate::operation::outcome::{Grant, ShardOutcome};
use crate::replies::ReplySlice;
use crate::wire::value::PinCookie;

use crate::shared::Shared;

use super::Net;

impl Net {
    /// Exchanges operations and replies with the other shards; this shard's own engine has been put down. `windows` is
    /// the number of short warm windows that have passed since the last turn.
    pub(super) fn exchange(&mut self, windows: u32) {
        if !self.router.has_peers() {
            return;
        }
        let Shared { cores, route, .. } = &*self.shared;
        let counters = self.shared.telemetry.of(self.id.0);
        let ring = |shard| {
            if let Some(doorbell) = route.shard(shard).doorbell() {
                self.reactor.doorbell(doorbell);
            }
        };
        self.router
            .flush((cores, route), counters, self.now, ring, windows);
        let mut completed = self.router.collect();
        for batch in &mut completed {
            batch.deliver(|delivery| self.deliver(delivery));
        }
        self.router.give_back(completed);
    }

    fn deliver(&mut self, delivery: Delivery<'_>) {
        match delivery {
            Delivery::Reply { to, reply } => {
                self.deliver_reply(to, reply);
                self.after_input(to.conn);
            }
            Delivery::ShardOutcome { to, outcome } => {
                match outcome {
                    ShardOutcome::Granted(grant) => self.granted(to, *grant),
                    outcome => self.shard_done(to, |gather| gather.add_outcome(outcome)),
                }
                self.after_input(to);
            }
            Delivery::Walked { to, lines, walked } => {
                self.deliver_reply(to, ReplySlice::plain(lines));
                self.shard_done(to.conn, |gather| gather.add_walked(walked));
                self.after_input(to.conn);
            }
        }
    }

    /// Hands a connection the answer of another shard to its request for memory for a large value.
    fn granted(&mut self, to: ConnId, grant: Grant) {
        let Grant { shard, staged, .. } = grant;
        match self.conns.get_mut(to) {
            Some(conn) => conn.granted(grant),
            // The connection has ended in the meantime.
            None => {
                if let Some(staged) = staged {
                    self.router.abort_staged(shard, staged);
                }
            }
        }
    }

    /// Puts a reply in its place in the order of its connection's replies.
    pub(super) fn deliver_reply(&mut self, to: ReplyTo, reply: ReplySlice<'_>) {
        self.buffers.prepare(&mut self.reactor);
        match self.conns.get_mut(to.conn) {
            Some(conn) => conn.fulfil(to.seq, &mut self.buffers.reply_buffers, reply),
            None => self.unpin_remote(reply.inserts),
        }
    }

    /// Notes that a shard has done its part of a connection's broadcast.
    pub(super) fn shard_done(&mut self, to: ConnId, add: impl FnOnce(&mut Gather)) {
        let Some(conn) = self.conns.get_mut(to) else {
            return;
        };
        let Some(gather) = conn.gather_mut() else {
            return;
        };
        add(gather);
        if gather.done() {
            conn.finish_gather(&self.shared, &mut self.buffers.reply_buffers);
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

    /// Frees values that have been sent and that all lie in other shards' memory.
    fn unpin_remote(&mut self, inserts: &mut [Insert]) {
        for pin in inserts.iter_mut().map(take).filter_map(PinCookie::of) {
            debug_assert!(pin.shard != self.id, "only remote replies come in batches");
            self.unpin_at_owner(pin);
        }
    }

    fn unpin_at_owner(&mut self, pin: PinCookie) {
        let PinCookie { shard, pin } = pin;
        let op = ShardOp::Unpin {
            pin: pin.into_bits(),
        };
        self.router.push_shard_op(shard, &op, None);
    }
}
