//! Commands that memcached has and this server does not have yet.

use super::commands::{COMMANDS, CommandStatus};
use super::request::Request;

/// The command that `word` names, if it is one of a later release.
#[cold]
pub(super) fn parse<'a>(word: &[u8]) -> Option<Request<'a>> {
    let command = COMMANDS
        .iter()
        .find(|command| command.word.as_bytes() == word)?;
    (command.status == CommandStatus::Later).then_some(Request::Later { name: command.word })
}
