//! The interface by which the shards move bytes: io_uring where it is available, epoll where it is denied.
//!
//! ```text
//!   -o io=auto    rings are tried ---> to be had ----------------------> io_uring
//!                                 '--> denied: one line on stderr ------> epoll
//!   -o io=uring   rings are tried ---> denied: the start ends with what to do about it
//!   -o io=epoll   nothing is tried --------------------------------------> epoll
//! ```

use corecached_reactor::{Io, StartError, probe, probe_for_certain};

use crate::base::config::Config;
use crate::process;

/// The cost of epoll beside io_uring: `docs/benchmarks.md`.
const PRICE: &str = "at up to a fifth more CPU time a request";

/// Decides on the interface, and notes it in `config`.
///
/// # Errors
/// If rings are asked for and denied, or epoll would have no chance either.
pub(crate) fn choose(config: &mut Config) -> Result<(), StartError> {
    let shards = config.threads;
    let io = match config.io {
        Some(Io::Epoll) => Io::Epoll,
        Some(Io::Uring) => probe(shards).map(|_| Io::Uring)?,
        None => match probe_for_certain(shards) {
            Ok(_) => Io::Uring,
            Err(error) if error.leaves_epoll() => {
                process::say_warning(format_args!(
                    "corecached: going on with epoll, {PRICE}: {error}"
                ));
                Io::Epoll
            }
            Err(error) => return Err(error),
        },
    };
    config.io = Some(io);
    Ok(())
}
