//! incr and decr.
//!
//! ```text
//! as long as before or shorter --> written over the old digits, padded with spaces        longer --> stored anew
//! ```

use super::Seen;
use crate::api::{Arith, ArithExtras, ArithOp, ArithOutcome};
use crate::contents::Contents;
use crate::engine::Engine;
use crate::item::{Fields, Marks};
use crate::slab::ChunkRef;
use crate::types::{KeyHash, Seconds};

/// Digits of the largest 64-bit number.
const DIGITS_MAX: usize = 20;

impl Engine {
    /// Adds to or subtracts from a decimal number, keeping client flags and, unless told otherwise, deadline.
    ///
    /// A result that is not longer is written in place, padded with spaces, unless the item is pinned or has no room
    /// for its new deadline or cas unique.
    pub fn arith(
        &mut self,
        key: &[u8],
        hash: KeyHash,
        arith: &Arith,
        now: Seconds,
    ) -> ArithOutcome {
        self.contents.clock.advance(now);
        let seen = self.look_up(key, hash);
        let Some((_, chunk)) = seen.live() else {
            if arith.extras.create.is_some() {
                return self.create_number(key, hash, &arith.extras, seen);
            }
            self.telemetry.arith_miss(arith.op);
            return ArithOutcome::NotFound;
        };
        let item = self.contents.items.item(chunk);
        // In memcached's order: an empty value is refused as no number before the cas unique is compared, any other
        // text after that.
        if item.value_bytes() == 0 {
            return ArithOutcome::NonNumeric;
        }
        if arith.extras.compare.is_some_and(|cas| cas != item.cas()) {
            return ArithOutcome::Exists;
        }
        let number = if item.head.is_chain() {
            None
        } else {
            parse(item.value_here())
        };
        let Some(number) = number else {
            return ArithOutcome::NonNumeric;
        };
        let value = match arith.op {
            ArithOp::Incr => number.wrapping_add(arith.delta),
            ArithOp::Decr => number.saturating_sub(arith.delta),
        };
        let deadline = item.deadline();
        match self.change_number(key, hash, seen, value, &arith.extras) {
            Some(cas) => {
                let found = self.contents.find(key, hash);
                let (_, chunk) = found.expect("the number was just stored");
                self.telemetry.arith_hit(arith.op, self.class_of(chunk));
                ArithOutcome::Number {
                    value,
                    cas,
                    deadline,
                    created: false,
                }
            }
            None => ArithOutcome::OutOfMemory,
        }
    }

    /// Writes a number in place of the present one. Returns the new cas unique; `None` if there is no memory.
    fn change_number(
        &mut self,
        key: &[u8],
        hash: KeyHash,
        seen: Seen,
        value: u64,
        extras: &ArithExtras,
    ) -> Option<u64> {
        let (_, chunk) = seen.live()?;
        let item = self.contents.items.item(chunk);
        let (head, deadline) = (item.head, extras.deadline.unwrap_or(item.deadline()));
        let mut buffer = [0; DIGITS_MAX];
        let digits = format(value, &mut buffer);
        let in_place = digits.len() <= item.value_bytes()
            && (self.contents.items).has_room(head, deadline, extras.new_cas.unwrap_or(0))
            && !self.contents.is_pinned(chunk);
        if in_place {
            let cas = self.cas.or_next(extras.new_cas);
            self.contents.change(hash, |contents| {
                if head.has_deadline() {
                    contents.items.set_deadline(chunk, deadline);
                }
                contents.write_number(chunk, digits);
                contents.items.set_cas(chunk, cas);
                contents.mark_used(chunk);
            });
            return Some(cas);
        }
        let fields = Fields {
            key,
            client_flags: item.client_flags(),
            deadline,
            cas: extras.new_cas,
            marks: head.marks(),
            deadline_room: self.keeps_deadline_room(),
            value_bytes: digits.len(),
        };
        let class = self.contents.single_class(&fields);
        self.put(fields, hash, digits, class, seen).cas()
    }

    /// Stores a number under a key that has no item. It counts neither as a hit nor as a miss.
    fn create_number(
        &mut self,
        key: &[u8],
        hash: KeyHash,
        extras: &ArithExtras,
        seen: Seen,
    ) -> ArithOutcome {
        let Some((value, deadline)) = extras.create else {
            return ArithOutcome::NotFound;
        };
        let mut buffer = [0; DIGITS_MAX];
        let digits = format(value, &mut buffer);
        let fields = Fields {
            key,
            client_flags: 0,
            deadline,
            cas: extras.new_cas,
            marks: Marks::NONE.with_binary_key(extras.binary_key),
            deadline_room: self.keeps_deadline_room(),
            value_bytes: digits.len(),
        };
        let class = self.contents.single_class(&fields);
        match self.put(fields, hash, digits, class, seen).cas() {
            Some(cas) => ArithOutcome::Number {
                value,
                cas,
                deadline,
                created: true,
            },
            None => ArithOutcome::OutOfMemory,
        }
    }
}

impl Contents {
    /// Writes digits over the value, padded with spaces.
    fn write_number(&mut self, chunk: ChunkRef, digits: &[u8]) {
        let (at, len) = self.items.value_range(chunk);
        let segment = &mut self.items.slabs.segment;
        segment.write(at, digits);
        segment.fill(at + digits.len(), len - digits.len(), b' ');
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// The number at the start of a value, read as C's `strtoull` reads it: white space and a `+` may come first; it must
/// end at white space, at a NUL or with the value.
fn parse(value: &[u8]) -> Option<u64> {
    let start = value.iter().position(|&byte| !is_space(byte))?;
    let value = &value[start..];
    let value = value.strip_prefix(b"+").unwrap_or(value);
    let len = value
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(value.len());
    let ends = value
        .get(len)
        .is_none_or(|&byte| byte == 0 || is_space(byte));
    if len == 0 || !ends {
        return None;
    }
    value[..len].iter().try_fold(0u64, |number, &digit| {
        number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    })
}

fn format(mut value: u64, buffer: &mut [u8; DIGITS_MAX]) -> &[u8] {
    let mut at = DIGITS_MAX;
    loop {
        at -= 1;
        buffer[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            return &buffer[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_strtoull_reads_them() {
        for (text, number) in [
            ("0", Some(0)),
            ("  42", Some(42)),
            ("+7", Some(7)),
            (" +7 ", Some(7)),
            ("1 2", Some(1)),
            ("9 ", Some(9)),
            ("007", Some(7)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("", None),
            (" ", None),
            ("-1", None),
            ("+-1", None),
            ("+", None),
            ("1a", None),
            ("a1", None),
        ] {
            assert_eq!(parse(text.as_bytes()), number, "{text:?}");
        }
    }

    #[test]
    fn numbers_are_written_in_decimal() {
        for value in [0, 9, 10, 12_345, u64::MAX] {
            assert_eq!(
                format(value, &mut [0; DIGITS_MAX]),
                value.to_string().as_bytes()
            );
        }
    }
}
