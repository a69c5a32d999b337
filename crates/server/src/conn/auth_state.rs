//! Whether a connection may do more than authenticate.

use crate::admission::Admission;

/// Whether a connection may do more than authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthState {
    /// It has to authenticate first.
    Needed,
    /// It has begun to, and the next step of SASL is awaited.
    UnderWay,
    /// It may: it has done so, or need not.
    Done,
}

impl AuthState {
    /// That of a new connection, which has to authenticate only if the server asks for that.
    pub(crate) fn of_new_conn(admission: &Admission) -> AuthState {
        match admission.auth {
            None => AuthState::Done,
            Some(_) => AuthState::Needed,
        }
    }
}
