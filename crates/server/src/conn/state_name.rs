//! The state that `stats conns` shows of a connection.

use corecached_protocol::Codec;
use corecached_protocol::binary::HEADER_BYTES;
use corecached_protocol::text::LINE_BYTES_AT_ONCE_MAX;

use super::{Conn, Phase};

impl Conn {
    /// The connection's state in the words of `stats conns`.
    pub(crate) fn state_name(&self) -> &'static str {
        match &self.phase {
            _ if self.is_closing() => "conn_closing",
            Phase::Watching(_) => "conn_watch",
            _ if self.send_is_under_way() => "conn_mwrite",
            Phase::Value(_) => "conn_nread",
            Phase::Swallow(_) => "conn_swallow",
            Phase::Keys(_) => "conn_parse_cmd",
            Phase::Walk(walk) if walk.is_statistic() => "conn_parse_cmd",
            Phase::Walk(_) => "conn_watch",
            Phase::Command if self.gather.is_some() => "conn_parse_cmd",
            Phase::Command if self.awaits_value() => "conn_nread",
            Phase::Command if self.replies.outstanding() > 0 => "conn_io_queue",
            Phase::Command => "conn_read",
        }
    }

    /// Whether a storage command has come and its value is missing.
    pub(super) fn awaits_value(&self) -> bool {
        match self.codec {
            Some(Codec::Binary) => self.input.len() >= HEADER_BYTES,
            _ => self.line.searched == 0 && self.input.has_line(LINE_BYTES_AT_ONCE_MAX),
        }
    }
}
