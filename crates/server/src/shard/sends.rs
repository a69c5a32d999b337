//! The replies of a turn: one send for each connection that has any.

use corecached_reactor::Outgoing;

use super::Net;

impl Net {
    /// Begins one send for each connection that has replies.
    pub(super) fn send_replies(&mut self) {
        let mut list = self.lists.take_to_send();
        if !list.is_empty() {
            self.mark_sends();
        }
        for id in list.drain(..) {
            let Some(conn) = self.conns.get_mut(id) else {
                continue;
            };
            conn.listed.to_send = false;
            if conn.is_datagram() {
                if conn.is_answered() {
                    self.measure_datagram(id);
                    self.answer(id);
                }
                continue;
            }
            let counters = self.shared.telemetry.of(self.id.0);
            let outgoing = if conn.is_secure() {
                conn.take_sealed(self.reactor.take_buffer(), &mut self.buffers.sealing)
            } else {
                conn.take_output().inspect(|outgoing| {
                    counters.bytes_written.add(outgoing.len() as u64);
                })
            };
            let bytes = outgoing.as_ref().map(Outgoing::len);
            if let Some(outgoing) = outgoing {
                conn.send(outgoing, &mut self.reactor);
                if conn.is_closing() || conn.has_more_to_seal() {
                    // These may be the connection's last replies, or not all of them: it is looked at again once the
                    // kernel has taken them.
                    self.lists.sends_again(conn);
                }
            } else if conn.is_finished() {
                self.lists.close(id);
            }
            self.measure(id, bytes);
            self.conns.count(id);
        }
        self.lists.give_back(list);
        self.after_sealing();
    }
}
