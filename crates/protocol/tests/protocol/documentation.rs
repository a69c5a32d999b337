//! `docs/protocol.md` and the parser know the same commands.

use std::collections::BTreeMap;

use corecached_protocol::text::{COMMANDS, CommandStatus};

const DOCUMENT: &str = include_str!("../../../../docs/protocol.md");

/// Command word and state of each row of the table of text commands: `` | `word` | state | ... ``.
fn documented() -> BTreeMap<&'static str, &'static str> {
    let section = DOCUMENT
        .split("\n## ")
        .find(|section| section.starts_with("Text commands"))
        .expect("the table");
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let (word, rest) = row
            .split_once("` | ")
            .expect("a command word alone in its cell");
        (word, rest.split(" |").next().expect("a state"))
    })
    .collect()
}

#[test]
fn every_command_word_is_documented_with_its_state() {
    let known: BTreeMap<_, _> = COMMANDS
        .iter()
        .map(|command| {
            let state = match command.status {
                CommandStatus::Supported => "yes",
                CommandStatus::Later => "later",
            };
            (command.word, state)
        })
        .collect();
    assert_eq!(
        known.len(),
        COMMANDS.len(),
        "a command word is listed twice"
    );
    assert_eq!(documented(), known);
}
