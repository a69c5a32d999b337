//! The known differences between 1.6.18 and 1.6.45, as `docs/differences.md` lists them.
//!
//! A rule looks at one request: if it applies, the request is compared alone, and the rule says whether the old reply
//! and the new one are what they must be. Nothing that a rule does not name may differ.

use super::line::Line;
use super::line::Verb as V;

const ERROR: &str = "ERROR\r\n";
const BAD_FORMAT: &str = "CLIENT_ERROR bad command line format\r\n";
const BAD_EXPTIME: &str = "CLIENT_ERROR invalid exptime argument\r\n";
const BAD_DELTA: &str = "CLIENT_ERROR invalid numeric delta argument\r\n";
const DELETE_USAGE: &str =
    "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n";

/// A known difference.
pub(super) struct Rule {
    /// As in `docs/differences.md`.
    pub(super) name: &'static str,
    /// Whether a request is of this kind.
    pub(super) applies: fn(&Line<'_>) -> bool,
    /// What happens to such a request.
    pub(super) handling: Handling,
    /// Whether the replies, theirs and ours, are as they must be.
    pub(super) explains: fn(&Line<'_>, &str, &str) -> bool,
}

/// What happens to a request that a rule applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handling {
    /// It has the same effect on both servers, or none.
    Keep,
    /// It has an effect on one of them only: it gets a key of its own that nothing else uses.
    OwnKey,
    /// It takes replies before it away: it is a batch of its own.
    OwnBatch,
}

use Handling::{Keep, OwnBatch, OwnKey};

/// Nothing, if the request wants no reply.
fn unless_quiet<'r>(line: &Line<'_>, reply: &'r str) -> &'r str {
    if line.wants_no_reply() { "" } else { reply }
}

/// The first that applies counts.
pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "short line",
        applies: |line| line.bytes < 4,
        handling: Keep,
        explains: |_, theirs, ours| theirs == ERROR && ours == BAD_FORMAT,
    },
    Rule {
        name: "leading space",
        applies: |line| line.leading_space,
        handling: OwnKey,
        explains: |line, _, ours| ours == unless_quiet(line, ERROR),
    },
    Rule {
        name: "bget",
        applies: |line| line.words[0] == b"bget" && line.words.len() > 1,
        handling: OwnKey,
        explains: |line, theirs, ours| theirs == "END\r\n" && ours == unless_quiet(line, ERROR),
    },
    Rule {
        name: "long key of a retrieval",
        applies: |line| {
            matches!(line.verb, V::Get | V::Gat) && line.words.iter().any(|word| word.len() > 250)
        },
        handling: OwnBatch,
        explains: |_, theirs, ours| theirs == ours,
    },
    Rule {
        name: "too few words",
        applies: |line| {
            // Without a length the rest of the line of cas does not matter any more.
            let is_cut_cas =
                line.verb == V::Cas && line.words.len() == 5 && line.length().is_none();
            let is_short = line.words.len() < line.verb.words_min();
            is_cut_cas || (is_short && !is_gat_without_key(line))
        },
        handling: Keep,
        explains: |_, theirs, ours| {
            let after = theirs.strip_prefix(ERROR);
            after.is_some() && after == ours.strip_prefix(BAD_FORMAT)
        },
    },
    Rule {
        name: "gat without a key",
        applies: is_gat_without_key,
        handling: Keep,
        explains: |_, theirs, ours| {
            (theirs == "END\r\n" || theirs == BAD_EXPTIME) && ours == BAD_FORMAT
        },
    },
    Rule {
        name: "cas without its last word",
        applies: |line| line.verb == V::Cas && line.words.len() == 5 && line.length().is_some(),
        handling: OwnKey,
        explains: |line, theirs, ours| {
            theirs == line.errors_for(1) && ours.starts_with(unless_quiet(line, BAD_FORMAT))
        },
    },
    Rule {
        name: "surplus words",
        applies: |line| line.verb != V::Delete && line.words.len() > line.verb.words_max(),
        handling: OwnKey,
        explains: surplus_words,
    },
    Rule {
        name: "surplus words of delete",
        applies: |line| line.verb == V::Delete && line.words.len() > 2 && !old_delete(line),
        handling: OwnKey,
        explains: |line, theirs, ours| {
            let old = if line.words.len() > 4 {
                ERROR
            } else {
                DELETE_USAGE
            };
            let new = if line.words[1].len() > 250 {
                BAD_FORMAT
            } else {
                "NOT_FOUND\r\n"
            };
            // A last word of noreply is seen by both.
            (theirs == old || (theirs.is_empty() && line.wants_no_reply()))
                && ours == unless_quiet(line, new)
        },
    },
    Rule {
        name: "delete noreply",
        applies: |line| line.verb == V::Delete && line.words[1..] == [b"noreply"],
        handling: Keep,
        explains: |_, theirs, ours| {
            (theirs == "DELETED\r\n" || theirs == "NOT_FOUND\r\n") && ours.is_empty()
        },
    },
    Rule {
        name: "length cut to 32 bits",
        applies: |line| {
            line.verb.stores() && line.length().is_none() && line.old_length().is_some()
        },
        handling: OwnKey,
        explains: |_, _, ours| ours.starts_with(BAD_FORMAT),
    },
    Rule {
        name: "noreply of a storage command without a length",
        applies: |line| line.verb.stores() && line.length().is_none() && line.wants_no_reply(),
        handling: Keep,
        explains: |line, theirs, ours| {
            theirs == line.errors_for(0) && ours.strip_prefix(BAD_FORMAT) == Some(theirs)
        },
    },
    Rule {
        name: "data of a refused storage command",
        applies: |line| line.verb.stores() && line.length().is_some() && !line.fields_are_good(),
        handling: OwnKey,
        explains: |line, theirs, ours| {
            let refusal = unless_quiet(line, BAD_FORMAT);
            theirs.strip_prefix(refusal) == Some(&line.errors_for(0)) && ours.starts_with(refusal)
        },
    },
    Rule {
        name: "exptime with a sign, or of more than 11 digits, or cut to 32 bits",
        applies: |line| {
            line.strict_exptime_word()
                .is_some_and(|word| !is_strict_i32(word) && is_c_i64(word))
        },
        handling: OwnKey,
        explains: |line, theirs, ours| {
            theirs != BAD_EXPTIME && ours == unless_quiet(line, BAD_EXPTIME)
        },
    },
    Rule {
        name: "delta or cas unique with a sign, or of more than 22 digits",
        applies: |line| line.loose_u64(),
        handling: OwnKey,
        explains: |line, theirs, ours| match line.verb {
            V::Arith => theirs != BAD_DELTA && ours == unless_quiet(line, BAD_DELTA),
            _ => theirs != BAD_FORMAT && ours == unless_quiet(line, BAD_FORMAT),
        },
    },
    Rule {
        name: "megabytes or level with a sign, or of more than 11 digits, or cut to 32 bits",
        applies: |line| line.loose_setting(),
        handling: Keep,
        explains: |line, theirs, ours| {
            let (old, new) = if line.verb == V::Verbosity {
                ("OK\r\n", BAD_FORMAT)
            } else {
                ("MEMLIMIT_", ERROR)
            };
            theirs.starts_with(unless_quiet(line, old)) && ours == unless_quiet(line, new)
        },
    },
    Rule {
        name: "shutdown without -A",
        applies: |line| line.words[0] == b"shutdown",
        handling: Keep,
        explains: |line, theirs, ours| {
            theirs == "ERROR: shutdown not enabled\r\n"
                && ours == unless_quiet(line, "SERVER_ERROR: shutdown not enabled\r\n")
        },
    },
    Rule {
        name: "noreply of an unknown command",
        applies: |line| line.verb == V::Unknown && line.wants_no_reply(),
        handling: Keep,
        explains: |_, theirs, ours| theirs == ERROR && ours.is_empty(),
    },
];

