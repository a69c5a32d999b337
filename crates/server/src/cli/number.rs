//! Numbers as memcached reads them: the digits at the beginning count, the rest is ignored (`atoi`, `strtol`, `atof`).

/// The integer at the beginning of `text`; `None` if there is no digit. Numbers that do not fit stop at the limit.
pub(super) fn leading_integer(text: &str) -> Option<i64> {
    let text = text.trim_start();
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let end = digits.bytes().take_while(u8::is_ascii_digit).count();
    if end == 0 {
        return None;
    }
    let magnitude = digits[..end].parse().unwrap_or(i64::MAX);
    Some(if negative { -magnitude } else { magnitude })
}

/// What `atoi` makes of `text`: 0 without a digit; of a number that does not fit, the lower half.
pub(super) fn atoi(text: &str) -> i32 {
    leading_integer(text).unwrap_or(0) as i32
}

/// The octal digits at the beginning of `text`, as `strtol` reads them: 0 if there are none.
pub(super) fn leading_octal(text: &str) -> i64 {
    let text = text.trim_start();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = digits
        .bytes()
        .take_while(|digit| (b'0'..=b'7').contains(digit));
    match &digits[..end.count()] {
        "" => 0,
        octal => sign * i64::from_str_radix(octal, 8).unwrap_or(i64::MAX),
    }
}

/// The number at the beginning of `text`, or 0.
pub(super) fn leading_float(text: &str) -> f64 {
    let text = text.trim_start();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '+' | '-' | 'e' | 'E'))
        .unwrap_or(text.len());
    let number = (0..=end)
        .rev()
        .find_map(|end| text[..end].parse::<f64>().ok());
    number.filter(|number| number.is_finite()).unwrap_or(0.0)
}

/// A number without a minus that takes up all of `text`, as memcached's `safe_strtoul` reads it: white space may
/// stand around it, and of a number above 32 bits the lower 32 count.
pub(super) fn whole_u32(text: &str) -> Option<u32> {
    let number = text.split_ascii_whitespace().next()?;
    number.parse::<u64>().ok().map(|number| number as u32)
}

/// A fraction that takes up all of `text`, as memcached's `safe_strtod` reads it.
pub(super) fn whole_float(text: &str) -> Option<f64> {
    let number = text.split_ascii_whitespace().next()?.parse::<f64>().ok();
    number.filter(|number| number.is_finite())
}

/// A size in bytes: digits, then k, m or g or nothing. `None` if it does not fit or is negative.
pub(super) fn size_in_bytes(text: &str) -> Option<u64> {
    let number = u64::try_from(leading_integer(text)?).ok()?;
    let unit: u64 = match text.as_bytes().last()? {
        b'k' | b'K' => 1 << 10,
        b'm' | b'M' => 1 << 20,
        b'g' | b'G' => 1 << 30,
        _ => 1,
    };
    number.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_end_where_the_digits_end() {
        assert_eq!(leading_integer("64m"), Some(64));
        assert_eq!(leading_integer(" -1"), Some(-1));
        assert_eq!(leading_integer("+7 x"), Some(7));
        assert_eq!(leading_integer("99999999999999999999"), Some(i64::MAX));
        for nothing in ["", "-", "abc", "k1"] {
            assert_eq!(leading_integer(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_word_is_0_to_atoi() {
        for (text, number) in [
            ("", 0),
            ("x", 0),
            (" 7x", 7),
            ("-5", -5),
            ("4294967295", -1),
            ("99999999999", 1_215_752_191),
        ] {
            assert_eq!(atoi(text), number, "{text}");
        }
    }

    #[test]
    fn octal_numbers_end_where_their_digits_end() {
        for (text, number) in [
            ("0770", 0o770),
            (" 7x", 7),
            ("0x10", 0),
            ("rwx", 0),
            ("789", 7),
            ("-1", -1),
            ("9999", 0),
        ] {
            assert_eq!(leading_octal(text), number, "{text}");
        }
        assert_eq!(leading_octal(&"7".repeat(30)), i64::MAX);
    }

    #[test]
    fn whole_numbers_may_have_white_space_around_them() {
        for text in ["100", " 100", "100 ", "+100", "100 x"] {
            assert_eq!(whole_u32(text), Some(100), "{text}");
            assert_eq!(whole_float(text), Some(100.0), "{text}");
        }
        assert_eq!(whole_u32("4294967297"), Some(1));
        for bad in ["", " ", "x", "1x", "-1", "1.5", "0x10"] {
            assert_eq!(whole_u32(bad), None, "{bad}");
        }
        assert_eq!(whole_float("-1.5"), Some(-1.5));
        for bad in ["", " ", "x", "1x", "nan"] {
            assert_eq!(whole_float(bad), None, "{bad}");
        }
    }

    #[test]
    fn floats_end_where_the_number_ends() {
        assert_eq!(leading_float("1.25"), 1.25);
        assert_eq!(leading_float("1.5x"), 1.5);
        assert_eq!(leading_float("2e"), 2.0);
        for nothing in ["", "abc", "nan", "inf", "-"] {
            assert_eq!(leading_float(nothing), 0.0, "{nothing}");
        }
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(size_in_bytes("1024"), Some(1024));
        assert_eq!(size_in_bytes("2k"), Some(2048));
        assert_eq!(size_in_bytes("1M"), Some(1 << 20));
        assert_eq!(size_in_bytes("1g"), Some(1 << 30));
        assert_eq!(size_in_bytes("99999999999999g"), None);
        assert_eq!(size_in_bytes("-1k"), None);
        assert_eq!(size_in_bytes("m"), None);
    }
}
