//! Decimal numbers of command lines.
//!
//! A word is a number as a whole or not at all: no spaces, no other base. memcached reads its numbers in two ways, and
//! both are kept, since one takes words that the other refuses:
//!
//! | | strict | as C |
//! | --- | --- | --- |
//! | used for | all other numbers | client flags, exptime and length of the classic storage commands |
//! | signs | `-` where negative numbers make sense | the same, and `+` |
//! | longest word | 11 bytes (32 bits), 22 bytes (64 bits), with sign and zeros in front | none |
//!
//! Strict are, among others: exptime of other commands, delta, cas unique, meta flags, the length of `ms`, and all
//! numbers of admin commands.

/// Longest word of a strict 32-bit number.
const STRICT_32_BYTES_MAX: usize = 11;
/// Longest word of a strict 64-bit number.
const STRICT_64_BYTES_MAX: usize = 22;

/// A strict unsigned 32-bit number.
#[inline]
#[must_use]
pub fn strict_u32(word: &[u8]) -> Option<u32> {
    if word.len() > STRICT_32_BYTES_MAX {
        return None;
    }
    u32::try_from(digits(word)?).ok()
}

/// A strict signed 32-bit number.
#[inline]
#[must_use]
pub fn strict_i32(word: &[u8]) -> Option<i32> {
    if word.len() > STRICT_32_BYTES_MAX {
        return None;
    }
    i32::try_from(signed(word)?).ok()
}

/// A strict unsigned 64-bit number.
#[inline]
#[must_use]
pub fn strict_u64(word: &[u8]) -> Option<u64> {
    if word.len() > STRICT_64_BYTES_MAX {
        return None;
    }
    digits(word)
}

/// An unsigned 64-bit number, as C reads it.
#[inline]
#[must_use]
pub fn c_u64(word: &[u8]) -> Option<u64> {
    digits(without_plus(word))
}

/// A signed 64-bit number, as C reads it.
#[inline]
#[must_use]
pub fn c_i64(word: &[u8]) -> Option<i64> {
    signed(without_plus(word))
}

/// An unsigned 32-bit number, as C reads it.
#[inline]
#[must_use]
pub fn c_u32(word: &[u8]) -> Option<u32> {
    u32::try_from(c_u64(word)?).ok()
}

/// A finite decimal fraction.
#[must_use]
pub fn c_f64(word: &[u8]) -> Option<f64> {
    let value: f64 = str::from_utf8(word).ok()?.parse().ok()?;
    value.is_finite().then_some(value)
}

/// `+` and digits without the `+`; any other word as it is.
#[inline]
fn without_plus(word: &[u8]) -> &[u8] {
    match word {
        [b'+', digits @ ..] if !digits.starts_with(b"-") => digits,
        _ => word,
    }
}

#[inline]
fn signed(word: &[u8]) -> Option<i64> {
    match word {
        [b'-', magnitude @ ..] => 0i64.checked_sub_unsigned(digits(magnitude)?),
        _ => i64::try_from(digits(word)?).ok(),
    }
}

#[inline]
fn digits(word: &[u8]) -> Option<u64> {
    if word.is_empty() {
        return None;
    }
    // 19 digits always fit; the 20th and later ones need the check.
    let (plain, checked) = word.split_at(word.len().min(19));
    let mut value = 0u64;
    for &byte in plain {
        value = value * 10 + u64::from(digit(byte)?);
    }
    for &byte in checked {
        value = value
            .checked_mul(10)?
            .checked_add(u64::from(digit(byte)?))?;
    }
    Some(value)
}

#[inline]
fn digit(byte: u8) -> Option<u8> {
    let digit = byte.wrapping_sub(b'0');
    (digit <= 9).then_some(digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_c_reads_them() {
        for (word, expected) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("+7", Some(7)),
            ("9999999999999999999", Some(9_999_999_999_999_999_999)),
            ("18446744073709551615", Some(u64::MAX)),
            (
                "0000000000000000000000000018446744073709551615",
                Some(u64::MAX),
            ),
            ("18446744073709551616", None),
            ("99999999999999999999", None),
            ("", None),
            ("+", None),
            ("++1", None),
            ("-1", None),
            ("1a", None),
            ("0x10", None),
            ("1\r", None),
        ] {
            assert_eq!(c_u64(word.as_bytes()), expected, "{word:?}");
        }
        assert_eq!(c_i64(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(c_i64(b"-9223372036854775809"), None);
        assert_eq!(c_i64(b"9223372036854775808"), None);
        assert_eq!(c_i64(b"+-1"), None);
    }

    #[test]
    fn strict_numbers() {
        for (word, expected) in [
            ("2147483647", Some(i32::MAX)),
            ("-2147483648", Some(i32::MIN)),
            ("2147483648", None),
            ("-2147483649", None),
            ("-0", Some(0)),
            ("00000000001", Some(1)),
            ("000000000001", None),
            ("+1", None),
            ("-", None),
            ("--1", None),
            ("", None),
        ] {
            assert_eq!(strict_i32(word.as_bytes()), expected, "{word:?}");
        }
        assert_eq!(strict_u32(b"4294967295"), Some(u32::MAX));
        assert_eq!(strict_u32(b"4294967296"), None);
        assert_eq!(strict_u32(b"-1"), None);
        assert_eq!(strict_u32(b"000000000001"), None);
        for (word, expected) in [
            ("18446744073709551615", Some(u64::MAX)),
            ("0018446744073709551615", Some(u64::MAX)),
            ("00018446744073709551615", None),
            ("18446744073709551616", None),
            ("0000000000000000000001", Some(1)),
            ("00000000000000000000001", None),
            ("+1", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(strict_u64(word.as_bytes()), expected, "{word:?}");
        }
    }
}
