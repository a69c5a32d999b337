//! Quantities as people write and read them: `500us`, `64k`, `1.2M`, `10%`.
//!
//! One parser and one formatter per kind of quantity, used by the command line, the SLO expressions and the
//! reports, so that what a report prints can be pasted back into an option.

use std::time::Duration;

/// The longest time an option may ask for.
const LENGTH_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
/// The shortest window of a time series: below it there are more windows than requests.
const INTERVAL_MIN: Duration = Duration::from_millis(10);
/// The lowest rate of an open loop: one request in 100 s.
const LOAD_RATE_MIN: f64 = 0.01;
/// The highest: many times what a machine can send.
const LOAD_RATE_MAX: f64 = 100e6;

/// Splits `text` into its leading number (`12`, `1.5`, `1e6`) and the suffix behind it.
fn split_number(text: &str) -> Result<(f64, &str), String> {
    let text = text.trim();
    let wrong = || format!("'{text}' does not begin with a number");
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let end = end + exponent_length(&text[end..]);
    let (digits, suffix) = text.split_at(end);
    let number = digits.parse::<f64>().map_err(|_| wrong())?;
    if !number.is_finite() {
        return Err(format!("'{text}' is too large"));
    }
    Ok((number, suffix.trim()))
}

/// The length of `e6` or `e-3` at the beginning of `text`, or 0.
fn exponent_length(text: &str) -> usize {
    let Some(rest) = text.strip_prefix(['e', 'E']) else {
        return 0;
    };
    let unsigned = rest.strip_prefix(['+', '-']).unwrap_or(rest);
    let digits = unsigned
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(unsigned.len());
    if digits == 0 {
        0
    } else {
        1 + rest.len() - unsigned.len() + digits
    }
}

/// A time to measure for: above 0, up to 30 days.
pub fn parse_length(text: &str) -> Result<Duration, String> {
    let length = parse_pause(text)?;
    if length.is_zero() {
        return Err("must be above 0".to_owned());
    }
    Ok(length)
}

/// A time that may be 0, up to 30 days.
pub fn parse_pause(text: &str) -> Result<Duration, String> {
    let length = parse_duration(text)?;
    if length > LENGTH_MAX {
        return Err("must be at most 30 days".to_owned());
    }
    Ok(length)
}

/// The length of a window in a time series.
pub fn parse_interval(text: &str) -> Result<Duration, String> {
    let interval = parse_length(text)?;
    if interval < INTERVAL_MIN {
        return Err(format!("must be at least {INTERVAL_MIN:?}"));
    }
    Ok(interval)
}

/// The rate of an open loop: from one request in 100 s to 100 M/s.
pub fn parse_load_rate(text: &str) -> Result<f64, String> {
    let rate = parse_rate(text)?;
    if !(LOAD_RATE_MIN..=LOAD_RATE_MAX).contains(&rate) {
        return Err(format!(
            "must lie between {LOAD_RATE_MIN} and {}/s",
            format_count(LOAD_RATE_MAX)
        ));
    }
    Ok(rate)
}

/// A count, a rate or bits per second of which there must be some.
pub fn parse_positive(text: &str) -> Result<f64, String> {
    let number = parse_rate(text)?;
    if number <= 0.0 {
        return Err("must be above 0".to_owned());
    }
    Ok(number)
}

/// A share above 0 and below all: `2%`, `0.3`.
pub fn parse_precision(text: &str) -> Result<f64, String> {
    let share = parse_share(text)?;
    if share <= 0.0 || share >= 1.0 {
        return Err("must lie between 0% and 100%".to_owned());
    }
    Ok(share)
}

/// A share from nothing to less than all.
pub fn parse_share_below_all(text: &str) -> Result<f64, String> {
    let share = parse_share(text)?;
    if share >= 1.0 {
        return Err("must be below 100%".to_owned());
    }
    Ok(share)
}

/// The weight of a list's entry: a number, 0 or more.
pub fn parse_weight(text: &str) -> Result<f64, String> {
    text.parse::<f64>()
        .ok()
        .filter(|weight| weight.is_finite() && *weight >= 0.0)
        .ok_or_else(|| format!("'{text}' is not a weight"))
}

