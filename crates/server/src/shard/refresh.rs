//! `refresh_certs`: certificates are read on a thread of their own, so that no client waits for files that another one
//! asked for.
//!
//! ```text
//!   refresh_certs --> waiting --> thread: reads, checks, swaps --> CertificatesRefreshed --> replies
//!                       ^                                                |
//!                       +---- those that came meanwhile: once more ------+
//! ```
//!
//! A shard has at most one such thread at a time, however many clients ask; one reading answers all requests that had
//! come before it began.

use std::sync::Arc;
use std::thread;

use corecached_protocol::reply;

use crate::ids::{ReplyTo, ShardId};
use crate::replies::ReplySlice;
use crate::route::control::Control;
use crate::shared::Shared;

use super::Net;

impl Net {
    /// Notes that certificates are to be read again, and begins to read them unless a reading is under way.
    pub(super) fn refresh_certificates(&mut self, reply_to: Option<ReplyTo>) {
        self.refreshes.is_wanted = true;
        self.refreshes.waiting.extend(reply_to);
        self.read_certificates();
    }

    /// Tells the outcome of a reading: the certificates have been read, or could not be.
    pub(super) fn certificates_refreshed(&mut self, reply_to: Vec<ReplyTo>, line: &[u8]) {
        self.refreshes.is_under_way = false;
        for to in reply_to {
            self.deliver_reply(to, ReplySlice::plain(line));
            self.after_input(to.conn);
        }
        self.read_certificates();
    }

    fn read_certificates(&mut self) {
        let refreshes = &mut self.refreshes;
        if refreshes.is_under_way || !std::mem::take(&mut refreshes.is_wanted) {
            return;
        }
        refreshes.is_under_way = true;
        let waiting = std::mem::take(&mut refreshes.waiting);
        let (shared, id) = (Arc::clone(&self.shared), self.id);
        let reading = move || read(&shared, id, waiting);
        let thread = thread::Builder::new().name("certificates".into());
        if let Err(error) = thread.spawn(reading.clone()) {
            tracing::warn!(
                "certificates are read on a shard, as no thread can be started for that: {error}"
            );
            reading();
        }
    }
}

fn read(shared: &Shared, id: ShardId, reply_to: Vec<ReplyTo>) {
    let refreshed = match &shared.admission.tls {
        Some(tls) => tls.refresh(shared.globals.clock.now().0),
        None => Ok(()),
    };
    let line = match refreshed {
        Ok(()) => reply::OK.to_vec(),
        Err(error) => format!("{error}\r\n").into_bytes(),
    };
    let answer = Control::CertificatesRefreshed { reply_to, line };
    shared.route.shard(id).post(answer);
}
