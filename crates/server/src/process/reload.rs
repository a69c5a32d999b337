//! Files that are read again while the server runs. SIGHUP asks for it, as in memcached (password file, certificates).
//!
//! ```text
//!   start:    shared.reloads.subscribe("password file", move || users.read_again())
//!   SIGHUP:   main thread -> every subscriber in turn; one that fails says so on stderr and keeps what it had
//! ```

use std::fmt;
use std::sync::{Mutex, PoisonError};

use tracing::{error, info};

type Reload = Box<dyn Fn() -> Result<(), String> + Send>;

/// The subscribers of SIGHUP.
#[derive(Default)]
pub(crate) struct Reloads {
    subscribers: Mutex<Vec<(&'static str, Reload)>>,
}

impl Reloads {
    /// Calls `reload` at every SIGHUP, on the main thread, which may block. Messages name `what`.
    ///
    /// If `reload` fails, everything has to be as before: it must not keep half of the new state.
    pub(crate) fn subscribe(
        &self,
        what: &'static str,
        reload: impl Fn() -> Result<(), String> + Send + 'static,
    ) {
        let mut subscribers = self
            .subscribers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        subscribers.push((what, Box::new(reload)));
    }

    /// Calls all subscribers, in the order of their subscriptions.
    pub(super) fn run(&self) {
        let subscribers = self
            .subscribers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if subscribers.is_empty() {
            info!("SIGHUP: there is nothing to read again");
        }
        for (what, reload) in subscribers.iter() {
            match reload() {
                Ok(()) => info!("SIGHUP: read again: {what}"),
                Err(why) => error!("SIGHUP: the old {what} stays in force: {why}"),
            }
        }
    }
}

impl fmt::Debug for Reloads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reloads")
    }
}
