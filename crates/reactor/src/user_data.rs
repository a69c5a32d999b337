//! The 64 bits that come back with a completion: what kind of operation it was, and for whom.
//!
//! ```text
//!   63      56 55                                0
//!  +----------+----------------------------------+
//!  |   kind   |  token, or the id of a send      |
//!  +----------+----------------------------------+
//! ```

use std::os::fd::RawFd;

use crate::send_id::SendId;
use crate::token::Token;

const KIND_SHIFT: u32 = 56;

/// The kind of operation that a completion belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Housekeeping that reports only failures, and those do not matter: cancel, close.
    Ignored = 0,
    /// Multishot accept; the payload is the listener's token.
    Accept = 1,
    /// The pause after a failed accept; the payload is the listener's token.
    AcceptRetry = 2,
    /// Multishot receive; the payload is the connection's token.
    Recv = 3,
    /// A send; the payload is its id.
    Send = 4,
    /// The timer of the warm window.
    Window = 5,
    /// The read of the waker's pipe.
    Wake = 6,
    /// A message from a peer's ring.
    Doorbell = 7,
    /// Multishot receive of datagrams; the payload is the socket's token.
    RecvDatagram = 8,
    /// A datagram of a reply; the payload names it.
    SendDatagram = 9,
    /// A wait for bytes to read; the payload is the connection's token.
    Poll = 10,
    /// Ringing a peer's doorbell, which reports only failures; the payload is the peer's descriptor.
    Ring = 11,
    /// The timer that ends a park.
    Alarm = 12,
}

const KINDS: [Kind; 13] = [
    Kind::Ignored,
    Kind::Accept,
    Kind::AcceptRetry,
    Kind::Recv,
    Kind::Send,
    Kind::Window,
    Kind::Wake,
    Kind::Doorbell,
    Kind::RecvDatagram,
    Kind::SendDatagram,
    Kind::Poll,
    Kind::Ring,
    Kind::Alarm,
];

/// Kind and payload, packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UserData(pub(crate) u64);

impl UserData {
    pub(crate) const IGNORED: UserData = UserData::of(Kind::Ignored, 0);
    pub(crate) const WINDOW: UserData = UserData::of(Kind::Window, 0);
    pub(crate) const ALARM: UserData = UserData::of(Kind::Alarm, 0);
    pub(crate) const WAKE: UserData = UserData::of(Kind::Wake, 0);
    pub(crate) const DOORBELL: UserData = UserData::of(Kind::Doorbell, 0);

    const fn of(kind: Kind, payload: u64) -> Self {
        UserData((kind as u64) << KIND_SHIFT | payload)
    }

    /// An operation on behalf of `token`.
    pub(crate) fn token(kind: Kind, token: Token) -> Self {
        assert!(token <= Token::MAX, "a token has 56 bits");
        Self::of(kind, token.0)
    }

    /// A send.
    pub(crate) fn send(id: SendId) -> Self {
        Self::of(Kind::Send, id.pack())
    }

    /// A datagram of a reply.
    pub(crate) fn send_datagram(payload: u64) -> Self {
        Self::of(Kind::SendDatagram, payload)
    }

    /// Ringing the doorbell of the peer with this descriptor, which the reactor keeps open.
    pub(crate) fn ring(peer: RawFd) -> Self {
        Self::of(Kind::Ring, u64::from(peer.cast_unsigned()))
    }

    /// The kind of operation; a kind that this reactor never submits (a message of a foreign ring) counts as
    /// [`Kind::Ignored`].
    pub(crate) fn kind(self) -> Kind {
        let kind = (self.0 >> KIND_SHIFT) as usize;
        KINDS.get(kind).copied().unwrap_or(Kind::Ignored)
    }

    /// The token or id.
    pub(crate) fn payload(self) -> u64 {
        self.0 & Token::MAX.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_and_unpacks() {
        for kind in KINDS {
            let user_data = UserData::of(kind, Token::MAX.0);
            assert_eq!(user_data.kind(), kind);
            assert_eq!(user_data.payload(), Token::MAX.0);
        }
        assert_eq!(UserData(u64::MAX).kind(), Kind::Ignored);
    }

    #[test]
    #[should_panic(expected = "56 bits")]
    fn refuses_a_token_that_is_too_large() {
        UserData::token(Kind::Recv, Token(1 << 56));
    }
}
