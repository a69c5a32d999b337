//! The messages in a shard's inbox (`route/control.rs`), and what its network side does about them.

use crate::ids::{ConnId, ReplyTo};
use crate::lending::core::Core;
use crate::operation::ShardReport;
use crate::operation::walk::Place;
use crate::replies::ReplySlice;
use crate::route::control::Control;
use crate::wire::dump::Walked;
use crate::wire::notice::Notice;

use super::Net;
use super::lists::Newcomer;

impl Net {
    /// Takes what is in the control inbox, and answers those messages for which the engine has to be held.
    pub(super) fn take_messages(&self, core: &Core) -> Vec<Control> {
        let mut messages = self.handle().take_control();
        messages.retain(|message| {
            let Control::Report { answer } = message else {
                return true;
            };
            // Nobody waits any more when the process is ending.
            let _ = answer.send(ShardReport::of(self.id, &core.engine));
            false
        });
        messages
    }

    /// Does what the other messages ask for.
    pub(super) fn handle_control(&mut self, messages: Vec<Control>) {
        for message in messages {
            self.handle_message(message);
        }
    }

    fn handle_message(&mut self, message: Control) {
        match message {
            Control::Adopt { fd, listener } => {
                self.counters().adopted.add(1);
                self.lists.arrives(Newcomer {
                    fd,
                    listener,
                    is_handed_over: true,
                });
            }
            Control::DescribeConns {
                origin,
                reply_to,
                from,
                style,
            } => {
                let (pairs, next) = self.describe_conns(from);
                let mut bytes = Vec::new();
                style.notice(Notice::Statistics(&pairs), &mut bytes);
                let answer = Control::ConnsDescribed {
                    reply_to,
                    bytes,
                    next,
                };
                self.shared.route.shard(origin).post(answer);
            }
            Control::ConnsDescribed {
                reply_to,
                bytes,
                next,
            } => self.conns_described(reply_to, &bytes, next),
            Control::Watched { conn } => self.watched(conn),
            Control::RefreshCertificates { reply_to } => self.refresh_certificates(reply_to),
            Control::CertificatesRefreshed { reply_to, line } => {
                self.certificates_refreshed(reply_to, &line);
            }
            Control::RoomForConnections => self.accept_again(),
            // It has been answered; and the next turn looks at its clock anyway.
            Control::Report { .. } | Control::Second => {}
        }
    }

    /// A shard has described some of its connections to a connection that has asked (`stats conns`). The next step
    /// begins at `next`, if there is more.
    fn conns_described(&mut self, reply_to: ReplyTo, lines: &[u8], next: Option<u32>) {
        self.deliver_reply(reply_to, ReplySlice::plain(lines));
        let walked = Walked {
            place: next.map(Place::Number),
            ..Walked::default()
        };
        self.shard_done(reply_to.conn, |gather| gather.add_walked(walked));
        self.after_input(reply_to.conn);
    }

    /// Lines have come for a connection that watches.
    fn watched(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(id) {
            conn.take_watched();
            self.after_input(id);
        }
    }
}
