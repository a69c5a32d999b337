//! Lines of the log as JSON objects (`-o log=json`), one in a line:
//!
//! ```text
//! {"time":"2026-11-29T10:15:00.123456Z","level":"WARN","shard":3,"message":"...","fd":17}
//! ```
//!
//! The fields of a message stand behind its text, under their own names.

use std::fmt::{Debug, Display, Write as _};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};

/// The name of a shard's thread before the shard's number.
const SHARD_THREAD: &str = "shard-";

/// A line that is being written.
#[derive(Debug)]
pub(super) struct JsonLine {
    text: String,
    message: String,
    has_shard: bool,
}

impl JsonLine {
    /// A line of this moment.
    pub(super) fn begin(level: impl Display) -> JsonLine {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let mut text = String::from("{\"time\":\"");
        rfc3339(&mut text, now.unwrap_or_default());
        // Writing to a string cannot fail.
        let _ = write!(text, "\",\"level\":\"{level}\"");
        JsonLine {
            text,
            message: String::new(),
            has_shard: false,
        }
    }

    /// Sets the text of the message.
    pub(super) fn message(mut self, message: impl Display) -> JsonLine {
        self.message = message.to_string();
        self
    }

    /// The whole line, with its line end. A message of a shard's thread names the shard.
    pub(super) fn end(mut self) -> String {
        let thread = thread::current();
        let shard = thread
            .name()
            .and_then(|name| name.strip_prefix(SHARD_THREAD));
        if !self.has_shard
            && let Some(shard) = shard.and_then(|number| number.parse::<u16>().ok())
        {
            let _ = write!(self.text, ",\"shard\":{shard}");
        }
        self.text.push_str(",\"message\":");
        let message = std::mem::take(&mut self.message);
        quote(&mut self.text, &message);
        self.text.push_str("}\n");
        self.text
    }

    fn name(&mut self, name: &str) {
        self.has_shard |= name == "shard";
        self.text.push(',');
        quote(&mut self.text, name);
        self.text.push(':');
    }

    fn plain(&mut self, field: &Field, value: impl Display) {
        self.name(field.name());
        let _ = write!(self.text, "{value}");
    }
}

impl Visit for JsonLine {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message = value.to_owned();
            return;
        }
        self.name(field.name());
        quote(&mut self.text, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// Appends a string as JSON writes it.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            control if control.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Appends a time since 1970 as RFC 3339 has it, in UTC and with microseconds.
fn rfc3339(out: &mut String, since: Duration) {
    let seconds = since.as_secs();
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let microseconds = since.subsec_micros();
    let _ = write!(
        out,
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{microseconds:06}Z"
    );
}

/// The date of a day counted from 1970-01-01 on. Years begin in March here, so that a leap day is the last day of its
/// year (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn date(day: u64) -> (u64, u64, u64) {
    /// Days from 0000-03-01 to 1970-01-01, and days of 400 years.
    const BEFORE: u64 = 719_468;
    const ERA: u64 = 146_097;
    let day = day + BEFORE;
    let (era, day_of_era) = (day / ERA, day % ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000Z"),
            (951_868_799, "2000-02-29T23:59:59.000000Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000000Z"),
            (1_796_033_700, "2026-11-30T10:15:00.000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
        ] {
            let mut text = String::new();
            rfc3339(&mut text, Duration::from_secs(seconds));
            assert_eq!(text, expected);
        }
        let mut text = String::new();
        rfc3339(&mut text, Duration::from_micros(1_000_042));
        assert_eq!(text, "1970-01-01T00:00:01.000042Z");
    }

    #[test]
    fn whatever_a_message_says_is_one_line_of_json() {
        let line = JsonLine::begin("INFO")
            .message("a \"b\"\\\n\t\u{1}\u{7f}\u{e9}")
            .end();
        let (_, rest) = line.split_once(",\"level\":").unwrap();
        assert_eq!(
            rest,
            "\"INFO\",\"message\":\"a \\\"b\\\"\\\\\\n\\u0009\\u0001\\u007f\u{e9}\"}\n"
        );
    }
}
