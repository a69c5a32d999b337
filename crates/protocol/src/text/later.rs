//! Commands that memcached has and this server does not have yet.

use super::commands::{COMMANDS, CommandStatus};
use super::number::strict_u32;
use super::request::Request;
use super::tokens::Tokens;
use crate::reply;

/// The command that `word` names, if it is one of a later release.
///
/// `ms` announces a data block, which must not be read as commands: its line is an error that swallows it.
#[cold]
pub(super) fn parse<'a>(word: &[u8], rest: &[u8]) -> Option<Request<'a>> {
    let command = COMMANDS
        .iter()
        .find(|command| command.word.as_bytes() == word)?;
    if command.status != CommandStatus::Later {
        return None;
    }
    if word == b"ms" {
        return Some(meta_set(rest));
    }
    Some(Request::Later { name: command.word })
}

fn meta_set<'a>(rest: &[u8]) -> Request<'a> {
    let Some(value_bytes) = Tokens::new(rest).nth(1).and_then(strict_u32) else {
        return Request::error(reply::BAD_FORMAT);
    };
    let swallow = value_bytes as usize + reply::CRLF.len();
    Request::Error {
        reply: reply::META_SET_NOT_SUPPORTED,
        swallow,
        noreply: false,
        close: false,
    }
}
