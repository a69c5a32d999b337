//! The end of a process that cannot go on. A panic in any thread, or a shard that cannot work, ends the whole process
//! at once: half a server would leave a part of its clients waiting for ever, and nobody would start it again.
//!
//! ```text
//!   panic, in any thread ---> hook ----+
//!   a shard's ring fails ---> fail ----+--> one line on stderr --> listeners shut --> status 70 (EX_SOFTWARE)
//!                                      '--> half a second later, even if a step above still waits: status 70
//! ```
//!
//! Nothing is unwound, no buffer is flushed and nothing is saved for `-e`: the state that a panic has left behind
//! cannot be trusted.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::Cell;
use std::fmt::Display;
use std::os::fd::RawFd;
use std::panic::{self, PanicHookInfo};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::logging::say_error;

/// The exit status: EX_SOFTWARE of sysexits.h.
const STATUS: libc::c_int = 70;
/// Time after which the process ends even if nobody reads its stderr.
const PATIENCE: Duration = Duration::from_millis(500);
/// Such a time with a backtrace, whose names are looked up in a large file.
const BACKTRACE_PATIENCE: Duration = Duration::from_secs(10);

/// Whether a thread has begun to end the process.
static IS_ENDING: AtomicBool = AtomicBool::new(false);
/// The listening sockets, which would go on taking connections until the kernel has taken the rings down.
static LISTENING: OnceLock<Vec<RawFd>> = OnceLock::new();

thread_local! {
    /// Whether a panic of this thread is reported to the caller of [`catching`].
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Makes a panic end the process from now on.
pub(crate) fn end_on_panic() {
    panic::set_hook(Box::new(panicked));
}

/// Names the sockets that must not take connections while the process ends.
pub(crate) fn shut_at_failure(listening: Vec<RawFd>) {
    // There is one server in a process; in a test process, a second server loses nothing by this.
    let _ = LISTENING.set(listening);
}

/// Ends the process, because it cannot go on; `what` is the reason.
pub(crate) fn fail(what: impl Display) -> ! {
    begin(PATIENCE);
    say_error(format_args!(
        "corecached: {what}; ending with status {STATUS}"
    ));
    end()
}

/// Runs `work`, whose panics are to be told as errors: the text is that of the panic.
///
/// # Errors
/// If `work` has panicked.
pub(crate) fn catching<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    IS_CAUGHT.set(true);
    // The state that `work` has changed is given up with it: the callers start something, and end the process if that
    // fails.
    let done = panic::catch_unwind(panic::AssertUnwindSafe(work));
    IS_CAUGHT.set(false);
    done.map_err(|payload| text_of(&*payload).to_owned())
}

fn text_of(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("no message")
}

fn panicked(info: &PanicHookInfo<'_>) {
    // A thread that is on its way out has no thread-locals any more, and nobody catches its panic.
    if IS_CAUGHT.try_with(Cell::get).unwrap_or(false) {
        return;
    }
    let backtrace = Backtrace::capture();
    let has_backtrace = backtrace.status() == BacktraceStatus::Captured;
    begin(if has_backtrace {
        BACKTRACE_PATIENCE
    } else {
        PATIENCE
    });
    say_error(describe(info, has_backtrace));
    if has_backtrace {
        say_error(backtrace);
    }
    end()
}

/// One line: the thread that panicked, the place, and the reason.
fn describe(info: &PanicHookInfo<'_>, has_backtrace: bool) -> String {
    let thread = thread::current();
    let thread = thread.name().unwrap_or("without a name");
    let why = text_of(info.payload());
    let why = why.split('\n').map(str::trim).collect::<Vec<_>>().join(" ");
    let place = match info.location() {
        Some(place) => format!(" at {place}"),
        None => String::new(),
    };
    let hint = if has_backtrace {
        ""
    } else {
        " (RUST_BACKTRACE=1 shows the backtrace)"
    };
    format!("corecached: thread {thread} panicked{place}: {why}; ending with status {STATUS}{hint}")
}

/// The first thread to call this goes on; any other thread waits for the end. After `patience` the process ends in any
/// case.
fn begin(patience: Duration) {
    if IS_ENDING.swap(true, Ordering::SeqCst) {
        loop {
            thread::park();
        }
    }
    arm(patience);
}

/// Makes SIGALRM end the process after `patience`. This takes no thread, since perhaps none can be started.
fn arm(patience: Duration) {
    let timer = libc::itimerval {
        it_interval: libc::timeval {
            tv_sec: 0,
            tv_usec: 0,
        },
        it_value: libc::timeval {
            tv_sec: patience.as_secs() as libc::time_t,
            tv_usec: libc::suseconds_t::from(patience.subsec_micros() as i32),
        },
    };
    let handler: extern "C" fn(libc::c_int) = too_late;
    // SAFETY: the handler makes one system call, which is allowed in a handler.
    unsafe { libc::signal(libc::SIGALRM, handler as libc::sighandler_t) };
    // SAFETY: the timer is read during the call only; the old timer is not asked for.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
    super::mask::unblock(libc::SIGALRM);
}

extern "C" fn too_late(_signal: libc::c_int) {
    // SAFETY: `_exit` ends the process, which may be done anywhere.
    unsafe { libc::_exit(STATUS) }
}

fn end() -> ! {
    for &socket in LISTENING.get().into_iter().flatten() {
        // SAFETY: `shutdown` touches no memory. These sockets stay open as long as the process lives.
        unsafe { libc::shutdown(socket, libc::SHUT_RDWR) };
    }
    // SAFETY: `_exit` ends the process without running anything of it.
    unsafe { libc::_exit(STATUS) }
}

#[cfg(test)]
mod tests;
