//! What a supervisor is told, by systemd's protocol: a datagram to the socket that NOTIFY_SOCKET names. Without one, nothing.
//!
//! ```text
//!   all shards serve ......... READY=1       `Type=notify`: what depends on the cache starts now
//!   a signal ends the server . STOPPING=1
//! ```

use sd_notify::NotifyState;

use super::fatal::say;

/// The server serves.
pub(crate) fn tell_ready() {
    tell(NotifyState::Ready);
}

/// The server ends.
pub(crate) fn tell_stopping() {
    tell(NotifyState::Stopping);
}

/// A supervisor that cannot be told will find the server late, and end it: so the reason is said.
fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        say(format_args!(
            "warning: cannot tell the supervisor (NOTIFY_SOCKET): {error}"
        ));
    }
}
