//! From the exptime on the wire to a deadline on the server's clock.
//!
//! ```text
//!   wire      0      < 0            1 ..= 2592000          > 2592000
//!   meaning   never  already over   seconds from now       Unix time
//!   deadline  0      1              now + exptime          exptime - start, 1 when that is past
//! ```
//!
//! The server's clock counts whole seconds and never reads 0 or 1, so deadline 0 can mean "never" and 1 "already over".
//! Absolute times are turned into the server's clock once, when the command is read: a later step of the system clock
//! shifts them, as it does in memcached.

/// Largest exptime that counts from now; a larger one is a Unix time.
pub const RELATIVE_SECONDS_MAX: i64 = 60 * 60 * 24 * 30;

/// The deadline of an item that never expires.
pub const NEVER: u32 = 0;

/// A deadline that has passed at any reading of the server's clock.
pub const ALREADY_OVER: u32 = 1;

/// The deadline that `exptime` means at `now_seconds` of the server's clock.
///
/// `process_started_unix` is the Unix time, in seconds, at which the server's clock would have read 0.
#[inline]
#[must_use]
pub const fn deadline(exptime: i64, now_seconds: u32, process_started_unix: i64) -> u32 {
    if exptime == 0 {
        NEVER
    } else if exptime < 0 {
        ALREADY_OVER
    } else if exptime <= RELATIVE_SECONDS_MAX {
        clamp(now_seconds as i64 + exptime)
    } else {
        clamp(exptime.saturating_sub(process_started_unix))
    }
}

/// When a `flush_all` with this delay takes effect: `None` is now, else the second of the server's clock at which
/// everything last accessed before it dies.
///
/// No delay, 0, a negative one and a time that has passed all mean now.
#[must_use]
pub const fn flush_at(
    exptime: Option<i64>,
    now_seconds: u32,
    process_started_unix: i64,
) -> Option<u32> {
    let Some(exptime) = exptime else {
        return None;
    };
    let at = deadline(exptime, now_seconds, process_started_unix);
    if at > now_seconds { Some(at) } else { None }
}

const fn clamp(seconds: i64) -> u32 {
    if seconds < ALREADY_OVER as i64 {
        ALREADY_OVER
    } else if seconds > u32::MAX as i64 {
        u32::MAX
    } else {
        seconds as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STARTED: i64 = 1_700_000_000;
    const NOW: u32 = 102;

    #[test]
    fn wire_exptimes_become_deadlines() {
        let day = 24 * 60 * 60;
        for (exptime, expected) in [
            (0, NEVER),
            (-1, ALREADY_OVER),
            (i64::MIN, ALREADY_OVER),
            (1, NOW + 1),
            (30 * day, NOW + 30 * day as u32),
            (30 * day + 1, ALREADY_OVER),
            (STARTED - 1, ALREADY_OVER),
            (STARTED, ALREADY_OVER),
            (STARTED + 1, 1),
            (STARTED + 50, 50),
            (STARTED + 1000, 1000),
            (i64::from(i32::MAX), (i64::from(i32::MAX) - STARTED) as u32),
            (i64::MAX, u32::MAX),
        ] {
            assert_eq!(deadline(exptime, NOW, STARTED), expected, "{exptime}");
        }
    }

    #[test]
    fn a_deadline_never_wraps() {
        assert_eq!(deadline(RELATIVE_SECONDS_MAX, u32::MAX, STARTED), u32::MAX);
        assert_eq!(deadline(i64::MAX, NOW, -5), u32::MAX);
    }

    #[test]
    fn flush_delays() {
        assert_eq!(flush_at(None, NOW, STARTED), None);
        assert_eq!(flush_at(Some(0), NOW, STARTED), None);
        assert_eq!(flush_at(Some(-1), NOW, STARTED), None);
        assert_eq!(flush_at(Some(1), NOW, STARTED), Some(NOW + 1));
        assert_eq!(flush_at(Some(1_700_000_050), NOW, STARTED), None);
        assert_eq!(flush_at(Some(1_700_000_200), NOW, STARTED), Some(200));
    }
}
