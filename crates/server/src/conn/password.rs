//! Authentication in the text protocols (`-Y`): until it has succeeded, the only command is a `set` of any key whose
//! value is `user password`.
//!
//! ```text
//!   set <any> <any> <any> <bytes>\r\n
//!   <user> <password>\r\n            -> STORED, and from now on the connection is like any other
//! ```
//!
//! A length that no value can have does not count as a length: the line is answered, and the bytes behind it are the
//! next line.

use corecached_protocol::VALUE_BYTES_MAX;
use corecached_protocol::reply;

use super::auth_state::AuthState;
use super::step::Step;
use super::{Conn, Cx, Phase};

/// A line has at least this many bytes before its `\n`, or the connection is closed.
const LINE_BYTES_MIN: usize = 6;
/// With more bytes than this and no line end, the connection is closed; but see [`Conn::too_long`].
const LINE_BYTES_MAX: usize = 2048;
/// Longest word of a number of 32 bits.
const LENGTH_BYTES_MAX: usize = 11;
/// Longest value that is read.
const TOKEN_BYTES_MAX: u64 = 16 * 1024;

/// Works on one line, which `bytes` begins with, and on the value that follows it.
pub(super) fn command(conn: &mut Conn, bytes: &[u8], cx: &mut Cx<'_>) -> Step {
    let Some(end) = memchr::memchr(b'\n', bytes) else {
        return if bytes.len() > LINE_BYTES_MAX {
            conn.too_long(bytes.len(), cx)
        } else {
            Step::Incomplete
        };
    };
    conn.line.turns = 0;
    if end < LINE_BYTES_MIN {
        return Step::Close;
    }
    let used = end + 1;
    let Some(value_bytes) = announced(&bytes[..end]) else {
        cx.tally.count_other();
        conn.reply(reply::UNAUTHENTICATED, cx);
        return Step::Used(used);
    };
    if value_bytes > TOKEN_BYTES_MAX {
        cx.tally.count_other();
        conn.reply(reply::AUTH_TOKEN_TOO_LONG, cx);
        conn.phase = Phase::Swallow(value_bytes.saturating_add(reply::CRLF.len() as u64));
        return Step::Used(used);
    }
    let whole = value_bytes as usize + reply::CRLF.len();
    let Some(value) = bytes[used..].get(..whole) else {
        return Step::Incomplete;
    };
    cx.tally.count_other();
    let answer = answer(conn, value, cx);
    conn.reply(answer, cx);
    Step::Used(used + whole)
}

/// The length of the value, if the line is a `set` whose length is a number of 32 bits that a value can have.
fn announced(line: &[u8]) -> Option<u64> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let words = line.strip_prefix(b"set ")?.split(|&byte| byte == b' ');
    let length = words.filter(|word| !word.is_empty()).nth(3)?;
    let is_number = length.len() <= LENGTH_BYTES_MAX && length.iter().all(u8::is_ascii_digit);
    let length: u64 = str::from_utf8(length).ok()?.parse().ok()?;
    (is_number && length <= u64::from(VALUE_BYTES_MAX)).then_some(length)
}

/// Admits the connection if `value` names a user and the right password.
fn answer(conn: &mut Conn, value: &[u8], cx: &Cx<'_>) -> &'static [u8] {
    let Some(value) = value.strip_suffix(reply::CRLF) else {
        return reply::AUTH_BAD_TERMINATION;
    };
    let Some(space) = memchr::memchr(b' ', value) else {
        return reply::AUTH_BAD_TOKEN;
    };
    if conn.authenticate(Some((&value[..space], &value[space + 1..])), cx) {
        reply::STORED
    } else {
        reply::AUTH_FAILURE
    }
}

impl Conn {
    /// Whether the connection may do more than authenticate.
    #[inline]
    pub(super) fn is_admitted(&self) -> bool {
        self.auth == AuthState::Done
    }

    /// Admits the connection if `credentials` are a user and the right password, and counts the attempt. `None` stands
    /// for a value that is neither.
    pub(super) fn authenticate(
        &mut self,
        credentials: Option<(&[u8], &[u8])>,
        cx: &Cx<'_>,
    ) -> bool {
        let auth = cx.shared.admission.auth.as_deref().zip(credentials);
        let is_known = auth.is_some_and(|(auth, (user, password))| auth.admits(user, password));
        cx.net.auth_cmds.add(1);
        self.auth = match is_known {
            true => AuthState::Done,
            false => AuthState::Needed,
        };
        if !is_known {
            cx.net.auth_errors.add(1);
        }
        is_known
    }
}

#[cfg(test)]
mod tests {
    use super::announced;

    #[test]
    fn only_a_set_announces_a_value() {
        for (line, length) in [
            (&b"set a 0 0 11\r"[..], Some(11)),
            (b"set a b c 11", Some(11)),
            (b"set  a  b  c  0  more", Some(0)),
            (b"set a 0 0 00000000011", Some(11)),
            (b"set a 0 0 16385", Some(16_385)),
            (b"set a 0 0 2147483645", Some(2_147_483_645)),
            (b"set a 0 0 2147483646", None),
            (b"set a 0 0 4294967296", None),
            (b"set a 0 0 99999999999999999999999\r", None),
            (b"set a 0 0 000000000011", None),
            (b"set a 0 0 +1", None),
            (b"set a 0 0 \r", None),
            (b" set a 0 0 1", None),
            (b"set\ta\t0\t0\t1", None),
            (b"setx a 0 0 1", None),
            (b"set a 0 0", None),
            (b"set a 0 0 -1", None),
            (b"set a 0 0 1x", None),
            (b"SET a 0 0 1", None),
            (b"add a 0 0 1", None),
            (b"get a", None),
            (b"       ", None),
        ] {
            assert_eq!(announced(line), length, "{line:?}");
        }
    }
}
