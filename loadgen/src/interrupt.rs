//! SIGINT and SIGTERM: the first ends the phase under way and reports what there is, the second ends the process.

use crate::error::{LoadError, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// The number that shells add to a signal's number for the exit code of a process that the signal ended.
const SIGNAL_EXIT: i32 = 128;

static TERMINATED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Sets `stop` at the first signal.
pub fn stop_on_signals(stop: &Arc<AtomicBool>) -> Result<()> {
    let failed = |error: std::io::Error| LoadError::failed("catching signals", &error);
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, SIGNAL_EXIT + signal, Arc::clone(stop))
            .map_err(failed)?;
        flag::register(signal, Arc::clone(stop)).map_err(failed)?;
    }
    flag::register(SIGTERM, Arc::clone(&TERMINATED)).map_err(failed)?;
    Ok(())
}

/// Whether SIGTERM came. Its sender does not wait for a result, and learns from the exit code that the command was cut
/// short.
#[must_use]
pub fn is_terminated() -> bool {
    TERMINATED.load(Ordering::Relaxed)
}
