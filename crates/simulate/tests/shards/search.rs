//! Looks for an order in which one cache could have run the operations on a key one after the other.
//!
//! ```text
//! change  |----------|                            from the request to the reply
//! change                   |-------|              after the first one: it hides the first one's value
//! read                                |----|      may not see the first one's value
//! ```
//!
//! An operation is before another if it was answered before the other was sent, or if both are of one connection and
//! it was sent first. The search goes on with any operation that may be the next one, and goes back where none is
//! left, as Wing and Gong (1993) have it; what was in vain is not tried again from another side (Lowe, 2017). Three
//! things keep it short. An operation that changes nothing, wherever it stands, is taken at once where its answer is
//! right. Of others, the one that was answered first is tried first. And a value that somebody will still see is not
//! changed.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::item::Rules;
use crate::model::State;
use crate::op::Op;
use crate::value::Value;

/// Steps after which the search gives up: then it is not known whether the answers are right.
const STEPS_MAX: usize = 3_000_000;

/// Operations that are told before those that do not fit.
const TOLD: usize = 8;

/// An operation that may be the next one, and the state after it.
#[derive(Debug)]
struct Choice<'a> {
    op: &'a Op,
    after: State,
}

/// A point of an order: what may come next and was not yet tried, and the operation that has led here.
#[derive(Debug)]
struct Point<'a> {
    state: State,
    choices: Vec<Choice<'a>>,
    taken: Option<&'a Op>,
}

#[derive(Debug)]
pub(crate) struct Search<'a> {
    rules: Rules,
    /// The operations of each client, in their order, and how many of them are in the order.
    clients: Vec<(Vec<&'a Op>, usize)>,
    /// How often each value is still to be seen.
    unseen: HashMap<&'a Value, usize>,
    tried: HashSet<u64>,
    left: usize,
}

impl<'a> Search<'a> {
    /// A search among the operations on a key, which are in the order in which they were sent.
    pub(crate) fn new(ops: Vec<&'a Op>, rules: Rules) -> Search<'a> {
        let mut search = Search {
            rules,
            clients: Vec::new(),
            unseen: HashMap::new(),
            tried: HashSet::new(),
            left: ops.len(),
        };
        let mut numbers = HashMap::new();
        for op in ops {
            let client = *numbers.entry(op.client).or_insert(search.clients.len());
            if client == search.clients.len() {
                search.clients.push((Vec::new(), 0));
            }
            search.clients[client].0.push(op);
            if let Some(value) = op.seen_value() {
                *search.unseen.entry(value).or_default() += 1;
            }
        }
        search
    }

    /// Returns how many steps it took to find an order. Panics if there is none.
    pub(crate) fn run(mut self) -> usize {
        let mut steps = 0;
        let mut path = vec![self.point(State::default(), None)];
        let mut furthest = (usize::MAX, String::new());
        while self.left > 0 {
            let point = path.last_mut().expect("it begins with one");
            let Some(Choice { op, after }) = point.choices.pop() else {
                if self.left < furthest.0 {
                    furthest = (self.left, self.tell(&path));
                }
                let taken = path.pop().and_then(|point| point.taken);
                let Some(op) = taken else {
                    panic!("no cache could have answered so: {}", furthest.1);
                };
                self.step_back(op);
                continue;
            };
            steps += 1;
            assert!(steps < STEPS_MAX, "the search is too long: {}", furthest.1);
            self.step(op);
            if self.tried.insert(self.hash(&after)) {
                path.push(self.point(after, Some(op)));
            } else {
                self.step_back(op);
            }
        }
        steps
    }

    fn client_of(&mut self, op: &Op) -> &mut (Vec<&'a Op>, usize) {
        let of = |client: &&mut (Vec<&Op>, usize)| client.0[0].client == op.client;
        self.clients.iter_mut().find(of).expect("it has sent it")
    }

    fn step(&mut self, op: &'a Op) {
        self.client_of(op).1 += 1;
        self.left -= 1;
        if let Some(value) = op.seen_value() {
            *self.unseen.get_mut(value).expect("it was counted") -= 1;
        }
    }

    fn step_back(&mut self, op: &'a Op) {
        self.client_of(op).1 -= 1;
        self.left += 1;
        if let Some(value) = op.seen_value() {
            *self.unseen.get_mut(value).expect("it was counted") += 1;
        }
    }

    fn hash(&self, state: &State) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.clients
            .iter()
            .for_each(|client| client.1.hash(&mut hasher));
        state.hash(&mut hasher);
        hasher.finish()
    }

    /// The operations that nothing has to come before.
    fn next_ops(&self) -> impl Iterator<Item = &'a Op> + '_ {
        let heads = || {
            let heads = self.clients.iter();
            heads.filter_map(|(ops, taken)| ops.get(*taken).copied())
        };
        let first_end = heads().map(|op| op.ended).min().unwrap_or(0);
        heads().filter(move |op| op.began <= first_end)
    }

    fn point(&self, state: State, taken: Option<&'a Op>) -> Point<'a> {
        let mut choices = Vec::new();
        for op in self.next_ops() {
            for after in state.after(op, self.rules) {
                if after == state && op.only_looks() {
                    choices = vec![Choice { op, after }];
                    return Point {
                        state,
                        choices,
                        taken,
                    };
                }
                if !self.hides(&state, &after) {
                    choices.push(Choice { op, after });
                }
            }
        }
        // The last one is tried first.
        choices.sort_by_key(|choice| {
            let keeps = choice.after.value() == state.value();
            (keeps, std::cmp::Reverse(choice.op.ended))
        });
        Point {
            state,
            choices,
            taken,
        }
    }

    /// Whether a value is gone that is still to be seen. A value of text never comes again.
    fn hides(&self, before: &State, after: &State) -> bool {
        let is_unseen = |value| self.unseen.get(value).is_some_and(|&times| times > 0);
        let Some(value @ Value::Text(writes)) = before.value() else {
            return false;
        };
        !writes.is_empty() && after.value() != Some(value) && is_unseen(value)
    }

    /// What does not fit at the end of a path.
    fn tell(&self, path: &[Point<'_>]) -> String {
        let before = path.iter().filter_map(|point| point.taken);
        let before: Vec<_> = before.map(|op| format!("\n  {op:?}")).collect();
        let before = before[before.len().saturating_sub(TOLD)..].concat();
        let next: Vec<_> = self.next_ops().map(|op| format!("\n  {op:?}")).collect();
        let state = path.last().map(|point| &point.state);
        format!(
            "after{before}\nin {state:?} none of these can come:{}",
            next.concat()
        )
    }
}
