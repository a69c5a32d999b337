//! The kernel's release number.

use std::fmt;
use std::str::FromStr;

/// Major and minor of a Linux release, as in `uname -r`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KernelRelease {
    /// The 6 of 6.18.
    pub major: u32,
    /// The 18 of 6.18.
    pub minor: u32,
}

impl KernelRelease {
    /// The oldest kernel with all that a reactor needs. The features, and the release that brought each:
    ///
    /// - 5.17 completions only for failures (`IOSQE_CQE_SKIP_SUCCESS`)
    /// - 5.18 doorbells (`IORING_OP_MSG_RING`), registered ring descriptors, `IORING_SETUP_SUBMIT_ALL`
    /// - 5.19 multishot accept, the ring of receive buffers, `IORING_SETUP_TASKRUN_FLAG`
    /// - 6.0  multishot receive
    /// - 6.1  `IORING_SETUP_DEFER_TASKRUN`
    pub const MINIMUM: KernelRelease = KernelRelease::new(6, 1);

    /// From this release on the timer of the warm window repeats by itself; before, it is started again each time.
    pub const MULTISHOT_TIMEOUT: KernelRelease = KernelRelease::new(6, 4);

    /// From this release on a wait can gather several completions for a bounded time.
    pub const MIN_WAIT: KernelRelease = KernelRelease::new(6, 12);

    /// From this release on all memory of rings counts against the limit of locked memory; before, only buffers that
    /// are registered with rings do.
    pub const COUNTS_RINGS: KernelRelease = KernelRelease::new(6, 13);

    /// The release `major.minor`.
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }
}

impl fmt::Display for KernelRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for KernelRelease {
    type Err = ();

    /// Parses what `/proc/sys/kernel/osrelease` says: `6.18.44-fc`, `6.1.0-28-amd64`, `5.14.0-427.el9.x86_64`,
    /// `6.8-rc1`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut numbers = text.trim().split(|c: char| !c.is_ascii_digit());
        let mut number = || {
            numbers
                .next()
                .and_then(|digits| digits.parse().ok())
                .ok_or(())
        };
        let (major, minor) = (number()?, number()?);
        Ok(Self { major, minor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_releases_as_distributions_write_them() {
        let cases = [
            ("6.18.44-fc-v657\n", 6, 18),
            ("6.1.0-28-amd64", 6, 1),
            ("5.14.0-427.13.1.el9_4.x86_64", 5, 14),
            ("6.8-rc1", 6, 8),
            ("10.0", 10, 0),
        ];
        for (text, major, minor) in cases {
            assert_eq!(text.parse(), Ok(KernelRelease::new(major, minor)), "{text}");
        }
        for text in ["", "linux", "6", "6.", "-6.1"] {
            assert_eq!(text.parse::<KernelRelease>(), Err(()), "{text}");
        }
    }

    #[test]
    fn orders_by_number_not_by_text() {
        assert!(KernelRelease::new(6, 10) > KernelRelease::new(6, 9));
        assert!(KernelRelease::new(5, 19) < KernelRelease::MINIMUM);
    }
}
