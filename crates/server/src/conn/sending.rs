//! The state of a connection's last send.
//!
//! ```text
//!            sent                blocked, the same              done, the same
//!   Nothing ------> Given(send) ----------------> UnderWay(send) ------------> Nothing
//!                    |   ^  |
//!   done, the same --+   +--+ sent: the turn between has said nothing, so the last one is done
//! ```
//! Any other report means that the connection and the reactor do not agree about what is on the wire: the stream is in
//! doubt, and the connection is closed (`docs/design/006-sends.md`).

use corecached_reactor::SendId;

/// The last send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sending {
    /// Nothing has been sent, or the last send is known to be done.
    #[default]
    Nothing,
    /// The send is with the reactor. It is done unless the next turn says otherwise.
    Given(SendId),
    /// The reactor will report the end of the send; mostly its peer does not read.
    UnderWay(SendId),
}

/// The reported send is not the one that was given.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct InDoubt;

impl Sending {
    /// Whether the connection has to wait before it sends anything else.
    pub(super) fn is_under_way(self) -> bool {
        matches!(self, Sending::UnderWay(_))
    }

    /// The reactor reports that a send is still under way.
    pub(super) fn blocked(&mut self, send: SendId) -> Result<(), InDoubt> {
        if *self != Sending::Given(send) {
            return Err(InDoubt);
        }
        *self = Sending::UnderWay(send);
        Ok(())
    }

    /// The reactor reports that a send is done.
    pub(super) fn done(&mut self, send: SendId) -> Result<(), InDoubt> {
        if *self != Sending::Given(send) && *self != Sending::UnderWay(send) {
            return Err(InDoubt);
        }
        *self = Sending::Nothing;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use corecached_reactor::{Reactor, ReactorConfig, Token};

    use super::*;

    /// Ids of three sends of one connection.
    fn sends() -> [SendId; 3] {
        let config = ReactorConfig::default();
        let mut reactor = Reactor::new(&config).unwrap_or_else(|error| panic!("{error}"));
        let null = File::open("/dev/null").unwrap();
        let mut stream = reactor.open(null.into(), Token(1));
        std::array::from_fn(|_| reactor.send(&mut stream, Vec::new().into()))
    }

    #[test]
    fn only_the_send_that_was_given_is_blocked_or_done() {
        let [old, send, other] = sends();
        let mut sending = Sending::Nothing;
        assert_eq!(sending.blocked(send), Err(InDoubt));
        assert_eq!(sending.done(send), Err(InDoubt));
        sending = Sending::Given(send);
        assert_eq!(sending.done(old), Err(InDoubt));
        assert_eq!(sending.blocked(other), Err(InDoubt));
        assert_eq!(sending.blocked(send), Ok(()));
        assert!(sending.is_under_way());
        assert_eq!(sending.blocked(send), Err(InDoubt), "twice");
        assert_eq!(sending.done(old), Err(InDoubt));
        assert!(
            sending.is_under_way(),
            "the end of another send is not its end"
        );
        assert_eq!(sending.done(send), Ok(()));
        assert_eq!(sending.done(send), Err(InDoubt), "twice");
        sending = Sending::Given(other);
        assert_eq!(sending.done(other), Ok(()), "at once");
    }
}
