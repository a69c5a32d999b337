//! A small executor for one thread, for machines on which glommio does not start.
//!
//! ```text
//!   run:   poll the main task, then each task that is awake, then fire the timers that are due
//!          nobody is awake: ppoll on the descriptor that a task waits for, until the next timer
//! ```
//!
//! A shard has a handful of tasks: the network loop, which is the main task and sleeps in its own driver while there is
//! traffic, and upkeep in slices. So there are no queues, shares or priorities: each task that is awake gets a turn.
//! Tasks are woken by their own thread, or through the descriptor.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

thread_local! {
    /// The executor that runs on this thread.
    static RUNNING: RefCell<Option<Rc<State>>> = const { RefCell::new(None) };
}

/// A single-threaded executor: tasks in turns, timers, and one descriptor to wait for.
#[derive(Default)]
pub struct Executor(Rc<State>);

/// The part of an executor that its tasks can reach.
#[derive(Default)]
struct State {
    tasks: RefCell<Vec<Task>>,
    /// The wakers of sleeping tasks, by the instant they are due and a number that tells equal instants apart.
    timers: RefCell<BTreeMap<(Instant, u64), Waker>>,
    timers_made: Cell<u64>,
    /// The descriptor that a task waits for, and that task's waker.
    waited_for: RefCell<Option<(RawFd, Waker)>>,
}

struct Task {
    future: Pin<Box<dyn Future<Output = ()>>>,
    alarm: Arc<Alarm>,
}

/// Whether a task is awake.
struct Alarm(AtomicBool);

impl Alarm {
    fn new() -> Arc<Alarm> {
        Arc::new(Alarm(AtomicBool::new(true)))
    }

    fn take(&self) -> bool {
        self.0.swap(false, Ordering::Acquire)
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

impl Task {
    fn new(future: impl Future<Output = ()> + 'static) -> Task {
        Task {
            future: Box::pin(future),
            alarm: Alarm::new(),
        }
    }

    /// Gives the task a turn if it is awake; `false` once the task has ended.
    fn turn(&mut self) -> bool {
        if !self.alarm.take() {
            return true;
        }
        let waker = Waker::from(Arc::clone(&self.alarm));
        let polled = self.future.as_mut().poll(&mut Context::from_waker(&waker));
        polled.is_pending()
    }
}

impl Executor {
    /// Runs until `main` is ready. Other tasks end with it.
    pub(crate) fn run<T>(&self, main: impl Future<Output = T>) -> T {
        let state = &self.0;
        RUNNING.replace(Some(Rc::clone(state)));
        let (mut main, alarm) = (pin!(main), Alarm::new());
        let waker = Waker::from(Arc::clone(&alarm));
        let output = loop {
            if alarm.take()
                && let Poll::Ready(output) = main.as_mut().poll(&mut Context::from_waker(&waker))
            {
                break output;
            }
            state.turn_tasks();
            state.fire();
            state.rest(alarm.is_set() || state.is_awake());
        };
        let tasks = state.tasks.take();
        drop(tasks);
        RUNNING.replace(None);
        output
    }
}

impl State {
    /// Gives each task that is awake a turn; tasks that are spawned meanwhile have to wait.
    fn turn_tasks(&self) {
        let mut tasks = self.tasks.take();
        tasks.retain_mut(Task::turn);
        let mut begun = self.tasks.borrow_mut();
        tasks.append(&mut begun);
        *begun = tasks;
    }

    fn is_awake(&self) -> bool {
        self.tasks.borrow().iter().any(|task| task.alarm.is_set())
    }

    /// Wakes the tasks whose time has come.
    fn fire(&self) {
        let mut timers = self.timers.borrow_mut();
        if timers.is_empty() {
            return;
        }
        let now = Instant::now();
        while let Some(first) = timers.first_entry()
            && first.key().0 <= now
        {
            first.remove().wake();
        }
    }

    /// Sleeps until a timer is due or the descriptor can be read; with `is_awake` (some task is awake) it only looks at
    /// the descriptor.
    fn rest(&self, is_awake: bool) {
        let mut waited_for = self.waited_for.borrow_mut();
        if is_awake && waited_for.is_none() {
            return;
        }
        let first = self.timers.borrow().keys().next().map(|(due, _)| *due);
        let left = match is_awake {
            true => Some(Duration::ZERO),
            false => first.map(|due| due.saturating_duration_since(Instant::now())),
        };
        let fd = waited_for.as_ref().map(|(fd, _)| *fd);
        assert!(
            fd.is_some() || left.is_some(),
            "a task sleeps that nothing can wake"
        );
        if is_readable_within(fd, left)
            && let Some((_, waker)) = waited_for.take()
        {
            waker.wake();
        }
    }
}

/// Waits until `fd` can be read, for `time` at most (`None`: without end); `true` if it can be read, or if the kernel
/// does not say. It refuses to wait when the limit of open files has been lowered below one, or for want of memory: who
/// waits for the descriptor then looks at it by itself, and comes back after a window of its own.
fn is_readable_within(fd: Option<RawFd>, time: Option<Duration>) -> bool {
    let Some(fd) = fd else {
        if let Some(time) = time {
            std::thread::sleep(time);
        }
        return false;
    };
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    let time = time.map(|time| libc::timespec {
        tv_sec: time.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: time.subsec_nanos().into(),
    });
    let time = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: one `pollfd` is read and written, and the time is read; both live here. The signal mask stays.
    let ready = unsafe { libc::ppoll(&raw mut poll, 1, time, std::ptr::null()) };
    ready > 0 || ready < 0 && io::Error::last_os_error().kind() != io::ErrorKind::Interrupted
}

fn running() -> Option<Rc<State>> {
    RUNNING.with_borrow(Clone::clone)
}

/// Runs `task` beside the caller's task; gives `task` back if no executor of this kind runs on this thread.
pub(crate) fn spawn<F: Future<Output = ()> + 'static>(task: F) -> Result<(), F> {
    match running() {
        Some(state) => {
            state.tasks.borrow_mut().push(Task::new(task));
            Ok(())
        }
        None => Err(task),
    }
}

/// A future that is ready after `time`; `None` if no executor of this kind runs on this thread.
pub(crate) fn sleep(time: Duration) -> Option<impl Future<Output = ()>> {
    let state = running()?;
    let number = state.timers_made.get();
    state.timers_made.set(number + 1);
    let due = Instant::now() + time;
    Some(Sleep {
        state,
        key: (due, number),
    })
}

struct Sleep {
    state: Rc<State>,
    key: (Instant, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.key.0 <= Instant::now() {
            return Poll::Ready(());
        }
        let waker = context.waker().clone();
        self.state.timers.borrow_mut().insert(self.key, waker);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.state.timers.borrow_mut().remove(&self.key);
    }
}

/// A future that is ready when all tasks that are awake have had a turn; `None` if no executor of this kind runs on
/// this thread.
pub(crate) fn yield_now() -> Option<impl Future<Output = ()>> {
    running()?;
    let mut has_yielded = false;
    Some(poll_fn(move |context| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }))
}

