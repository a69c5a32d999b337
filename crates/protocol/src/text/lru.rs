//! `lru tune`, `lru mode` and `lru temp_ttl`.

use crate::number::{c_f64, strict_i32, strict_u32};
use crate::reply;
use crate::words::Words;

/// The forms of `lru`. Words may be cut short.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LruRequest {
    /// `tune`.
    Tune {
        /// Share of the HOT list, in percent.
        hot_pct: u32,
        /// Share of the WARM list, in percent.
        warm_pct: u32,
        /// Age of the HOT list's end as a fraction of the age of the COLD list's end.
        hot_factor: f64,
        /// Age of the WARM list's end as a fraction of the age of the COLD list's end.
        warm_factor: f64,
    },
    /// `mode flat` (false) or `mode segmented` (true).
    Segmented(bool),
    /// `temp_ttl`: the largest TTL of the TEMP list; `None` turns the list off.
    TempTtl(Option<u32>),
}

/// The most that HOT and WARM may have together, in percent.
const HOT_AND_WARM_MAX: u64 = 80;

/// Parses what follows the command word; the error is the reply line.
pub(super) fn parse(rest: &[u8]) -> Result<LruRequest, &'static [u8]> {
    let mut words = Words::new(rest);
    match words.next() {
        Some(word) if b"tune".starts_with(word) => tune(words),
        Some(word) if b"mode".starts_with(word) => mode(words.next()),
        Some(word) if b"temp_ttl".starts_with(word) => temp_ttl(words.next()),
        _ => Err(reply::ERROR),
    }
}

fn tune(mut words: Words<'_>) -> Result<LruRequest, &'static [u8]> {
    let mut number = || words.next().and_then(strict_u32).ok_or(reply::ERROR);
    let (hot_pct, warm_pct) = (number()?, number()?);
    let mut factor = || words.next().and_then(c_f64).ok_or(reply::ERROR);
    let (hot_factor, warm_factor) = (factor()?, factor()?);
    if u64::from(hot_pct) + u64::from(warm_pct) > HOT_AND_WARM_MAX {
        return Err(reply::LRU_TUNE_PERCENT);
    }
    if hot_factor <= 0.0 || warm_factor <= 0.0 {
        return Err(reply::LRU_TUNE_FACTOR);
    }
    Ok(LruRequest::Tune {
        hot_pct,
        warm_pct,
        hot_factor,
        warm_factor,
    })
}

fn mode(word: Option<&[u8]>) -> Result<LruRequest, &'static [u8]> {
    match word {
        Some(word) if b"flat".starts_with(word) => Ok(LruRequest::Segmented(false)),
        Some(word) if b"segmented".starts_with(word) => Ok(LruRequest::Segmented(true)),
        _ => Err(reply::ERROR),
    }
}

fn temp_ttl(word: Option<&[u8]>) -> Result<LruRequest, &'static [u8]> {
    let seconds = word.and_then(strict_i32).ok_or(reply::ERROR)?;
    Ok(LruRequest::TempTtl(u32::try_from(seconds).ok()))
}
