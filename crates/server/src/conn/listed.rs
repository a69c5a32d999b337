//! Which of its shard's lists a connection is in (`shard/lists.rs`).

/// The shard's lists that a connection is in. It enters none of them twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    /// The list of connections that may have replies to send.
    pub(crate) to_send: bool,
    /// The list of connections with input left.
    pub(crate) to_go_on: bool,
}

impl Listed {
    /// Notes that the connection is in `list`; returns false if it already was.
    #[inline]
    pub(crate) fn enter(list: &mut bool) -> bool {
        !std::mem::replace(list, true)
    }
}
