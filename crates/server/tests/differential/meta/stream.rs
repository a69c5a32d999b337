//! Batches of requests in groups. A request that a rule applies to is a group of its own.

use corecached_fuzz::Choices;
use corecached_fuzz::streams::meta::request;

use super::line::Line;
use super::rules::RULES;
use crate::lines::{Group, RuleId};

/// The longest data that is read as commands: it must not be a line that is too long for 1.6.18.
const REFUSED_DATA_BYTES_MAX: usize = 1500;

/// Some groups, to be sent as one batch.
pub(super) fn batch(choices: &mut Choices<'_>) -> Vec<Group> {
    let count = 1 + choices.below(12);
    (0..count).map(|_| group(choices)).collect()
}

fn group(choices: &mut Choices<'_>) -> Group {
    let count = 1 + choices.below(6);
    let mut requests = Vec::new();
    for _ in 0..count {
        let number = choices.below(1_000_000_000);
        let request = request(choices, number);
        let line = Line::of(&request);
        if !is_fit(&line) {
            continue;
        }
        let Some(rule) = RULES.iter().position(|rule| (rule.applies)(&line)) else {
            requests.push(request);
            continue;
        };
        if requests.is_empty() {
            let requests = vec![if RULES[rule].own_key {
                with_key_of_its_own(choices, &line)
            } else {
                request
            }];
            return Group {
                requests,
                rule: Some(RuleId(rule)),
            };
        }
    }
    Group {
        requests,
        rule: None,
    }
}

/// The request with another key, which is one in base64, too.
fn with_key_of_its_own(choices: &mut Choices<'_>, line: &Line<'_>) -> Vec<u8> {
    let own = format!("own{:09}", choices.below(1_000_000_000)).into_bytes();
    let mut words = line.words.clone();
    words[1] = &own;
    let mut out = words.join(&b' ');
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(line.data);
    out
}

/// Whether both servers know where the request ends, whatever else they think of it, and answer it always in the same
/// way.
fn is_fit(line: &Line<'_>) -> bool {
    let passes = |letter| line.flag(letter).is_some_and(|time| time.starts_with(b"-"));
    // The time to live of what has just passed: a number that wraps around.
    if line.has(b"t") && (passes(b'T') || passes(b'N')) {
        return false;
    }
    if RULES.iter().filter(|rule| (rule.applies)(line)).count() > 1 {
        return false;
    }
    let cut = line.is("ms")
        && line
            .length()
            .is_none_or(|length| length + 2 != line.data.len());
    if line.has_new_flag() && (cut || line.has_other_faults()) {
        return false;
    }
    // Here the texts of both servers are compared, which are not those of the same moment.
    let as_text = line.is("ms") && line.has(b"s") || line.is("mg") && line.has(b"Cv");
    if as_text
        && [b'c', b't', b'l']
            .iter()
            .any(|&letter| line.flag(letter).is_some())
    {
        return false;
    }
    // Data of a request that is refused with its length is read as commands.
    let refused = line.is("ms") && (cut || line.key().len() > 250 || line.words.len() > 20);
    !refused || (6..REFUSED_DATA_BYTES_MAX).contains(&line.data.len())
}