/// A duration with its unit: `250ns`, `500us`, `1.5ms`, `10s`, `2m`. A bare number means seconds.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, suffix) = split_number(text)?;
    let seconds = match suffix {
        "ns" => number * 1e-9,
        "us" | "µs" => number * 1e-6,
        "ms" => number * 1e-3,
        "" | "s" => number,
        "m" | "min" => number * 60.0,
        "h" => number * 3600.0,
        other => {
            return Err(format!(
                "unknown time unit '{other}' (use ns, us, ms, s, m or h)"
            ));
        }
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| "is too long a time".to_owned())
}

/// A count or a rate with a decimal suffix: `100k` is 100,000, `1.5M` is 1,500,000. `/s` at the end is allowed.
pub fn parse_count(text: &str) -> Result<u64, String> {
    parse_rate(text).map(|number| number.round() as u64)
}

/// As [`parse_count`], keeping the fraction.
pub fn parse_rate(text: &str) -> Result<f64, String> {
    let text = text.trim();
    let (number, suffix) = split_number(text.strip_suffix("/s").unwrap_or(text))?;
    let scale = match suffix {
        "" => 1.0,
        "k" | "K" => 1e3,
        "M" | "m" => 1e6,
        "G" | "g" | "B" => 1e9,
        other => return Err(format!("unknown suffix '{other}' (use k, M or G)")),
    };
    Ok(number * scale)
}

/// A size in bytes: `100`, `16k`, `1m`, `2g`; the suffixes are powers of 1024, as in memcached's options.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let (number, suffix) = split_number(text)?;
    let scale = match suffix.to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" | "kib" => 1024.0,
        "m" | "mb" | "mib" => 1024.0 * 1024.0,
        "g" | "gb" | "gib" => 1024.0 * 1024.0 * 1024.0,
        other => return Err(format!("unknown size suffix '{other}' (use k, m or g)")),
    };
    Ok((number * scale).round() as u64)
}

/// A share: `10%` is 0.1, and so is `0.1`.
pub fn parse_share(text: &str) -> Result<f64, String> {
    let (number, suffix) = split_number(text)?;
    match suffix {
        "%" => Ok(number / 100.0),
        "" => Ok(number),
        other => Err(format!(
            "unknown suffix '{other}' (use a fraction or a percentage)"
        )),
    }
}

/// Nanoseconds with three significant digits and the unit that suits them.
#[must_use]
pub fn format_ns(ns: f64) -> String {
    let (number, unit) = match ns {
        ns if ns < 1e3 => (ns, "ns"),
        ns if ns < 1e6 => (ns / 1e3, "us"),
        ns if ns < 1e9 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    format!("{} {unit}", three_digits(number))
}

/// A latency, or a dash where there is none.
#[must_use]
pub fn format_latency(ns: Option<u64>) -> String {
    ns.map_or_else(|| "-".to_owned(), |ns| format_ns(ns as f64))
}

/// A count or rate with three significant digits: `1.32 M`, `48.2 k`, `950`.
#[must_use]
pub fn format_count(count: f64) -> String {
    match count {
        count if count < 10.0 => with_fraction(count),
        count if count < 1e4 => format!("{count:.0}"),
        count if count < 1e6 => format!("{} k", three_digits(count / 1e3)),
        count if count < 1e9 => format!("{} M", three_digits(count / 1e6)),
        count => format!("{} G", three_digits(count / 1e9)),
    }
}

/// Bytes with three significant digits and a binary unit.
#[must_use]
pub fn format_bytes(bytes: f64) -> String {
    const KIB: f64 = 1024.0;
    match bytes {
        bytes if bytes < KIB => format!("{bytes:.0} B"),
        bytes if bytes < KIB * KIB => format!("{} KiB", three_digits(bytes / KIB)),
        bytes if bytes < KIB * KIB * KIB => format!("{} MiB", three_digits(bytes / KIB / KIB)),
        bytes => format!("{} GiB", three_digits(bytes / KIB / KIB / KIB)),
    }
}

/// A share as a percentage with as many decimals as a small share needs.
#[must_use]
pub fn format_share(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        0.0 => "0%".to_owned(),
        p if p < 0.1 => format!("{p:.4}%"),
        p if p < 10.0 => format!("{p:.2}%"),
        p => format!("{p:.1}%"),
    }
}

