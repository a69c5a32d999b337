//! Received bytes: what cannot be used yet is kept, and the rest is worked on in the connection's protocol, which its
//! first byte chooses.

use corecached_protocol::event::CloseReason;
use corecached_protocol::{Codec, reply};

use crate::base::listeners::BindingProtocol;

use super::run_state::RunState;
use super::step::Stop;
use super::{Conn, Cx, Link, Phase, steps, walk};

/// Bytes before the content of a TLS record: its type, version and length.
const RECORD_HEAD_BYTES: usize = 5;

/// Whether `bytes` begin as a connection that speaks TLS: with a record of type 22, major version 3. No text command
/// begins so.
fn may_be_client_hello(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(RECORD_HEAD_BYTES)];
    matches!(head, [22] | [22, 3, ..]) && !head.ends_with(b"\n")
}

impl Conn {
    /// Works on received bytes, once they are decrypted if the connection speaks TLS. `scratch` is a buffer for
    /// decrypted bytes.
    #[inline]
    pub(crate) fn receive(&mut self, bytes: &[u8], scratch: &mut Vec<u8>, cx: &mut Cx<'_>) {
        match self.secure.take() {
            Some(secure) => self.decrypt(secure, bytes, scratch, cx),
            None => {
                cx.net.bytes_read.add(bytes.len() as u64);
                self.receive_plain(bytes, cx);
            }
        }
    }

    /// Works on received plaintext and keeps what it cannot use yet.
    pub(crate) fn receive_plain(&mut self, bytes: &[u8], cx: &mut Cx<'_>) {
        self.last_activity = cx.access.now;
        if self.is_closing() || self.is_watching() {
            return;
        }
        if self.input.is_empty() {
            let used = self.consume_all(bytes, cx);
            self.input.keep(&bytes[used..]);
        } else {
            self.input.keep(bytes);
            self.resume(cx);
        }
    }

    /// Goes on with the input that was kept.
    pub(crate) fn resume(&mut self, cx: &mut Cx<'_>) {
        let input = self.input.take();
        let used = self.consume_all(input.rest(), cx);
        self.input.put_back(input, used);
    }

    /// Executes requests until the input is dry or it is time to stop; returns how many bytes were used up.
    fn consume_all(&mut self, bytes: &[u8], cx: &mut Cx<'_>) -> usize {
        let (used, stop) = self.consume(bytes, cx);
        self.run_state.after(stop);
        match stop {
            Stop::Yield => cx.net.conn_yields.add(1),
            Stop::Close => {
                // A reason that is set already is a better one: the connection ended by `quit` or the like.
                self.close_event.reason.get_or_insert(CloseReason::Error);
                return bytes.len();
            }
            _ => {}
        }
        if self.output_is_full(cx)
            && let Link::Datagram { is_cut_short, .. } = &mut self.link
        {
            *is_cut_short = true;
            self.run_state = RunState::Closing;
        }
        if self.reads.have_ended() {
            self.run_state.close_if_open();
        }
        used
    }

    fn consume(&mut self, bytes: &[u8], cx: &mut Cx<'_>) -> (usize, Stop) {
        let Some(&first) = bytes.first() else {
            // A walk goes on without further input.
            return match self.phase {
                // The connection may have been paused since it was put on the list of those that can go on.
                Phase::Walk(_) if self.is_paused() => (0, Stop::Paused),
                Phase::Walk(_) if self.output_is_full(cx) => (0, Stop::Later),
                Phase::Walk(_) => (0, walk::resume(self, cx)),
                // A value can be whole without further input, and it can have waited for memory.
                Phase::Value(_) => match self.codec {
                    Some(codec) => steps::consume(self, codec, bytes, cx),
                    None => (0, Stop::Dry),
                },
                _ => (0, Stop::Dry),
            };
        };
        if self.codec.is_none() && may_be_client_hello(bytes) && !self.is_datagram() {
            return self.answer_client_hello(bytes, cx);
        }
        match self.codec.or_else(|| self.choose_codec(first, cx)) {
            Some(codec) => steps::consume(self, codec, bytes, cx),
            None => (0, Stop::Close),
        }
    }

    /// Chooses the protocol for good, by the first byte and by what the listener allows. Returns `None` if the two do
    /// not agree.
    fn choose_codec(&mut self, first: u8, cx: &Cx<'_>) -> Option<Codec> {
        self.codec = match cx.shared.admission.listener(self.listener).protocol {
            BindingProtocol::Auto => Some(Codec::detect(first)),
            // A first byte of the binary protocol is then part of an unknown text command.
            BindingProtocol::Ascii => Some(Codec::Text),
            BindingProtocol::Binary => {
                Some(Codec::Binary).filter(|&codec| codec == Codec::detect(first))
            }
        };
        self.codec
    }

    /// Answers TLS at a plain address as any other unknown command, from which the client learns that this is not TLS.
    /// The rest of the record is dropped once its length is known.
    pub(super) fn answer_client_hello(&mut self, bytes: &[u8], cx: &mut Cx<'_>) -> (usize, Stop) {
        let &[first, _, _, high, low, ..] = bytes else {
            return (0, Stop::Dry);
        };
        if self.choose_codec(first, cx) != Some(Codec::Text) {
            return (0, Stop::Close);
        }
        self.reply(reply::ERROR, cx);
        let record = u64::from(u16::from_be_bytes([high, low]));
        if record > 0 {
            self.phase = Phase::Swallow(record);
        }
        let (used, stop) = steps::consume(self, Codec::Text, &bytes[RECORD_HEAD_BYTES..], cx);
        (RECORD_HEAD_BYTES + used, stop)
    }
}
