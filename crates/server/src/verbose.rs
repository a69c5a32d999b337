//! The requests of clients and the replies to them, on stderr and in memcached's words, which people search for.
//!
//! ```text
//! -vv    <21 get k                     a request on descriptor 21
//!        >21 sending key k             a value that is found
//!        >21 STORED                    any other reply of one line
//! -vvv   > FOUND KEY k                 the result of each lookup, in the text and binary protocols
//!        > NOT FOUND k
//!        > FOUND KEY k -nuked by flush
//! ```
//!
//! A reply from another shard is shown when it comes, even if that is after a later reply of the connection. Bytes that
//! are not printable ASCII are escaped, so that no client writes to anybody's terminal.

use std::os::fd::RawFd;

use corecached_engine::Presence;

use crate::process::{is_verbose, say_verbose as say};

/// Whether requests and replies are shown.
#[inline]
pub(crate) fn is_on() -> bool {
    is_verbose()
}

/// Shows a request, if requests are shown.
#[inline]
pub(crate) fn request(descriptor: RawFd, line: &[u8]) {
    if is_on() {
        let line = line.trim_ascii_end().escape_ascii();
        say(format_args!("<{descriptor} {line}"));
    }
}

/// Shows the reply to a request in one of the text protocols. A reply of several lines, such as statistics, is not
/// shown.
#[cold]
pub(crate) fn reply(descriptor: RawFd, reply: &[u8]) {
    let Some(end) = memchr::memmem::find(reply, b"\r\n") else {
        return;
    };
    let line = &reply[..end];
    if let Some(rest) = line.strip_prefix(b"VALUE ") {
        let key = rest.split(|&byte| byte == b' ').next().unwrap_or(rest);
        say(format_args!(
            ">{descriptor} sending key {}",
            key.escape_ascii()
        ));
    } else if end + 2 == reply.len() || line.starts_with(b"VA ") {
        say(format_args!(">{descriptor} {}", line.escape_ascii()));
    }
}

/// Shows the result of a lookup.
#[cold]
pub(crate) fn lookup(key: &[u8], presence: Presence) {
    let key = key.escape_ascii();
    match presence {
        Presence::Absent => say(format_args!("> NOT FOUND {key}")),
        Presence::Live => say(format_args!("> FOUND KEY {key}")),
        Presence::Expired => say(format_args!("> FOUND KEY {key} -nuked by expire")),
        Presence::Flushed => say(format_args!("> FOUND KEY {key} -nuked by flush")),
    }
}