fn is_gat_without_key(line: &Line<'_>) -> bool {
    line.verb == V::Gat && line.words.len() == 2
}

/// Old: `ERROR`, whatever the words are, and the data is read as commands. New: they do not matter.
fn surplus_words(line: &Line<'_>, theirs: &str, ours: &str) -> bool {
    if line.verb.stores() {
        return theirs == line.errors_for(1);
    }
    let possible: &[&str] = match line.verb {
        // The key of its own stands in the place of the number.
        V::Verbosity => &[BAD_FORMAT],
        V::Memlimit => &[ERROR],
        V::Touch => &["NOT_FOUND\r\n", BAD_EXPTIME, BAD_FORMAT],
        _ => &["NOT_FOUND\r\n", BAD_DELTA, BAD_FORMAT],
    };
    theirs == ERROR
        && possible
            .iter()
            .any(|reply| ours == unless_quiet(line, reply))
}

/// Whether the old delete takes the words after the key.
fn old_delete(line: &Line<'_>) -> bool {
    matches!(line.words[2..], [b"0" | b"noreply"] | [b"0", b"noreply"])
}

/// At most 11 bytes, a minus sign at most, and in range.
fn is_strict_i32(word: &[u8]) -> bool {
    word.len() <= 11
        && !word.starts_with(b"+")
        && super::line::c_i64(word).is_some_and(|n| i32::try_from(n).is_ok())
}

fn is_c_i64(word: &[u8]) -> bool {
    super::line::c_i64(word).is_some()
}
