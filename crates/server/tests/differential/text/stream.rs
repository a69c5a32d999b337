//! Batches of requests in groups. A request that a rule applies to is a group of its own.

use corecached_fuzz::Choices;
use corecached_fuzz::streams::CAS_OF;
use corecached_fuzz::streams::text::request;

use super::line::{Line, Verb};
use super::rules::{Handling, RULES};
use crate::lines::{Group, RuleId};

/// The longest data of a refused command: read as commands, it must not be a line that is too long for 1.6.18.
const REFUSED_DATA_BYTES_MAX: usize = 900;

fn is_own_batch(group: &Group) -> bool {
    group
        .rule
        .is_some_and(|rule| RULES[rule.0].handling == Handling::OwnBatch)
}

/// Some groups, to be sent as one batch.
pub(super) fn batch(choices: &mut Choices<'_>) -> Vec<Group> {
    let first = group(choices);
    if is_own_batch(&first) {
        return vec![first];
    }
    let more = choices.below(12);
    let more = (0..more).map(|_| group(choices));
    let more = more.filter(|group| !is_own_batch(group));
    [first].into_iter().chain(more).collect()
}

fn group(choices: &mut Choices<'_>) -> Group {
    let count = 1 + choices.below(6);
    let mut requests = Vec::new();
    for _ in 0..count {
        let request = request(choices, 40_000);
        let line = Line::of(&request);
        if !is_fit(&line) {
            continue;
        }
        let Some(rule) = RULES.iter().position(|rule| (rule.applies)(&line)) else {
            requests.push(request);
            continue;
        };
        if requests.is_empty() {
            return alone(choices, request, rule);
        }
    }
    Group {
        requests,
        rule: None,
    }
}

fn alone(choices: &mut Choices<'_>, request: Vec<u8>, rule: usize) -> Group {
    let request = match RULES[rule].handling {
        Handling::Keep | Handling::OwnBatch => request,
        Handling::OwnKey => with_key_of_its_own(choices, &request),
    };
    Group {
        requests: vec![request],
        rule: Some(RuleId(rule)),
    }
}

/// The request with another key; one that is too long stays, it has no effect anyway.
fn with_key_of_its_own(choices: &mut Choices<'_>, request: &[u8]) -> Vec<u8> {
    let line = Line::of(request);
    let own = format!("own-{}", choices.below(1_000_000_000)).into_bytes();
    let mut words: Vec<&[u8]> = line.words.clone();
    let at = line.key_at();
    if words.len() > at && words[at].len() <= 250 {
        words[at] = &own;
        if matches!(line.verb, Verb::Get | Verb::Gat) || words[0] == b"bget" {
            words.truncate(at + 1);
        }
    }
    let mut out = if line.leading_space {
        b" ".to_vec()
    } else {
        Vec::new()
    };
    out.extend_from_slice(&words.join(&b' '));
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(line.data);
    out
}

/// Whether both servers know where the request ends, whatever else they think of it, and answer it always in the same
/// way.
fn is_fit(line: &Line<'_>) -> bool {
    if line.expires_soon() {
        return false;
    }
    // These show or change what two servers need not share.
    let words = &line.words;
    if words[0] == b"stats" && !matches!(words.get(1), Some(&(b"reset" | b"nosuch"))) {
        return false;
    }
    if words[0] == b"flush_all" && words.len() > 1 {
        return matches!(words[1..], [b"0" | b"-1" | b"noreply" | b"x"]) && !line.leading_space;
    }
    if line.leading_space && (line.verb.stores() || line.verb == Verb::Other) {
        return false;
    }
    // Two servers give different cas uniques: one in the wrong place would make two different requests.
    let cas = words.iter().position(|word| word.starts_with(CAS_OF));
    cas.is_none_or(|at| at == 5) && (!line.verb.stores() || data_ends(line))
}

fn data_ends(line: &Line<'_>) -> bool {
    let refused = line.words.len() < 5
        || line.length().is_none()
        || !line.fields_are_good()
        || line.words.len() > line.verb.words_max();
    if refused && line.data.len() > REFUSED_DATA_BYTES_MAX {
        return false;
    }
    [line.length(), line.old_length()]
        .into_iter()
        .flatten()
        .all(|length| {
            // What is left over are lines that are not short.
            line.data.get(length + 2..).is_some_and(|left| {
                let mut lines = left.split_inclusive(|&byte| byte == b'\n');
                left.len() <= REFUSED_DATA_BYTES_MAX && lines.all(|line| line.len() >= 4)
            })
        })
}
