//! docs/options.md against the parser: every example does what its row says, and no option is missing.

use std::collections::BTreeSet;

use super::super::{extended, flash, options, ssl};
use super::{printed, try_draft};

const PAGE: &str = include_str!("../../../../../docs/options.md");

/// A row of the tables.
struct Row {
    options: Vec<&'static str>,
    example: &'static str,
    here: &'static str,
}

/// The words between backticks.
fn quoted(cell: &'static str) -> Vec<&'static str> {
    cell.split('`').skip(1).step_by(2).collect()
}

fn rows(heading: &str) -> Vec<Row> {
    let (_, section) = PAGE.split_once(heading).expect("the heading is there");
    let section = section.split("\n## ").next().unwrap_or(section);
    let lines = section.lines().filter(|line| line.starts_with("| `"));
    lines
        .map(|line| {
            // The first cell is the text before the first bar, which is empty.
            let cells: Vec<&str> = line.split('|').collect();
            assert_eq!(cells.len(), 7, "{line}");
            Row {
                options: quoted(cells[1]),
                example: quoted(cells[2])[0],
                here: cells[4].trim(),
            }
        })
        .collect()
}

fn check(row: &Row, args: &[&str]) {
    let name = row.options.join(" ");
    if matches!(name.as_str(), "-h --help" | "-i --license" | "-V --version") {
        assert!(!printed(args).is_empty());
        return;
    }
    let draft = try_draft(args);
    match (row.here, draft) {
        ("as memcached" | "differs" | "own", Ok(draft)) => {
            assert!(draft.notes.is_empty(), "{name}: {:?}", draft.notes);
        }
        ("no effect", Ok(draft)) => {
            let said = draft.notes.iter().any(|note| note.contains("no effect"));
            assert!(said, "{name} has no effect, and nothing says so");
        }
        ("refused", Err(error)) => assert!(
            error.message.contains("is not supported by this version"),
            "{name}: {error}"
        ),
        (here, Ok(_)) => panic!("{name} is \"{here}\", but accepted"),
        (here, Err(error)) => panic!("{name} is \"{here}\", but refused: {error}"),
    }
}

#[test]
fn every_letter_does_what_the_page_says() {
    let rows = rows("## Letters");
    let mut documented = BTreeSet::new();
    for row in &rows {
        check(row, &row.example.split(' ').collect::<Vec<_>>());
        documented.extend(row.options.iter().map(|name| (*name).to_owned()));
    }
    for argument in options::command().get_arguments() {
        let Some(letter) = argument.get_short() else {
            continue;
        };
        assert!(documented.contains(&format!("-{letter}")), "-{letter}");
        let mut longs = argument.get_all_aliases().unwrap_or_default();
        // -D has a long form only so that messages can name it.
        longs.extend(argument.get_long().filter(|_| letter != 'D'));
        // Beginnings of the long name need no row.
        let is_beginning = |long: &str| {
            argument
                .get_long()
                .is_some_and(|whole| whole != long && whole.starts_with(long))
        };
        longs.retain(|long| !is_beginning(long));
        for long in longs {
            assert!(documented.contains(&format!("--{long}")), "--{long}");
        }
    }
    // memcached's 42 letters.
    for letter in "pUsaAldrumMckvhiVPfnLDtRCbBISFXWYeZNo".chars() {
        assert!(documented.contains(&format!("-{letter}")), "-{letter}");
    }
}

#[test]
fn every_sub_option_does_what_the_page_says() {
    let rows = rows("## Sub-options of -o");
    let mut documented = BTreeSet::new();
    for row in &rows {
        check(row, &["-o", row.example]);
        documented.extend(row.options.iter().copied());
    }
    let names = extended::names().chain(flash::names());
    for known in names.chain(ssl::names()) {
        assert!(documented.contains(known), "{known}");
    }
    // Several sub-options stand in one list, and there are several lists.
    let harmless = rows.iter().filter(|row| row.here != "refused");
    let list: Vec<&str> = harmless
        .map(|row| row.example)
        .filter(|example| !example.starts_with("no_modern"))
        .collect();
    assert!(try_draft(&["-o", &list.join(","), "-o", "modern"]).is_ok());
    // memcached's manual does not tell of what this server has alone.
    let help = printed(&["-h"]);
    let own = rows.iter().filter(|row| row.here == "own");
    let untold: Vec<_> = own
        .flat_map(|row| &row.options)
        .filter(|name| !help.contains(**name))
        .collect();
    assert_eq!(untold, [&"debugtime"], "-h does not tell of these");
}

#[test]
fn tools_find_features_in_the_help() {
    let help = printed(&["-h"]);
    // These are the words that memcached's own test suite looks for.
    for present in [
        "-U,",
        "-s,",
        "--unix-mask",
        "--enable-shutdown",
        "--protocol",
        "--extended",
    ] {
        assert!(help.contains(present), "{present}");
    }
    let first = help.lines().next();
    assert_eq!(first, Some("memcached 1.6.45"));
    for absent in ["ext_path", "proxy_config", "no_drop_privileges"] {
        assert!(!help.contains(absent), "{absent}");
    }
}
