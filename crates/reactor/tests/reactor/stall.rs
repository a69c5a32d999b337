//! A thread that gets no CPU for a while, as on a machine that is too busy or is moved to another host: whatever it was
//! in the middle of, its tasks go on afterwards.
//!
//! A signal whose handler sleeps stands for the stall. It reaches the thread at any step, also between two steps of the
//! executor.

use std::os::unix::thread::{JoinHandleExt, RawPthread};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use corecached_reactor::runtime::{self, Runtime};

use super::common::{driver, within};

/// Executors that are stalled together, to meet a rare moment soon.
const EXECUTORS: usize = 12;
const ROUNDS: usize = 40;
/// More than the 100 ms that glommio by itself gives the tasks of one queue.
const STALL: Duration = Duration::from_millis(110);
/// The sleeps of the tasks: so short that the executors are always in the middle of something.
const SLEEP: Duration = Duration::from_micros(20);
/// What a task counts up to when it is to end.
const END: u64 = 1 << 63;

extern "C" fn stall(_signal: libc::c_int) {
    let time = libc::timespec {
        tv_sec: 0,
        tv_nsec: STALL.subsec_nanos().into(),
    };
    // SAFETY: a time that lives here; `nanosleep` may be called in a handler.
    unsafe { libc::nanosleep(&raw const time, std::ptr::null_mut()) };
}

/// An executor with one task, which sleeps again and again and counts its sleeps.
struct Sleeper {
    sleeps: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Sleeper {
    fn start() -> Sleeper {
        let sleeps = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&sleeps);
        let work = move || async move {
            while counted.fetch_add(1, Ordering::Relaxed) < END {
                runtime::sleep(SLEEP).await;
            }
        };
        let thread = thread::spawn(|| Runtime::new(driver()).unwrap().run(work()));
        Sleeper { sleeps, thread }
    }

    fn stall(&self) {
        let thread: RawPthread = self.thread.as_pthread_t();
        // SAFETY: the thread has not been joined.
        unsafe { libc::pthread_kill(thread, libc::SIGUSR2) };
    }

    /// Returns once the task has slept again.
    fn goes_on(&self) {
        let before = self.sleeps.load(Ordering::Relaxed);
        while self.sleeps.load(Ordering::Relaxed) == before {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn a_stall_of_the_thread_loses_no_turn() {
    let handler: extern "C" fn(libc::c_int) = stall;
    // SAFETY: the handler sleeps and does nothing else.
    unsafe { libc::signal(libc::SIGUSR2, handler as libc::sighandler_t) };
    within(120, || {
        let sleepers: Vec<Sleeper> = (0..EXECUTORS).map(|_| Sleeper::start()).collect();
        for _ in 0..ROUNDS {
            sleepers.iter().for_each(Sleeper::goes_on);
            sleepers.iter().for_each(Sleeper::stall);
            thread::sleep(STALL);
        }
        for Sleeper { sleeps, thread } in sleepers {
            sleeps.fetch_add(END, Ordering::Relaxed);
            thread.join().unwrap();
        }
    });
}
