//! Which failures of a system call of the ring are waited out, and for how long.
//!
//! ```text
//!   EINTR, ETIME           nothing is wrong: the caller comes again
//!   EAGAIN, ENOMEM, EBUSY  the kernel lacks memory, or completions are in its way: the caller looks at completions and
//!                          comes again, at once at first, then with pauses, for half a second
//!   all others             are told
//! ```
//!
//! A reactor whose calls go on failing serves nobody, and reports that in time for a supervisor to start another
//! process.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// How long a shortage may last. Attempts are counted as well, since a process may be stopped between two of them.
const SHORTAGE_MAX: Duration = Duration::from_millis(500);
const ATTEMPTS_MIN: u32 = 50;
/// How many attempts follow each other at once: completions that are in the way are gone by then.
const QUICK_ATTEMPTS: u32 = 16;
/// The pause between two later attempts.
const PAUSE: Duration = Duration::from_millis(2);

/// How long a call has been failing.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    attempts: u32,
    since: Option<Instant>,
}

impl Patience {
    /// The call has succeeded.
    #[inline]
    pub(crate) fn renew(&mut self) {
        self.attempts = 0;
    }

    /// `Ok` if the caller may try again after `error`; otherwise the error, which will not pass.
    #[cold]
    pub(crate) fn judge(&mut self, error: io::Error) -> io::Result<()> {
        match error.raw_os_error() {
            Some(libc::EINTR | libc::ETIME) => Ok(()),
            Some(libc::EAGAIN | libc::ENOMEM | libc::EBUSY) => self.wait(error),
            _ => Err(error),
        }
    }

    fn wait(&mut self, error: io::Error) -> io::Result<()> {
        let now = Instant::now();
        if self.attempts == 0 {
            self.since = Some(now);
        }
        self.attempts += 1;
        let lasted = self.since.map_or(Duration::ZERO, |since| now - since);
        if self.attempts >= ATTEMPTS_MIN && lasted > SHORTAGE_MAX {
            return Err(error);
        }
        if self.attempts > QUICK_ATTEMPTS {
            thread::sleep(PAUSE);
        }
        Ok(())
    }
}

/// Repeats `call` while the kernel lacks memory, for [`SHORTAGE_MAX`] at most.
pub(crate) fn insist(mut call: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let mut patience = Patience::default();
    loop {
        match call() {
            Ok(()) => return Ok(()),
            Err(error) => patience.judge(error)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(errno: i32) -> io::Error {
        io::Error::from_raw_os_error(errno)
    }

    #[test]
    fn a_shortage_is_waited_out_and_then_told() {
        for errno in [libc::ENOMEM, libc::EAGAIN, libc::EBUSY] {
            let mut patience = Patience::default();
            let begun = Instant::now();
            let last = loop {
                if let Err(error) = patience.judge(error(errno)) {
                    break error;
                }
            };
            assert_eq!(last.raw_os_error(), Some(errno));
            assert!(begun.elapsed() >= SHORTAGE_MAX);
        }
    }

    #[test]
    fn a_success_ends_a_shortage() {
        let mut patience = Patience::default();
        for _ in 0..2 * ATTEMPTS_MIN {
            patience.judge(error(libc::ENOMEM)).unwrap();
            thread::sleep(SHORTAGE_MAX / ATTEMPTS_MIN);
            patience.renew();
        }
    }

    #[test]
    fn interruptions_never_count_and_other_failures_are_told_at_once() {
        let mut patience = Patience::default();
        for _ in 0..100_000 {
            patience.judge(error(libc::EINTR)).unwrap();
        }
        assert!(patience.judge(error(libc::EPERM)).is_err());
        assert!(insist(|| Err(error(libc::EBADF))).is_err());
        let mut failures = 3;
        let call = || {
            failures -= 1;
            if failures == 0 {
                Ok(())
            } else {
                Err(error(libc::ENOMEM))
            }
        };
        insist(call).unwrap();
        assert_eq!(failures, 0);
    }
}
