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

/// A 32-bit number that takes up all of `text`.
pub(super) fn whole_u32(text: &str) -> Option<u32> {
    text.parse().ok()
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
