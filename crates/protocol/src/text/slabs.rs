//! `slabs reassign <source> <destination>` and `slabs automove ...`.

use crate::number::{c_f64, strict_i32, strict_u32};
use crate::reply;
use crate::words::Words;

/// The forms of `slabs`. Words may be cut short.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SlabsRequest {
    /// `reassign`: a page of the class `source` (any if -1) goes to `destination` (the common pool if 0). `None` when
    /// the words are no numbers, which matters only if pages may be reassigned at all.
    Reassign(Option<(i32, i32)>),
    /// `automove 0`, `1` or `2`.
    Automove(u32),
    /// `automove ratio`.
    AutomoveRatio(f64),
    /// `automove freeratio`.
    AutomoveFreeRatio(f64),
    /// `automove window`, in seconds.
    AutomoveWindow(u32),
}

/// Words of the longest form.
const WORDS_MAX: usize = 4;
/// The seconds that an automove window may have.
const WINDOW: std::ops::RangeInclusive<u32> = 3..=1800;
/// The largest level of automove.
const LEVEL_MAX: u32 = 2;

/// Parses what follows the command word; the error is the reply line.
pub(super) fn parse(rest: &[u8]) -> Result<SlabsRequest, &'static [u8]> {
    let mut words = [b"".as_slice(); WORDS_MAX];
    let mut count = 0;
    for (slot, word) in words.iter_mut().zip(Words::new(rest)) {
        *slot = word;
        count += 1;
    }
    let begins = |full: &[u8]| count > 0 && full.starts_with(words[0]);
    if count == 3 && begins(b"reassign") {
        let numbers = strict_i32(words[1]).zip(strict_i32(words[2]));
        Ok(SlabsRequest::Reassign(numbers))
    } else if count >= 2 && begins(b"automove") {
        automove(words[1], (count > 2).then_some(words[2]))
    } else {
        Err(reply::ERROR)
    }
}

fn automove(word: &[u8], value: Option<&[u8]>) -> Result<SlabsRequest, &'static [u8]> {
    let ratio = || value.and_then(c_f64).ok_or(reply::ERROR);
    if b"ratio".starts_with(word) {
        return Ok(SlabsRequest::AutomoveRatio(ratio()?));
    }
    if b"freeratio".starts_with(word) {
        return Ok(SlabsRequest::AutomoveFreeRatio(ratio()?));
    }
    if b"window".starts_with(word) {
        let window = value.and_then(strict_u32).ok_or(reply::BAD_FORMAT)?;
        return match WINDOW.contains(&window) {
            true => Ok(SlabsRequest::AutomoveWindow(window)),
            false => Err(reply::AUTOMOVE_WINDOW),
        };
    }
    match strict_u32(word) {
        Some(level) if level <= LEVEL_MAX => Ok(SlabsRequest::Automove(level)),
        Some(_) => Err(reply::ERROR),
        None => Err(reply::BAD_FORMAT),
    }
}
