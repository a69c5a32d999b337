//! How long an item lives.
//!
//! ```text
//!   Ttl::NEVER          0        no end
//!   up to 30 days       seconds  counted from when the server takes the command
//!   longer, Ttl::at     seconds  Unix time
//! ```

use corecached_protocol::exptime::RELATIVE_SECONDS_MAX;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long an item lives, or until when.
///
/// ```
/// use corecached_client::Ttl;
/// use std::time::Duration;
///
/// assert_eq!(Ttl::from(Duration::from_millis(1500)), Ttl::seconds(2));
/// assert_eq!(Ttl::default(), Ttl::NEVER);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ttl(i32);

impl Ttl {
    /// Until something else needs the memory.
    pub const NEVER: Ttl = Ttl(0);

    /// The item expires at once: a store with this time to live deletes.
    pub const OVER: Ttl = Ttl(-1);

    /// This many seconds from now, at least one. More than 30 days are sent as a Unix time, by the clock of this
    /// machine, since the protocol takes larger numbers for Unix times.
    #[must_use]
    pub fn seconds(seconds: u32) -> Self {
        let seconds = i64::from(seconds.max(1));
        if seconds <= RELATIVE_SECONDS_MAX {
            Ttl(seconds as i32)
        } else {
            Self::at(SystemTime::now() + Duration::from_secs(seconds as u64))
        }
    }

    /// Until `time`. A time within the first 30 days of 1970 has passed, like any other past time.
    #[must_use]
    pub fn at(time: SystemTime) -> Self {
        let unix = time
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        match i32::try_from(unix) {
            Ok(unix) if i64::from(unix) <= RELATIVE_SECONDS_MAX => Self::OVER,
            Ok(unix) => Ttl(unix),
            Err(_) => Ttl(i32::MAX),
        }
    }

    /// A time to live from the number that goes over the wire, unchanged.
    #[must_use]
    pub const fn from_wire(exptime: i32) -> Self {
        Ttl(exptime)
    }

    /// The number that goes over the wire.
    #[must_use]
    pub const fn wire(self) -> i32 {
        self.0
    }
}

impl From<Duration> for Ttl {
    /// Whole seconds, rounded up: a shorter time must not become 0, which means for ever.
    fn from(duration: Duration) -> Self {
        let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
        Self::seconds(u32::try_from(seconds).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_live_never_becomes_for_ever_by_rounding() {
        assert_eq!(Ttl::from(Duration::ZERO).wire(), 1);
        assert_eq!(Ttl::from(Duration::from_nanos(1)).wire(), 1);
        assert_eq!(Ttl::from(Duration::from_secs(60)).wire(), 60);
    }

    #[test]
    fn more_than_thirty_days_are_a_date() {
        let month = RELATIVE_SECONDS_MAX as u32;
        assert_eq!(Ttl::seconds(month).wire(), month as i32);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs() as i64;
        let date = i64::from(Ttl::seconds(month + 1).wire());
        assert!((date - now - i64::from(month) - 1).abs() <= 1, "{date}");
        assert_eq!(Ttl::at(UNIX_EPOCH + Duration::from_secs(5)), Ttl::OVER);
        assert_eq!(
            Ttl::at(UNIX_EPOCH + Duration::from_secs(1 << 40)).wire(),
            i32::MAX
        );
    }
}
