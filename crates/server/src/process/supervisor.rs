//! Messages to a supervisor, by systemd's protocol: datagrams to the socket that NOTIFY_SOCKET names. Without that
//! variable, none are sent.
//!
//! ```text
//!   all shards serve ......... READY=1       `Type=notify`: what depends on the cache starts now
//!   a signal ends the server . STOPPING=1
//! ```

use sd_notify::NotifyState;

use super::logging::say_warning as say;

/// Tells the supervisor that the server serves.
pub(crate) fn tell_ready() {
    tell(NotifyState::Ready);
}

/// Tells the supervisor that the server ends.
pub(crate) fn tell_stopping() {
    tell(NotifyState::Stopping);
}

/// Sends a message. A supervisor that does not get it will find the server late, and end it: so a failure is reported.
fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        say(format_args!(
            "warning: the supervisor cannot be told how the server is doing ({error}): check NOTIFY_SOCKET"
        ));
    }
}
