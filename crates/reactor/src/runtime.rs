//! The executor that a shard's thread runs on, as far as the server sees it: concurrent tasks, sleeping, and taking
//! turns.
//!
//! ```text
//!                  Runtime::new(io)
//!       Io::Uring /               \ Io::Epoll
//!        glommio, on its rings     `executor.rs`: turns, timers and one descriptor to wait for
//! ```
//!
//! The functions below work in a task of either executor. Glommio is the default, and shares time between queues of
//! tasks; without rings it does not start.

use std::future::Future;
use std::io;
use std::time::Duration;

use glommio::{Latency, LocalExecutor, LocalExecutorBuilder, Placement, Shares};

use crate::config::Io;
use crate::executor::{self, Executor};
use crate::memlock::{EXECUTOR_BUFFER_BYTES, EXECUTOR_RING_ENTRIES};

/// The time that glommio gives the tasks of one queue before it looks at its timers: as good as for ever.
///
/// Glommio 0.9 takes the end of that time for "nobody is awake" if it comes between two of its steps, because the
/// thread got no CPU: it then sleeps although a task is awake, until something else happens
/// (<https://github.com/glommio/glommio/pull/53>). The tasks here give up their turns by themselves. So while one of
/// them is always awake, no timer of glommio fires.
const TURN_MAX: Duration = Duration::from_hours(1);

/// Runs tasks on the thread that it was made on.
pub enum Runtime {
    /// Glommio's executor.
    Glommio(LocalExecutor),
    /// The executor of this crate.
    Own(Executor),
}

impl Runtime {
    /// A runtime for this thread. The caller has pinned the thread or not; glommio is not asked to pin it, since
    /// glommio does not start where pinning is denied.
    ///
    /// # Errors
    /// If glommio's rings cannot be set up.
    pub fn new(io: Io) -> io::Result<Runtime> {
        match io {
            Io::Uring => {
                let builder = LocalExecutorBuilder::new(Placement::Unbound)
                    .preempt_timer(TURN_MAX)
                    .io_memory(EXECUTOR_BUFFER_BYTES)
                    .ring_depth(EXECUTOR_RING_ENTRIES);
                let made = builder.make().map_err(io::Error::from)?;
                Ok(Runtime::Glommio(made))
            }
            Io::Epoll => Ok(Runtime::Own(Executor::default())),
        }
    }

    /// Runs until `main` is ready. Other tasks end with it.
    pub fn run<T>(&self, main: impl Future<Output = T>) -> T {
        match self {
            Runtime::Glommio(executor) => executor.run(main),
            Runtime::Own(executor) => executor.run(main),
        }
    }
}

/// Runs `task` beside the caller's. Glommio gives it `shares` of the time, of which the main task has 1000; the
/// executor of this crate gives it a turn whenever the main task yields.
pub fn spawn(name: &'static str, shares: usize, task: impl Future<Output = ()> + 'static) {
    let task = match executor::spawn(task) {
        Ok(()) => return,
        Err(task) => task,
    };
    let queue =
        glommio::executor().create_task_queue(Shares::Static(shares), Latency::NotImportant, name);
    if let Ok(task) = glommio::spawn_local_into(task, queue) {
        task.detach();
    }
}

/// Returns after `time`, or somewhat later: with glommio, once no task is awake. For tests and examples: a shard has no
/// timers of glommio's, which can leave its thread asleep (`docs/design/007-timers.md`).
pub async fn sleep(time: Duration) {
    match executor::sleep(time) {
        Some(sleep) => sleep.await,
        None => {
            glommio::timer::sleep(time).await;
        }
    }
}

/// Gives other tasks their turn.
pub async fn yield_now() {
    match executor::yield_now() {
        Some(turn) => turn.await,
        None => glommio::executor().yield_task_queue_now().await,
    }
}