/// A number below 10: with as many decimals as it takes to tell it from nothing, and none if it is whole.
fn with_fraction(number: f64) -> String {
    let decimals = if number >= 0.1 { 2 } else { 4 };
    let text = format!("{number:.decimals$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "0" && number > 0.0 {
        return format!("{number:.1e}");
    }
    text.to_owned()
}

fn three_digits(number: f64) -> String {
    match number {
        n if n < 10.0 => format!("{n:.2}"),
        n if n < 100.0 => format!("{n:.1}"),
        n => format!("{n:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_parse_with_their_units() {
        assert_eq!(parse_duration("500us"), Ok(Duration::from_micros(500)));
        assert_eq!(parse_duration("1.5ms"), Ok(Duration::from_micros(1500)));
        assert_eq!(parse_duration("10"), Ok(Duration::from_secs(10)));
        assert_eq!(parse_count("1.5M"), Ok(1_500_000));
        assert_eq!(parse_count("100k/s"), Ok(100_000));
        assert_eq!(parse_bytes("16k"), Ok(16_384));
        assert_eq!(parse_share("10%"), Ok(0.1));
        assert_eq!(parse_share("0.25"), Ok(0.25));
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        assert!(parse_duration("5 parsecs").is_err());
        assert!(parse_count("many").is_err());
        assert!(parse_bytes("12x").is_err());
        assert!(parse_share("3 apples").is_err());
    }

    #[test]
    fn exponents_are_numbers_and_not_suffixes() {
        assert_eq!(parse_rate("1e6"), Ok(1_000_000.0));
        assert_eq!(parse_rate("2.5E3/s"), Ok(2_500.0));
        assert_eq!(parse_rate("1e3k"), Ok(1_000_000.0));
        assert_eq!(parse_count("5e-1M"), Ok(500_000));
        assert_eq!(parse_bytes("1e3"), Ok(1_000));
        assert_eq!(parse_duration("1e-3s"), Ok(Duration::from_millis(1)));
        for text in [
            "e6", "1e", "1e+", "1ex", "1e400", "--1", "-5", "nan", "inf", "",
        ] {
            assert!(parse_rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_measured_is_refused() {
        assert!(parse_load_rate("0").is_err() && parse_load_rate("1e-12").is_err());
        assert!(parse_load_rate("1e12").is_err() && parse_load_rate("100M").is_ok());
        assert!(parse_length("0").is_err() && parse_length("0s").is_err());
        assert!(parse_length("1e9").is_err() && parse_length("1e30").is_err());
        assert!(parse_pause("0").is_ok() && parse_pause("31e5").is_err());
        assert!(parse_interval("1us").is_err() && parse_interval("10ms").is_ok());
        assert!(parse_precision("0").is_err() && parse_precision("100%").is_err());
        assert!(parse_share_below_all("0%").is_ok() && parse_share_below_all("100%").is_err());
        assert!(parse_positive("0").is_err());
        for text in ["nan", "inf", "-1", "x"] {
            assert!(parse_weight(text).is_err(), "{text}");
        }
    }

    #[test]
    fn formatting_keeps_three_digits() {
        assert_eq!(format_ns(123_456.0), "123 us");
        assert_eq!(format_ns(1_234_567.0), "1.23 ms");
        assert_eq!(format_count(1_320_000.0), "1.32 M");
        assert_eq!(format_count(950.0), "950");
        assert_eq!(format_count(12.6), "13");
        assert_eq!(format_count(7.0), "7");
        assert_eq!(format_count(2.5), "2.5");
        assert_eq!(format_count(0.02), "0.02");
        assert_eq!(format_count(0.01), "0.01");
        assert_eq!(format_count(0.00001), "1.0e-5");
        assert_eq!(format_count(0.0), "0");
        assert_eq!(format_bytes(1536.0), "1.50 KiB");
        assert_eq!(format_share(0.999), "99.9%");
    }
}
