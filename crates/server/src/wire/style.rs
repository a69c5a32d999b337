//! The protocol that a reply is written in: it chooses between the files of the protocols.

use corecached_engine::{Fetch, Seconds};
use corecached_protocol::binary::Head;

use crate::operation::Pairs;
use crate::operation::op::{Op, Verb};
use crate::operation::outcome::{Changed, HitView};

use super::meta::MetaStyle;
use super::notice::Notice;
use super::value::ThenValue;
use super::{binary, meta, text};

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
    pub(super) fn out_of_memory(
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

    /// Appends a notice.
    pub(crate) fn notice(&self, notice: Notice<'_>, out: &mut Vec<u8>) {
        match self {
            Style::Text { .. } => text::notice(notice, out),
            Style::Binary(head) => binary::notice(*head, notice, out),
            // There are no such meta commands.
            Style::Meta(_) | Style::None => {}
        }
    }

    /// Appends statistics that are complete.
    pub(crate) fn statistics(&self, pairs: &Pairs, out: &mut Vec<u8>) {
        self.notice(Notice::Statistics(pairs), out);
        self.notice(Notice::StatisticsEnd, out);
    }
}

impl Verb<'_> {
    /// Whether a lookup asks for facts about the item and not for its value: `me`.
    #[inline]
    fn inspects(&self) -> bool {
        matches!(self, Verb::Get(Fetch::Inspect))
    }
}
