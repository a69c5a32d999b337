//! Takes the replies of one connection: finds the request that each answers, and checks whether the reply is the right
//! one.

use super::connection::{Outbox, Pending, Reply};
use super::core::Core;
use super::desync::{Distances, Judgement, Shown};
use super::verify::Violation;
use crate::value::{Check, Damage};
use crate::wire::fault::ProtocolError;
use crate::wire::protocol::Protocol;
use crate::wire::reply::{Kind, ReplySink, Shape, Status, ValueHeader};
use crate::workload::keys::KeyId;
use crate::workload::verb::{KeySpace, Verb};

/// Takes the replies of one connection.
pub(crate) struct Sink<'a> {
    pub(crate) core: &'a mut Core,
    pub(crate) outbox: &'a mut Outbox,
    pub(crate) reply: &'a mut Reply,
}

impl Sink<'_> {
    /// The key that a hit is for; `None` if it was not asked for.
    #[inline]
    fn hit_key(&mut self, pending: &Pending, header: &ValueHeader<'_>) -> Option<KeyId> {
        let named = header
            .key
            .map(|key| self.core.workload.key_format.parse(key));
        if pending.verb != Verb::MultiGet {
            let opaque_fits = header
                .opaque
                .is_none_or(|opaque| opaque == pending.key.0 as u32);
            return match named {
                Some(named) if named != Some(pending.key) => None,
                _ => opaque_fits.then_some(pending.key),
            };
        }
        let named = named??;
        while self.reply.keys_passed < pending.keys {
            let key = self.outbox.keys[usize::from(self.reply.keys_passed)];
            self.reply.keys_passed += 1;
            if key == named {
                return Some(key);
            }
            self.reply.missed.push(key);
        }
        None
    }

    fn end_multiget(&mut self, pending: &Pending) {
        for index in self.reply.keys_passed..pending.keys {
            self.reply.missed.push(self.outbox.keys[usize::from(index)]);
        }
        self.outbox.keys.drain(..usize::from(pending.keys));
    }

    /// Notes a value whose reply names another key.
    #[cold]
    fn other_named(&mut self, header: &ValueHeader<'_>) {
        let named = header
            .key
            .and_then(|key| self.core.workload.key_format.parse(key));
        let opaque = header.opaque;
        let fits = |key: KeyId| match (named, opaque) {
            (Some(named), _) => key == named,
            (None, Some(opaque)) => key.0 as u32 == opaque,
            (None, None) => false,
        };
        let mark = named.map_or(u64::from(opaque.unwrap_or_default()), |key| key.0);
        self.note_other(mark, fits);
        if self.reply.came.is_empty() {
            self.reply.came = match (header.key, opaque) {
                (Some(key), _) => format!("the value of {}", key.escape_ascii()),
                (None, Some(opaque)) => format!("the value of key number {opaque}"),
                (None, None) => "the value of another key".to_owned(),
            };
        }
    }

    /// Notes a value that is marked as another key's.
    #[cold]
    fn other_marked(&mut self, mark: Option<u64>) {
        self.note_other(mark.unwrap_or_default(), |key| Some(key.mix()) == mark);
        if self.reply.came.is_empty() {
            self.reply.came = "a value marked as another key's".to_owned();
        }
    }

    fn note_other(&mut self, mark: u64, fits: impl Fn(KeyId) -> bool) {
        if matches!(self.reply.shown, Shown::Other(..)) {
            return;
        }
        let distances = self.distances(fits);
        self.reply.shown = Shown::Other(mark, distances);
    }

    /// The distances from the oldest outstanding request at which a fitting key was asked for.
    fn distances(&self, fits: impl Fn(KeyId) -> bool) -> Distances {
        let mut distances = Distances::default();
        if self
            .reply
            .suspicion
            .answered
            .is_some_and(|(_, key)| fits(key))
        {
            distances.insert(0);
        }
        let mut first_key = 0;
        for (distance, pending) in self.outbox.pending.iter().enumerate() {
            if distance > Distances::MAX {
                break;
            }
            let is_multiget = pending.verb == Verb::MultiGet;
            let keys = if is_multiget {
                usize::from(pending.keys)
            } else {
                0
            };
            let asks = if is_multiget {
                self.outbox
                    .keys
                    .range(first_key..first_key + keys)
                    .any(|&key| fits(key))
            } else {
                pending.verb.reads() && fits(pending.key)
            };
            if distance > 0 && asks {
                distances.insert(distance);
            }
            first_key += keys;
        }
        distances
    }

    /// The request in words.
    fn describe(&mut self, pending: &Pending) -> String {
        let mut key = Vec::new();
        let workload = &self.core.workload;
        workload
            .key_format
            .render(pending.space, pending.key, &mut key);
        format!("{} {}", pending.verb.name(), key.escape_ascii())
    }

    /// Judges a reply of a kind that no server sends to such a request: it may belong to another request.
    #[cold]
    fn misplaced(&mut self, pending: &Pending, kind: Kind) -> ProtocolError {
        let request = self.describe(pending);
        let protocol = self.core.protocol;
        let is_repeated = self
            .reply
            .suspicion
            .answered
            .is_some_and(|(verb, _)| kind.fits(verb, protocol));
        let is_anothers = is_repeated
            || self
                .outbox
                .pending
                .iter()
                .any(|pending| kind.fits(pending.verb, protocol));
        let came = match kind {
            Kind::Opcode(opcode) => format!("a reply with opcode {opcode:#04x}"),
            kind => format!("a reply of kind {kind:?}").to_lowercase(),
        };
        let example = format!("{request} was answered with {came}");
        if is_anothers {
            return ProtocolError::shifted(example);
        }
        ProtocolError::new("a reply that does not fit the request", example.as_bytes())
    }

    /// Judges the connection by a finished reply.
    #[inline]
    fn weigh(&mut self, pending: &Pending) -> Result<(), ProtocolError> {
        let shown = std::mem::take(&mut self.reply.shown);
        if matches!(shown, Shown::Nothing) {
            return Ok(());
        }
        let judgement = if matches!(shown, Shown::Own) {
            self.reply.suspicion.weigh(shown, String::new)
        } else {
            let came = std::mem::take(&mut self.reply.came);
            let example = format!("{} was answered with {came}", self.describe(pending));
            self.reply.suspicion.weigh(shown, || example)
        };
        match judgement {
            Judgement::None => Ok(()),
            Judgement::Corrupt(count, example) => {
                self.core
                    .verifier
                    .violate_with(Violation::WrongKey, count, || example);
                Ok(())
            }
            Judgement::Shifted(example) => Err(ProtocolError::shifted(example)),
        }
    }
}

