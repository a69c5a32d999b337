//! The known differences between 1.6.18 and 1.6.45 in meta commands, as `docs/differences.md` lists them.
//!
//! As for the classic text protocol, a request that a rule applies to is compared alone, and the rule says whether the
//! old reply and the new one are what they must be. Nothing that a rule does not name may differ.

use super::line::{Line, is_cut_number, is_loose_number};

const BAD_FORMAT: &str = "CLIENT_ERROR bad command line format\r\n";
const WRONG_FLAG: &str = "CLIENT_ERROR invalid or duplicate flag\r\n";
const TOO_MANY: &str = "CLIENT_ERROR options flags are too long\r\n";
const LONG_OPAQUE: &str = "CLIENT_ERROR opaque token too long\r\n";

/// A known difference.
pub(super) struct Rule {
    /// As in `docs/differences.md`.
    pub(super) name: &'static str,
    /// Whether a request is of this kind.
    pub(super) applies: fn(&Line<'_>) -> bool,
    /// Whether it has an effect on one of the servers only: it gets a key of its own then that nothing else uses.
    pub(super) own_key: bool,
    /// Whether the replies, theirs and ours, are as they must be.
    pub(super) explains: fn(&Line<'_>, &str, &str) -> bool,
}

/// The text for something wrong with the flags: `ma` has one only.
fn error<'t>(line: &Line<'_>, text: &'t str) -> &'t str {
    if line.is("ma") { WRONG_FLAG } else { text }
}

fn is_error(reply: &str) -> bool {
    reply.starts_with("CLIENT_ERROR ") || reply.starts_with("ERROR")
}

/// A new flag on a key that has no item: refused by one, taken by the other.
fn is_new(_: &Line<'_>, theirs: &str, ours: &str) -> bool {
    (theirs == WRONG_FLAG || theirs == "CLIENT_ERROR invalid flag\r\n") && !is_error(ours)
}

/// A request that more than one applies to is not sent.
pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "no key",
        applies: |line| line.is_meta() && line.words.len() == 1,
        own_key: false,
        explains: |line, theirs, ours| {
            // The data of ms is read as commands.
            let data = if line.is("ms") { "ERROR\r\n" } else { "" };
            let after = theirs.strip_prefix("ERROR\r\n");
            after == ours.strip_prefix(BAD_FORMAT) && (after == Some("") || after == Some(data))
        },
    },
    Rule {
        name: "E",
        applies: |line| line.has(b"E"),
        own_key: true,
        explains: is_new,
    },
    Rule {
        name: "x of md",
        applies: |line| line.is("md") && line.has(b"x"),
        own_key: true,
        explains: is_new,
    },
    Rule {
        name: "more than 20 words",
        applies: |line| line.words.len() > 20,
        own_key: true,
        explains: |line, theirs, ours| {
            is_error(theirs)
                && (ours.starts_with(error(line, TOO_MANY)) || ours.starts_with(BAD_FORMAT))
        },
    },
    Rule {
        name: "length of ms with a sign, or of more than 11 digits, or cut to 32 bits",
        applies: |line| line.is("ms") && line.length().is_none() && is_old_length(line),
        own_key: true,
        explains: |_, theirs, ours| !theirs.starts_with(BAD_FORMAT) && ours.starts_with(BAD_FORMAT),
    },
    Rule {
        name: "data of ms with a long key",
        applies: |line| line.is("ms") && line.length().is_some() && line.key().len() > 250,
        own_key: false,
        explains: |_, theirs, ours| {
            // A length that is too short leaves a line of data to both.
            let left = [theirs, ours].map(|reply| reply.strip_prefix(BAD_FORMAT));
            left[0] == Some("ERROR\r\n") && (left[1] == Some("") || left[1] == left[0])
        },
    },
    Rule {
        name: "long key of ma",
        applies: |line| line.is("ma") && line.key().len() > 250,
        own_key: false,
        explains: |_, theirs, ours| theirs == BAD_FORMAT && ours == WRONG_FLAG,
    },
    Rule {
        name: "flag that is no letter",
        applies: |line| {
            let is_flag = |byte: u8| matches!(byte, b'A'..=b'z' | b'0'..=b'9');
            line.flags().iter().any(|flag| !is_flag(flag[0]))
        },
        own_key: false,
        explains: |_, theirs, ours| {
            theirs.starts_with("CLIENT_ERROR ") && theirs != ours && ours == BAD_FORMAT
        },
    },
    Rule {
        name: "number cut to 32 bits",
        applies: |line| line.flags().iter().any(|flag| is_cut_number(flag)),
        own_key: true,
        explains: |_, _, ours| ours.starts_with("CLIENT_ERROR "),
    },
    Rule {
        name: "number with a plus sign, or too long",
        applies: |line| line.flags().iter().any(|flag| is_loose_number(flag)),
        own_key: true,
        explains: |_, _, ours| ours.starts_with("CLIENT_ERROR "),
    },
    Rule {
        name: "mode of no letter or several",
        applies: |line| line.flag(b'M').is_some_and(|mode| mode.len() != 1),
        own_key: true,
        explains: |line, theirs, ours| {
            let length = "CLIENT_ERROR incorrect length for M token\r\n";
            let old = if line.is("md") || line.is("ma") {
                WRONG_FLAG
            } else {
                length
            };
            (is_error(theirs) && line.has_wrong_flags() && is_error(ours))
                || (theirs == old && theirs != ours)
        },
    },
    Rule {
        name: "wrong flags of md",
        applies: |line| line.is("md") && line.key().len() <= 250 && line.has_wrong_flags(),
        own_key: false,
        explains: |_, theirs, ours| {
            theirs == WRONG_FLAG && ours.starts_with("CLIENT_ERROR ") && ours != theirs
        },
    },
    Rule {
        name: "key that is not base64",
        applies: |line| line.has_bad_base64(),
        own_key: false,
        explains: |_, _, ours| ours.starts_with("CLIENT_ERROR "),
    },
    Rule {
        name: "opaque that is too long",
        applies: |line| line.flag(b'O').is_some_and(|opaque| opaque.len() > 31),
        own_key: true,
        explains: |_, theirs, ours| ours == LONG_OPAQUE || (is_error(ours) && theirs == ours),
    },
    Rule {
        name: "s of ms",
        applies: |line| line.is("ms") && line.has(b"s"),
        own_key: false,
        explains: |_, theirs, ours| theirs == without_size(ours),
    },
    Rule {
        name: "N of append and prepend",
        applies: |line| {
            let adds = matches!(line.flag(b'M'), Some(b"A" | b"P"));
            line.is("ms") && line.has(b"N") && adds
        },
        own_key: true,
        explains: |_, theirs, ours| {
            theirs == ours
                || (theirs.starts_with("NS") && (ours.is_empty() || ours.starts_with("HD")))
        },
    },
    Rule {
        name: "C of mg",
        applies: |line| line.is("mg") && line.has(b"Cv"),
        own_key: false,
        explains: |_, theirs, ours| theirs == ours || without_value(theirs) == Some(ours.into()),
    },
    Rule {
        name: "base64 key of an item that N creates",
        applies: |line| line.has(b"bN") && (line.is("mg") || line.is("ma")),
        own_key: true,
        explains: |_, theirs, ours| theirs.get(..2) == ours.get(..2),
    },
    Rule {
        name: "append and prepend to a base64 key",
        applies: |line| {
            line.is("ms") && line.has(b"bM") && !matches!(line.flag(b'M'), Some(b"S" | b"E" | b"R"))
        },
        own_key: true,
        explains: |_, theirs, ours| theirs == ours,
    },
    Rule {
        name: "q of a number that ma creates",
        applies: |line| line.is("ma") && line.has(b"Nq"),
        own_key: true,
        explains: |_, theirs, ours| {
            !is_error(theirs) && !theirs.is_empty() && ours.is_empty()
                || is_error(theirs) && theirs == ours
        },
    },
    Rule {
        name: "T of ma",
        applies: |line| line.is("ma") && line.has(b"T"),
        own_key: true,
        explains: |_, theirs, ours| theirs.get(..2) == ours.get(..2),
    },
    Rule {
        name: "me with b",
        applies: |line| line.is("me") && line.words.get(2) == Some(&&b"b"[..]),
        own_key: false,
        explains: |_, theirs, ours| theirs.get(..2) == ours.get(..2),
    },
];

/// Whether 1.6.18 takes the length.
fn is_old_length(line: &Line<'_>) -> bool {
    let word = line
        .words
        .get(2)
        .and_then(|word| std::str::from_utf8(word).ok());
    word.and_then(|word| word.parse::<i64>().ok())
        .is_some_and(|length| length as i32 >= 0)
}

/// A reply line without its `s` flag.
fn without_size(reply: &str) -> String {
    let is_size = |word: &&str| {
        word.strip_prefix('s')
            .is_some_and(|rest| rest.trim_end().parse::<u32>().is_ok())
    };
    let words: Vec<&str> = reply
        .trim_end()
        .split(' ')
        .filter(|word| !is_size(word))
        .collect();
    if reply.is_empty() {
        String::new()
    } else {
        words.join(" ") + "\r\n"
    }
}

/// `VA <bytes> <flag>*` as `HD <flag>*`.
fn without_value(reply: &str) -> Option<String> {
    let after = reply.strip_prefix("VA ")?;
    let at = after.find([' ', '\r'])?;
    Some(format!("HD{}", &after[at..]))
}
