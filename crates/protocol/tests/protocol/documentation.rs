//! `docs/protocol.md` and the parsers know the same commands, flags, opcodes, statuses and subcommands.

use std::collections::BTreeMap;

use corecached_protocol::binary::{Opcode, Status};
use corecached_protocol::meta;
use corecached_protocol::text::COMMANDS;

const DOCUMENT: &str = include_str!("../../../../docs/protocol.md");

/// Command word of each row of the table of text commands: `` | `word` | form | ... ``.
fn documented() -> Vec<&'static str> {
    let section = DOCUMENT
        .split("\n## ")
        .find(|section| section.starts_with("Text commands"))
        .expect("the table");
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let (word, _) = row
            .split_once("` | ")
            .expect("a command word alone in its cell");
        word
    })
    .collect()
}

#[test]
fn every_command_word_is_documented() {
    assert_eq!(documented(), COMMANDS);
}

/// The section of the document under this heading.
fn section(heading: &str) -> &'static str {
    let found = DOCUMENT
        .split("\n## ")
        .find(|section| section.starts_with(heading));
    found.unwrap_or_else(|| panic!("no section {heading}"))
}

/// The first cell of each row of the tables in a section, but for headings.
fn first_cells(section: &'static str) -> impl Iterator<Item = &'static str> {
    let rows = section.lines().filter(|line| line.starts_with("| "));
    rows.filter_map(|row| row[2..].split(" | ").next())
}

/// `0c GETK, 0d GETKQ`: codes and names.
fn opcodes(cell: &'static str) -> impl Iterator<Item = (u8, &'static str)> {
    cell.split(", ").filter_map(|entry| {
        let (code, name) = entry.split_once(' ')?;
        let code = u8::from_str_radix(code, 16)
            .ok()
            .filter(|_| code.len() == 2)?;
        Some((code, name))
    })
}

#[test]
fn every_opcode_is_documented_with_its_quiet_form() {
    let documented: BTreeMap<u8, &str> = first_cells(section("Binary protocol"))
        .flat_map(opcodes)
        .collect();
    let known: Vec<u8> = Opcode::ALL.iter().map(|&opcode| opcode as u8).collect();
    let mut sorted = known.clone();
    sorted.sort_unstable();
    assert_eq!(documented.keys().copied().collect::<Vec<_>>(), sorted);
    for &opcode in Opcode::ALL {
        let name = documented[&(opcode as u8)];
        assert_eq!(name.ends_with('Q'), opcode.is_quiet(), "{name}");
        let in_code = format!("{opcode:?}").to_uppercase();
        assert!(
            in_code.ends_with(&name.to_uppercase().replace(' ', "")),
            "{name} is {in_code}"
        );
    }
}

#[test]
fn every_status_is_documented_with_its_text() {
    let rows = section("Binary protocol").lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let code = u16::from_str_radix(cells.next()?, 16).ok()?;
        Some((code, cells.next()?.trim_end_matches(" ...")))
    });
    let documented: BTreeMap<u16, &str> = rows.collect();
    let known = Status::ALL
        .into_iter()
        .filter(|status| !status.text().is_empty());
    let known: BTreeMap<u16, &str> = known
        .map(|status| {
            (
                status as u16,
                std::str::from_utf8(status.text()).expect("text"),
            )
        })
        .collect();
    assert_eq!(documented, known);
}

/// Letters that a meta command takes, as the parser says itself: an unknown one has its own error.
fn known_letters(word: &str) -> Vec<char> {
    let is_known = |letter: &char| {
        let line = format!("{word} a {}{letter}1", if word == "ms" { "1 " } else { "" });
        let unknown: &[&[u8]] = &[
            b"CLIENT_ERROR invalid flag\r\n",
            b"CLIENT_ERROR bad command line format\r\n",
            b"CLIENT_ERROR invalid or duplicate flag\r\n",
        ];
        match meta::parse(line.as_bytes()) {
            // A key that is no base64, a mode that is none: the letter is known.
            Some(meta::MetaRequest::Error { reply, .. }) => {
                !unknown.contains(&reply) || *letter == 'b'
            }
            parsed => parsed.is_some(),
        }
    };
    ('!'..='~').filter(is_known).collect()
}

#[test]
fn every_meta_flag_is_documented() {
    let text = section("Meta commands");
    let rows = first_cells(text).filter_map(|cell| cell.strip_prefix('`')?.chars().next());
    let mut documented: Vec<char> = rows.collect();
    // These have no row: two are ignored, and quiet is not about what comes back.
    let words: Vec<&str> = text.split_whitespace().collect();
    let prose = words.join(" ");
    assert!(prose.contains("`P` and `L` are for proxies and ignored"));
    assert!(prose.contains("`q` hides the ordinary reply"));
    documented.extend(['L', 'P', 'q']);
    documented.sort_unstable();
    for word in ["mg", "ms", "md", "ma"] {
        assert_eq!(documented, known_letters(word), "{word}");
    }
}

#[test]
fn every_subcommand_of_stats_is_documented() {
    let documented = first_cells(section("Subcommands of stats"));
    let words = documented.filter_map(|cell| cell.split([' ', ',']).next());
    let words: Vec<&str> = words
        .filter(|word| !matches!(*word, "subcommand" | "---" | "name"))
        .collect();
    for word in [
        "reset",
        "detail",
        "settings",
        "cachedump",
        "conns",
        "items",
        "slabs",
        "sizes",
        "shards",
        "memory",
    ] {
        assert!(words.contains(&word), "{word} of {words:?}");
    }
    let parsed = |word: &str| text_request(&format!("stats {word} 1 1"));
    let own = words.iter().filter(|word| parsed(word).contains("Other"));
    // The names that the parser leaves to the server stand in the same table.
    assert!(own.clone().any(|word| *word == "shards"));
    assert!(
        !own.clone()
            .any(|word| ["items", "slabs", "sizes", "reset", "conns"].contains(word))
    );
}

/// A readable name for the result of parsing a line.
fn text_request(line: &str) -> String {
    format!(
        "{:?}",
        corecached_protocol::text::parse(format!("{line}\r\n").as_bytes())
    )
}

#[test]
fn every_form_of_an_admin_command_is_understood() {
    for (heading, command) in [("lru_crawler", "lru_crawler"), ("slabs and lru", "")] {
        let forms = first_cells(section(heading)).filter(|cell| cell.starts_with('`'));
        for form in forms.flat_map(|cell| cell.split(", ")) {
            let form = form.trim_matches('`');
            let words = form
                .split(' ')
                .map(|word| if word.starts_with('<') { "1" } else { word });
            let line = format!("{command} {}", words.collect::<Vec<_>>().join(" "));
            let parsed = text_request(line.trim());
            assert!(!parsed.contains("Error {"), "{line}: {parsed}");
        }
    }
}
