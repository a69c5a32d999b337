//! Listeners: multishot accepts, and when to try again after one has failed.
//!
//! An accept that fails ends. When the process has no descriptor left, trying again at once would fail at once: the
//! connection still waits in the backlog. So such a listener pauses.

use std::os::fd::RawFd;

use crate::token::Token;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A multishot accept is with the kernel.
    Armed,
    /// The accept has been asked to end; with `resume` it starts again after that.
    Stopping { resume: bool },
    /// A timer will start it again.
    Paused,
    /// No accept is with the kernel, and none will be started.
    Idle,
}

/// The operation that the reactor has to submit for a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Nothing,
    Arm(RawFd),
    Cancel(RawFd),
    Pause,
}

struct Listener {
    token: Token,
    fd: RawFd,
    phase: Phase,
}

/// The listeners of a reactor: a handful.
#[derive(Default)]
pub(crate) struct Listeners {
    listeners: Vec<Listener>,
}

impl Listeners {
    /// The caller wants connections from `fd`.
    pub(crate) fn start(&mut self, fd: RawFd, token: Token) -> Action {
        let Some(listener) = self.find(token) else {
            let phase = Phase::Armed;
            self.listeners.push(Listener { token, fd, phase });
            return Action::Arm(fd);
        };
        match listener.phase {
            Phase::Armed => Action::Nothing,
            Phase::Stopping { .. } => {
                listener.phase = Phase::Stopping { resume: true };
                listener.fd = fd;
                Action::Nothing
            }
            Phase::Paused | Phase::Idle => {
                listener.phase = Phase::Armed;
                listener.fd = fd;
                Action::Arm(fd)
            }
        }
    }

    /// The caller wants no more connections.
    pub(crate) fn stop(&mut self, token: Token) -> Action {
        let Some(listener) = self.find(token) else {
            return Action::Nothing;
        };
        match listener.phase {
            Phase::Armed => {
                listener.phase = Phase::Stopping { resume: false };
                Action::Cancel(listener.fd)
            }
            Phase::Stopping { .. } => {
                listener.phase = Phase::Stopping { resume: false };
                Action::Nothing
            }
            Phase::Paused | Phase::Idle => {
                listener.phase = Phase::Idle;
                Action::Nothing
            }
        }
    }

    /// Whether an accept is with the kernel.
    pub(crate) fn are_armed(&self) -> bool {
        let mut phases = self.listeners.iter().map(|listener| listener.phase);
        phases.any(|phase| matches!(phase, Phase::Armed | Phase::Stopping { .. }))
    }

    /// True if `token` is being stopped, so that the cancellation is no failure.
    pub(crate) fn is_stopping(&mut self, token: Token) -> bool {
        self.find(token)
            .is_some_and(|listener| matches!(listener.phase, Phase::Stopping { .. }))
    }

    /// The accept of `token` has ended with `result`.
    pub(crate) fn ended(&mut self, token: Token, result: i32) -> Action {
        let Some(listener) = self.find(token) else {
            return Action::Nothing;
        };
        let next = match listener.phase {
            Phase::Stopping { resume: false } => Phase::Idle,
            Phase::Stopping { resume: true } => Phase::Armed,
            _ => phase_after(result),
        };
        listener.phase = next;
        match next {
            Phase::Armed => Action::Arm(listener.fd),
            Phase::Paused => Action::Pause,
            _ => Action::Nothing,
        }
    }

    /// The pause of `token` is over.
    pub(crate) fn resumed(&mut self, token: Token) -> Action {
        match self.find(token) {
            Some(listener) if listener.phase == Phase::Paused => {
                listener.phase = Phase::Armed;
                Action::Arm(listener.fd)
            }
            _ => Action::Nothing,
        }
    }

    fn find(&mut self, token: Token) -> Option<&mut Listener> {
        self.listeners
            .iter_mut()
            .find(|listener| listener.token == token)
    }
}

/// Where an accept goes on after it ended by itself with `result`.
fn phase_after(result: i32) -> Phase {
    match -result {
        // The kernel may end a multishot accept after a success, and reports errors of the aborted connection here.
        ..=0 | libc::ECONNABORTED | libc::EINTR | libc::EAGAIN | libc::EPROTO | libc::EPERM => {
            Phase::Armed
        }
        libc::ENETDOWN | libc::ENOPROTOOPT | libc::EHOSTDOWN | libc::ENONET => Phase::Armed,
        libc::EHOSTUNREACH | libc::EOPNOTSUPP | libc::ENETUNREACH => Phase::Armed,
        libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM => Phase::Paused,
        _ => Phase::Idle,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: Token = Token(7);

    #[test]
    fn pauses_when_descriptors_run_out() {
        let mut listeners = Listeners::default();
        assert_eq!(listeners.start(3, TOKEN), Action::Arm(3));
        assert_eq!(listeners.start(3, TOKEN), Action::Nothing);
        assert_eq!(listeners.ended(TOKEN, -libc::EMFILE), Action::Pause);
        assert_eq!(listeners.resumed(TOKEN), Action::Arm(3));
        assert_eq!(listeners.resumed(TOKEN), Action::Nothing);
        assert_eq!(listeners.ended(TOKEN, -libc::ENFILE), Action::Pause);
        assert_eq!(
            listeners.start(3, TOKEN),
            Action::Arm(3),
            "on request, before the pause is over"
        );
        assert_eq!(listeners.resumed(TOKEN), Action::Nothing);
    }

    #[test]
    fn goes_on_after_an_aborted_connection_and_not_after_a_fault() {
        let mut listeners = Listeners::default();
        listeners.start(3, TOKEN);
        assert_eq!(listeners.ended(TOKEN, -libc::ECONNABORTED), Action::Arm(3));
        assert_eq!(listeners.ended(TOKEN, 12), Action::Arm(3));
        assert_eq!(listeners.ended(TOKEN, -libc::EINVAL), Action::Nothing);
        assert_eq!(listeners.resumed(TOKEN), Action::Nothing);
    }

    #[test]
    fn stops_and_starts_again() {
        let mut listeners = Listeners::default();
        assert_eq!(listeners.stop(TOKEN), Action::Nothing);
        listeners.start(3, TOKEN);
        assert_eq!(listeners.stop(TOKEN), Action::Cancel(3));
        assert!(listeners.is_stopping(TOKEN) && listeners.are_armed());
        assert_eq!(listeners.start(3, TOKEN), Action::Nothing);
        assert_eq!(listeners.ended(TOKEN, -libc::ECANCELED), Action::Arm(3));
        assert_eq!(listeners.stop(TOKEN), Action::Cancel(3));
        assert_eq!(listeners.ended(TOKEN, -libc::ECANCELED), Action::Nothing);
        assert!(!listeners.are_armed());
        assert_eq!(listeners.start(4, TOKEN), Action::Arm(4));
        listeners.ended(TOKEN, -libc::EMFILE);
        assert_eq!(listeners.stop(TOKEN), Action::Nothing);
        assert_eq!(listeners.resumed(TOKEN), Action::Nothing);
    }
}
