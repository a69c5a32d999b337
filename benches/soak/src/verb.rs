//! What an owner asks for, and what each verb may do to the state of its key.
//!
//! An outcome is an answer together with the state after it. Verbs know nothing of protocols.

use crate::answer::{Answer, Hit};
use crate::state::Entry;

/// One request about one key.
#[derive(Clone, Debug)]
pub(crate) enum Verb {
    Get,
    GetAndTouch {
        exptime: i32,
    },
    Touch {
        exptime: i32,
    },
    Delete,
    Store {
        mode: Mode,
        value: Vec<u8>,
        client_flags: u32,
        exptime: i32,
    },
    Cas {
        cas: u64,
        value: Vec<u8>,
        client_flags: u32,
    },
    Join {
        before: bool,
        value: Vec<u8>,
    },
    Count {
        up: bool,
        delta: u64,
    },
}

/// When a store stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Set,
    Add,
    Replace,
}

/// One thing that may have happened.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) answer: Answer,
    pub(crate) after: Option<Entry>,
}

fn outcome(answer: Answer, after: Option<Entry>) -> Outcome {
    Outcome { answer, after }
}

impl Verb {
    /// All that may happen to a key that holds `entry`.
    pub(crate) fn outcomes(&self, entry: Option<&Entry>) -> Vec<Outcome> {
        let kept = || entry.cloned();
        match self {
            Verb::Get => vec![match entry {
                Some(entry) => outcome(Answer::Hit(entry.hit()), Some(entry.clone())),
                None => outcome(Answer::Miss, None),
            }],
            Verb::GetAndTouch { exptime } => {
                touched(entry, *exptime, |entry| Answer::Hit(entry.hit()))
            }
            Verb::Touch { exptime } => touched(entry, *exptime, |_| Answer::Done),
            Verb::Delete => vec![match entry {
                Some(_) => outcome(Answer::Done, None),
                None => outcome(Answer::Miss, None),
            }],
            Verb::Store {
                mode,
                value,
                client_flags,
                exptime,
            } => {
                let applies = match mode {
                    Mode::Set => true,
                    Mode::Add => entry.is_none(),
                    Mode::Replace => entry.is_some(),
                };
                let mut all = refusals(entry);
                all.push(match applies {
                    true => outcome(
                        Answer::Done,
                        Some(Entry::new(value.clone(), *client_flags, *exptime)),
                    ),
                    false => outcome(Answer::NotStored, kept()),
                });
                all
            }
            Verb::Cas {
                cas,
                value,
                client_flags,
            } => {
                let mut all = refusals(entry);
                let Some(known) = entry else {
                    all.push(outcome(Answer::Miss, None));
                    return all;
                };
                if known.cas.is_none_or(|known| known == *cas) {
                    all.push(outcome(
                        Answer::Done,
                        Some(Entry::new(value.clone(), *client_flags, 0)),
                    ));
                }
                if known.cas != Some(*cas) {
                    all.push(outcome(Answer::Exists, kept()));
                }
                all
            }
            Verb::Join { before, value } => {
                let mut all = refusals(entry);
                // memcached's word for a whole that is too large, or has no memory, is that of a missing item.
                all.push(outcome(Answer::NotStored, kept()));
                if let Some(old) = entry {
                    all.push(outcome(Answer::Done, Some(old.joined(*before, value))));
                }
                all
            }
            Verb::Count { up, delta } => counted(entry, *up, *delta),
        }
    }

    /// The value that it carries.
    pub(crate) fn value_bytes(&self) -> usize {
        match self {
            Verb::Store { value, .. } | Verb::Cas { value, .. } | Verb::Join { value, .. } => {
                value.len()
            }
            _ => 0,
        }
    }
}

fn touched(entry: Option<&Entry>, exptime: i32, answer: impl Fn(&Entry) -> Answer) -> Vec<Outcome> {
    match entry {
        None => vec![outcome(Answer::Miss, None)],
        Some(entry) => vec![
            outcome(answer(entry), Some(entry.living(exptime))),
            // An item that is there is never denied; the server may say that it has no memory for the new time.
            outcome(Answer::NoMemory, Some(entry.clone())),
        ],
    }
}

/// A refused value: the old one is deleted by a set, as memcached does it, and may stay after others.
fn refusals(entry: Option<&Entry>) -> Vec<Outcome> {
    let mut all = Vec::new();
    for answer in [Answer::NoMemory, Answer::TooLarge] {
        all.push(outcome(answer.clone(), entry.cloned()));
        all.push(outcome(answer, None));
    }
    all
}

fn counted(entry: Option<&Entry>, up: bool, delta: u64) -> Vec<Outcome> {
    let Some(entry) = entry else {
        return vec![outcome(Answer::Miss, None)];
    };
    let text = String::from_utf8_lossy(&entry.value).trim_end().to_owned();
    let Ok(number) = text.parse::<u64>() else {
        return vec![outcome(Answer::NotANumber, Some(entry.clone()))];
    };
    let new = match up {
        true => number.wrapping_add(delta),
        false => number.saturating_sub(delta),
    };
    vec![
        outcome(Answer::Number(new), Some(entry.counted(new))),
        outcome(Answer::NoMemory, Some(entry.clone())),
    ]
}

/// Whether two answers are the same, a number's padding and a cas unique not known apart.
pub(crate) fn same(expected: &Answer, seen: &Answer, is_number: bool) -> bool {
    match (expected, seen) {
        (_, Answer::Unseen) => true,
        (Answer::Hit(expected), Answer::Hit(seen)) => same_hit(expected, seen, is_number),
        _ => expected == seen,
    }
}

fn same_hit(expected: &Hit, seen: &Hit, is_number: bool) -> bool {
    let value = if is_number {
        expected.value.trim_ascii_end() == seen.value.trim_ascii_end()
    } else {
        expected.value == seen.value
    };
    let cas = match (expected.cas, seen.cas) {
        (Some(expected), Some(seen)) => expected == seen,
        _ => true,
    };
    value && cas && expected.client_flags == seen.client_flags
}