/// Returns once `fd` can be read, and perhaps before, or after `longest`; at once if no executor of this kind runs on
/// this thread. Only one task may wait at a time.
pub(crate) async fn readable(fd: BorrowedFd<'_>, longest: Option<Duration>) {
    let Some(state) = running() else { return };
    let waiting = Waiting(&state);
    let mut timer = pin!(async {
        match longest.and_then(sleep) {
            Some(sleep) => sleep.await,
            None => pending().await,
        }
    });
    let mut has_waited = false;
    poll_fn(|context| {
        let is_over =
            std::mem::replace(&mut has_waited, true) && state.waited_for.borrow().is_none();
        if is_over || timer.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        let waker = context.waker().clone();
        *state.waited_for.borrow_mut() = Some((fd.as_raw_fd(), waker));
        Poll::Pending
    })
    .await;
    drop(waiting);
}

/// Ends the wait for the descriptor when dropped, also if the future was dropped before it was ready.
struct Waiting<'a>(&'a State);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waited_for.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `main` in a new executor of this kind.
    fn run<T>(main: impl Future<Output = T>) -> T {
        Executor::default().run(main)
    }

    #[test]
    fn nobody_sleeps_too_short_or_for_ever() {
        let woken = Rc::new(Cell::new(0));
        run(async {
            for milliseconds in [30, 10, 20] {
                let (woken, time) = (Rc::clone(&woken), Duration::from_millis(milliseconds));
                let task = async move {
                    let begun = Instant::now();
                    sleep(time).unwrap().await;
                    assert!(begun.elapsed() >= time);
                    woken.set(woken.get() + 1);
                };
                assert!(spawn(task).is_ok());
            }
            // A sleep that is dropped wakes nobody.
            drop(sleep(Duration::ZERO));
            while woken.get() < 3 {
                sleep(Duration::from_millis(5)).unwrap().await;
            }
        });
    }

    #[test]
    fn who_yields_lets_all_others_have_a_turn_and_timers_fire() {
        let turns = Rc::new(Cell::new(0));
        let theirs = Rc::clone(&turns);
        let begun = Instant::now();
        run(async move {
            let task = async move {
                loop {
                    theirs.set(theirs.get() + 1);
                    sleep(Duration::from_millis(1)).unwrap().await;
                }
            };
            assert!(spawn(task).is_ok());
            while turns.get() < 5 {
                yield_now().unwrap().await;
            }
        });
        assert!(begun.elapsed() >= Duration::from_millis(4));
    }

    #[test]
    fn a_descriptor_wakes_who_waits_for_it() {
        let (reader, writer) = crate::descriptor::pipe().unwrap();
        let begun = Instant::now();
        run(async {
            let task = async move {
                sleep(Duration::from_millis(20)).unwrap().await;
                crate::descriptor::signal(writer.as_raw_fd());
                pending::<()>().await;
            };
            assert!(spawn(task).is_ok());
            readable(std::os::fd::AsFd::as_fd(&reader), None).await;
        });
        assert!(begun.elapsed() >= Duration::from_millis(20));
    }

    #[test]
    fn outside_there_is_nothing_to_wait_for() {
        assert!(sleep(Duration::ZERO).is_none() && yield_now().is_none());
        assert!(spawn(async {}).is_err());
        run(async {});
        assert!(sleep(Duration::ZERO).is_none(), "it has ended");
    }

    #[test]
    #[should_panic(expected = "a task sleeps that nothing can wake")]
    fn a_sleep_without_end_is_a_fault() {
        run(pending::<()>());
    }
}
