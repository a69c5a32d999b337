//! The steps of what cores share: places where a simulation may let another thread go on.
//!
//! ```text
//! thread     load sequence . load word . load word . load sequence          . a step: point() or word()
//!                          |                       |
//!                          other threads run here, if the simulation chooses so
//! ```
//!
//! Without the feature `simulate`, which no release has, all functions here are empty. With it they call what
//! `install` was given on this thread. `crates/simulate` runs many shards on one thread so.

/// What comes next on this thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// An access to a sequence, an ownership word, the counter of a queue, or the clock.
    Protocol,
    /// An access to a word of memory that others may be reading or writing.
    Word,
    /// Another look at something that another thread has to change: this thread can do nothing else.
    Wait,
}

/// Before a step of the sharing protocol.
#[inline(always)]
pub fn point() {
    #[cfg(feature = "simulate")]
    hook::call(Step::Protocol);
}

/// Before one word is read or written.
#[inline(always)]
pub fn word() {
    #[cfg(feature = "simulate")]
    hook::call(Step::Word);
}

/// While this thread waits for another one.
#[inline(always)]
pub(crate) fn wait() {
    #[cfg(feature = "simulate")]
    hook::call(Step::Wait);
}

#[cfg(feature = "simulate")]
pub use hook::install;

#[cfg(feature = "simulate")]
mod hook {
    use std::cell::Cell;

    use super::Step;

    thread_local! {
        static HOOK: Cell<Option<fn(Step)>> = const { Cell::new(None) };
    }

    /// Has `hook` called at each step of this thread, or nothing.
    pub fn install(hook: Option<fn(Step)>) {
        HOOK.set(hook);
    }

    #[inline]
    pub(super) fn call(step: Step) {
        if let Some(hook) = HOOK.get() {
            hook(step);
        }
    }
}