impl ReplySink for Sink<'_> {
    #[inline]
    fn shape(&self) -> Option<Shape> {
        let pending = self.outbox.pending.front()?;
        Some(
            if pending.verb == Verb::MultiGet && self.core.protocol != Protocol::Text {
                Shape::UntilNoop
            } else {
                Shape::One
            },
        )
    }

    #[inline]
    fn value(&mut self, header: &ValueHeader<'_>) -> Result<(), ProtocolError> {
        let Some(&pending) = self.outbox.pending.front() else {
            return Ok(());
        };
        if !header.kind.fits(pending.verb, self.core.protocol) {
            return Err(self.misplaced(&pending, header.kind));
        }
        self.reply.hits += 1;
        self.reply.cas_unique = header.cas_unique;
        self.reply.checking = pending.space == KeySpace::Values && self.core.workload.spec.verify;
        if !self.reply.checking {
            return Ok(());
        }
        match self.hit_key(&pending, header) {
            Some(key) => {
                self.reply.key = key;
                self.reply.check =
                    Check::new(key, header.bytes, self.core.workload.sizes.value_bytes(key));
            }
            None => {
                self.reply.checking = false;
                self.other_named(header);
            }
        }
        Ok(())
    }

    #[inline]
    fn body(&mut self, piece: &[u8]) {
        if self.reply.checking {
            self.reply.check.feed(piece);
        }
    }

    #[inline]
    fn value_end(&mut self) {
        if !self.reply.checking {
            return;
        }
        let sent_ns = self
            .outbox
            .pending
            .front()
            .map_or(0, |pending| pending.sent_ns);
        match self.reply.check.finish() {
            Ok(mark) => {
                if self.reply.shown == Shown::Nothing {
                    self.reply.shown = Shown::Own;
                }
                if let Some(mark) = mark {
                    self.core
                        .verifier
                        .judge(&mark, sent_ns, &self.core.watermarks);
                }
            }
            Err(Damage::WrongKey) => {
                let mark = self.reply.check.found_key_mark();
                self.other_marked(mark);
            }
            Err(damage) => self
                .core
                .verifier
                .violate(damage.into(), self.reply.key, None),
        }
    }

    fn error_text(&mut self, text: &[u8]) {
        self.core.note_error(text);
    }

    #[inline]
    fn done(&mut self, status: Status, kind: Kind) -> Result<(), ProtocolError> {
        let Some(&pending) = self.outbox.pending.front() else {
            return Ok(());
        };
        if !kind.fits(pending.verb, self.core.protocol) {
            return Err(self.misplaced(&pending, kind));
        }
        self.weigh(&pending)?;
        self.outbox.pending.pop_front();
        self.core.in_flight -= 1;
        if pending.verb == Verb::MultiGet {
            self.end_multiget(&pending);
        }
        self.reply.suspicion.answered = Some((pending.verb, pending.key));
        self.core.record(&pending, status, self.reply.hits);
        self.core.acknowledge(&pending, status);
        self.core.follow(self.outbox, self.reply, &pending, status);
        self.reply.reset();
        Ok(())
    }
}
