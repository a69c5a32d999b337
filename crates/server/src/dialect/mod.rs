//! Protocols write outcomes: there is one file for each protocol, and outcomes become bytes nowhere else.
//!
//! ```text
//!   request --> Op ------> execute --> Outcome --+--> text      what comes before a value, or all of the reply
//!          +--> Style -------------------------- +--> meta
//!                                                +--> binary
//!   elsewhere  a lookup in another shard's memory, answered here
//!   value   the value of a hit behind that: copied, or sent from where it is
//!   notice  replies to commands that are not about a key       dump   lines about items that a walk passes
//! ```
//!
//! The crate `protocol` turns bytes into requests; a connection turns requests into operations (`conn/text`,
//! `conn/binary`).

mod binary;
pub(crate) mod dump;
pub(crate) mod elsewhere;
mod meta;
pub(crate) mod notice;
mod text;
pub(crate) mod value;

use corecached_engine::{Fetch, Seconds};
use corecached_protocol::binary::Head;
use corecached_reactor::Outgoing;

use crate::cell::access::Access;
use crate::cell::execute::execute;
use crate::cell::op::{Op, Verb};
use crate::cell::outcome::{Changed, HitView, Outcome};

pub(crate) use meta::MetaStyle;
pub(crate) use text::prefix_lines;

/// The protocol that a reply is written in, with the request's wishes for its reply.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Style<'a> {
    /// There is no reply: `noreply`, and operations that no client asked for.
    None,
    /// Classic text.
    Text {
        /// Whether a hit shows the cas unique (`gets`, `gats`).
        with_cas: bool,
    },
    /// A packet of the binary protocol, or none: the opcode decides which outcomes are answered.
    Binary(Head),
    /// Meta commands.
    Meta(MetaStyle<'a>),
}

/// The value follows, and then these bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ThenValue(pub(crate) &'static [u8]);

/// Runs an operation and appends its reply, if it has one, to `out`.
#[inline]
pub(crate) fn answer(access: &mut Access<'_>, op: &Op<'_>, style: &Style<'_>, out: &mut Outgoing) {
    let now = access.now;
    let (hit, then) = match execute(access, op) {
        Outcome::Hit(hit) => {
            let then = style.hit(op, &hit, now, &mut out.bytes);
            (hit, then)
        }
        Outcome::Miss => return style.miss(op, &mut out.bytes),
        Outcome::Changed(changed) => {
            return style.changed(op.key, &changed, now, &mut out.bytes);
        }
        Outcome::OutOfMemory(hit) => {
            let then = style.out_of_memory(op.key, &hit, &mut out.bytes);
            (hit, then)
        }
    };
    let Some(ThenValue(end)) = then else { return };
    if value::stays_in_place(hit.value_len(), out.bytes.len()) {
        let item = hit.handle();
        value::send_in_place(access, item, out);
    } else {
        value::copy(&hit, &mut out.bytes);
    }
    out.bytes.extend_from_slice(end);
}

impl<'a> Style<'a> {
    /// Classic text without anything special.
    pub(crate) const TEXT: Style<'static> = Style::Text { with_cas: false };

    /// Classic text; no reply if `noreply`.
    #[inline]
    pub(crate) fn text_unless(noreply: bool) -> Style<'static> {
        if noreply { Style::None } else { Style::TEXT }
    }

    /// Whether the outcome is never told.
    #[inline]
    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Style::None)
    }

    /// The words of the request that the reply needs; empty for most.
    #[inline]
    pub(crate) fn words(&self) -> &'a [u8] {
        match *self {
            Style::Meta(style) => style.flags.words(),
            Style::None | Style::Text { .. } | Style::Binary(_) => &[],
        }
    }

    /// The same style with `words`, a copy of its words.
    #[inline]
    pub(crate) fn with_words<'b>(self, words: &'b [u8]) -> Style<'b> {
        match self {
            Style::None => Style::None,
            Style::Text { with_cas } => Style::Text { with_cas },
            Style::Binary(head) => Style::Binary(head),
            Style::Meta(style) => Style::Meta(style.with_words(words)),
        }
    }

    /// Appends the reply to a lookup that has found an item: all bytes before its value, if the value is told.
    #[inline]
    pub(crate) fn hit(
        &self,
        op: &Op<'_>,
        hit: &impl HitView,
        now: Seconds,
        out: &mut Vec<u8>,
    ) -> Option<ThenValue> {
        match self {
            Style::Text { with_cas } => Some(text::hit(op.key, hit, *with_cas, out)),
            Style::Meta(_) if op.verb.inspects() => {
                meta::innards(op.key, hit, now, out);
                None
            }
            Style::Meta(style) => meta::hit(op.key, style, hit, now, out),
            Style::Binary(head) => binary::hit(op.key, *head, hit, out),
            Style::None => None,
        }
    }

    /// Appends the reply to a lookup that has found nothing.
    #[inline]
    pub(crate) fn miss(&self, op: &Op<'_>, out: &mut Vec<u8>) {
        match self {
            Style::Binary(head) => binary::miss(op.key, *head, out),
            Style::Meta(_) if op.verb.inspects() => meta::no_innards(out),
            Style::Meta(style) => meta::miss(op.key, style, out),
            // The line that ends the reply says all.
            Style::Text { .. } | Style::None => {}
        }
    }

    /// Appends the reply to a lookup that had no memory for the item's new deadline.
    #[cold]
    fn out_of_memory(
        &self,
        key: &[u8],
        hit: &impl HitView,
        out: &mut Vec<u8>,
    ) -> Option<ThenValue> {
        match self {
            // In the reply to several keys of `gat`, an error line would be taken for the end. The client gets the
            // value, whose deadline is unchanged.
            Style::Text { with_cas } => return Some(text::hit(key, hit, *with_cas, out)),
            Style::Meta(_) => meta::out_of_memory(out),
            Style::Binary(head) => binary::out_of_memory(*head, out),
            Style::None => {}
        }
        None
    }

    /// Appends the reply to a change.
    #[inline]
    pub(crate) fn changed(&self, key: &[u8], changed: &Changed, now: Seconds, out: &mut Vec<u8>) {
        match self {
            Style::Text { .. } => text::changed(changed, out),
            Style::Meta(style) => meta::changed(key, style, changed, now, out),
            Style::Binary(head) => binary::changed(*head, changed, out),
            Style::None => {}
        }
    }
}

impl Verb<'_> {
    /// Whether a lookup asks for facts about the item and not for its value: `me`.
    #[inline]
    fn inspects(&self) -> bool {
        matches!(self, Verb::Get(Fetch::Inspect))
    }
}
