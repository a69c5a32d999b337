//! One key of a cache: what an operation may do to it, given what its client has learned.
//!
//! ```text
//! state before --> time passes: the item dies, a flush falls due; or it is evicted --> operation --> states after
//!                  each of these may have happened, or not yet
//! ```
//!
//! Deadlines and the times of flushes are known up to the time that a request was under way. What an answer says
//! narrows them. Cas uniques of a key grow, except for those that a client has chosen.

use crate::item::{CHOSEN_CAS, Cas, Item, Rules, When, deadline};
use crate::op::{Answer, Count, Exptime, Get, Mode, Op, Seen, Verb};
use crate::value::{Value, Values};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// It is so late at least.
    now: u32,
    flush: Option<When>,
    last_cas: u64,
    pub(crate) item: Option<Item>,
}

impl State {
    pub(crate) fn value(&self) -> Option<&Value> {
        self.item.as_ref().map(|item| &item.value)
    }

    /// The states that the operation may have led to.
    pub(crate) fn after(&self, op: &Op, rules: Rules) -> Vec<State> {
        let (mut befores, mut afters) = (Vec::new(), Vec::new());
        self.pass(op, rules, &mut befores);
        for before in befores {
            let answer = op.answer.as_ref().expect("all was answered");
            before.run(op, answer, rules, &mut afters);
        }
        afters
    }

    /// What may have happened by itself before the operation was run.
    fn pass(&self, op: &Op, rules: Rules, out: &mut Vec<State>) {
        let mut state = self.clone();
        state.now = self.now.max(op.from);
        if state.now > op.to {
            return;
        }
        if let Some(flush) = &mut state.flush {
            let due = state.now.max(flush.from);
            if due <= op.to {
                out.push(State {
                    now: due,
                    flush: None,
                    item: None,
                    ..*self
                });
            }
            if !flush.is_after(state.now) {
                return;
            }
        }
        let Some(item) = &mut state.item else {
            return out.push(state);
        };
        let (dies, now) = (item.dies, state.now);
        if item.dies.as_mut().is_none_or(|dies| dies.is_after(now)) {
            out.push(state.clone());
        }
        state.item = None;
        if rules.evicts {
            out.push(state.clone());
        }
        let Some(dies) = dies else {
            return;
        };
        state.now = state.now.max(dies.from);
        let has_time = state.now <= op.to;
        let flush = state.flush.as_mut();
        if has_time && flush.is_none_or(|flush| flush.is_after(state.now)) && !out.contains(&state)
        {
            out.push(state);
        }
    }

    /// Runs the operation, with this answer, on the item that is there now.
    fn run(mut self, op: &Op, answer: &Answer, rules: Rules, out: &mut Vec<State>) {
        if matches!(answer, Answer::Refused | Answer::Unknown) && rules.refuses {
            self.clone().refuse(op, out);
        }
        let is_as_answered = match op.verb {
            Verb::Get(get) => self.get(op, get, answer, rules),
            Verb::Store(_) => self.store(op, answer, rules),
            Verb::Delete(_) => self.delete(op, answer),
            Verb::Count(count) => self.count(op, count, answer),
            Verb::Touch(exptime) => match &mut self.item {
                None => matches!(answer, Answer::Absent | Answer::Unknown),
                Some(item) => {
                    item.dies = deadline(op, exptime);
                    item.is_fetched = Some(true);
                    matches!(answer, Answer::Touched | Answer::Unknown)
                }
            },
            Verb::Flush(delay) => return self.flush(op, delay, out),
        };
        if is_as_answered {
            out.push(self);
        }
    }

    /// There was no memory.
    fn refuse(mut self, op: &Op, out: &mut Vec<State>) {
        if let Verb::Store(store) = op.verb
            && (store.drops_old || store.mode == Mode::Set && store.compare.is_none())
        {
            let old = self.item.take();
            out.push(self.clone());
            if !store.mode.joins() {
                return;
            }
            self.item = old;
        } else if let Some(item) = &mut self.item {
            item.is_fetched = None;
        }
        out.push(self);
    }

    fn flush(mut self, op: &Op, delay: Option<Exptime>, out: &mut Vec<State>) {
        let due = delay.and_then(|delay| deadline(op, delay));
        let Some(mut due) = due else {
            (self.item, self.flush) = (None, None);
            return out.push(self);
        };
        let now = self.now.max(due.from);
        if now <= op.to {
            out.push(State {
                now,
                flush: None,
                item: None,
                ..self
            });
        }
        if due.is_after(self.now) {
            self.flush = Some(due);
            out.push(self);
        }
    }

    fn get(&mut self, op: &Op, get: Get, answer: &Answer, rules: Rules) -> bool {
        match (answer, &mut self.item) {
            (Answer::Absent, None) => get.vivify.is_none() || rules.refuses,
            (Answer::Hit(seen), None) => get
                .vivify
                .is_some_and(|exptime| self.vivify(op, get, exptime, seen)),
            (Answer::Hit(seen), Some(item)) => {
                if !item.is(seen, &mut self.last_cas, rules) || !item.has_left(op, seen.ttl) {
                    return false;
                }
                if get.is_meta {
                    if item.wins(op, get, seen.wins) {
                        item.is_won |= seen.wins;
                    } else {
                        return false;
                    }
                }
                if let Some(exptime) = get.touch {
                    item.dies = deadline(op, exptime);
                }
                if !get.is_silent {
                    item.is_fetched = Some(true);
                }
                true
            }
            _ => false,
        }
    }

    /// The lookup creates an item, and wins it.
    fn vivify(&mut self, op: &Op, get: Get, exptime: Exptime, seen: &Seen) -> bool {
        let item = Item {
            value: Value::empty(),
            flags: 0,
            cas: Cas::New,
            dies: deadline(op, exptime),
            is_stale: false,
            is_won: false,
            is_fetched: Some(false),
        };
        let rules = Rules {
            values: Values::Small,
            evicts: false,
            refuses: false,
        };
        self.item = Some(item);
        let is_new = self.renew(get.new_cas, seen.cas);
        let item = self.item.as_mut().expect("it was created");
        let is_seen = is_new && seen.wins && item.is(seen, &mut self.last_cas, rules);
        item.is_won = true;
        item.is_fetched = Some(!get.is_silent);
        is_seen
    }

    /// The item that was just changed gets a cas unique. False if it cannot be the one that was answered.
    fn renew(&mut self, chosen: Option<u64>, answered: Option<u64>) -> bool {
        let item = self.item.as_mut().expect("it was changed");
        let Some(cas) = chosen.or(answered) else {
            item.cas = Cas::New;
            return true;
        };
        item.cas = Cas::Known(cas);
        if chosen.is_some() {
            return answered.is_none_or(|answered| answered == cas);
        }
        let is_larger = cas > self.last_cas && cas < CHOSEN_CAS;
        self.last_cas = self.last_cas.max(cas);
        is_larger
    }

    fn store(&mut self, op: &Op, answer: &Answer, rules: Rules) -> bool {
        let Verb::Store(store) = op.verb else {
            return false;
        };
        let value = store
            .number
            .map_or_else(|| Value::of_write(op.number), Value::Number);
        let item = Item {
            value,
            flags: store.flags,
            cas: Cas::New,
            dies: deadline(op, store.exptime),
            is_stale: false,
            is_won: false,
            is_fetched: Some(false),
        };
        let compares = store.compare.is_some() && store.mode != Mode::Add;
        let equals = |item: &Item| store.compare.is_some_and(|cas| item.cas == Cas::Known(cas));
        let (stored, otherwise) = match (&self.item, store.mode) {
            (None, mode) if mode.joins() => match store.creates {
                Some(exptime) => (
                    Some(Item {
                        dies: deadline(op, exptime),
                        ..item
                    }),
                    Answer::Unknown,
                ),
                None => (None, Answer::NotStored),
            },
            (None, _) if compares => (None, Answer::Absent),
            (None, Mode::Replace) => (None, Answer::NotStored),
            (None, _) => (Some(item), Answer::Unknown),
            (Some(_), Mode::Add) => (None, Answer::NotStored),
            (Some(old), mode) if compares && !equals(old) => {
                match store.invalidates && !mode.joins() && old.is_newer_than(store.compare) {
                    true => (Some(item.stale_instead_of(old)), Answer::Unknown),
                    false => (None, Answer::Exists),
                }
            }
            (Some(old), mode) if mode.joins() => (Some(item.joined(old, mode)), Answer::Unknown),
            (Some(_), _) => (Some(item), Answer::Unknown),
        };
        match (stored, answer) {
            (Some(item), Answer::Stored { cas, len }) => {
                let expected = item.value.len(rules.values);
                let is_so_long = len
                    .zip(expected)
                    .is_none_or(|(len, expected)| len == expected);
                self.item = Some(item);
                self.renew(store.new_cas, *cas) && is_so_long
            }
            (Some(item), Answer::Unknown) => {
                self.item = Some(item);
                self.renew(store.new_cas, None)
            }
            (None, Answer::Unknown) => true,
            (None, answer) => std::mem::discriminant(answer) == std::mem::discriminant(&otherwise),
            _ => false,
        }
    }

    fn delete(&mut self, op: &Op, answer: &Answer) -> bool {
        let Verb::Delete(delete) = op.verb else {
            return false;
        };
        let Some(item) = &mut self.item else {
            return matches!(answer, Answer::Absent | Answer::Unknown);
        };
        if delete
            .compare
            .is_some_and(|cas| item.cas != Cas::Known(cas))
        {
            return matches!(answer, Answer::Exists | Answer::Unknown);
        }
        if !matches!(answer, Answer::Deleted | Answer::Unknown) {
            return false;
        }
        let exptime = delete.exptime.map(|exptime| deadline(op, exptime));
        if let Some(flags) = delete.empties {
            (item.value, item.flags, item.is_fetched) = (Value::empty(), flags, Some(false));
            item.dies = exptime.unwrap_or(None);
        } else if delete.stales {
            item.dies = exptime.unwrap_or(item.dies);
        } else {
            self.item = None;
            return true;
        }
        (item.is_stale, item.is_won) = (delete.stales, false);
        match delete.stales || delete.new_cas.is_some() {
            true => self.renew(delete.new_cas, None),
            false => true,
        }
    }

    fn count(&mut self, op: &Op, count: Count, answer: &Answer) -> bool {
        let (number, answered, ttl) = match answer {
            Answer::Number { value, cas, ttl } => (*value, *cas, *ttl),
            _ => (None, None, None),
        };
        let is_answered = matches!(answer, Answer::Number { .. } | Answer::Unknown);
        let Some(item) = &mut self.item else {
            let Some((first, exptime)) = count.creates else {
                return matches!(answer, Answer::Absent | Answer::Unknown);
            };
            self.item = Some(Item {
                value: Value::Number(first),
                flags: 0,
                cas: Cas::New,
                dies: deadline(op, exptime),
                is_stale: false,
                is_won: false,
                is_fetched: Some(false),
            });
            return is_answered
                && number.is_none_or(|number| number == first)
                && self.renew(count.new_cas, answered);
        };
        let is_empty = item.value == Value::empty();
        if !is_empty && count.compare.is_some_and(|cas| item.cas != Cas::Known(cas)) {
            return matches!(answer, Answer::Exists | Answer::Unknown);
        }
        let Value::Number(before) = item.value else {
            return matches!(answer, Answer::NonNumeric | Answer::Unknown);
        };
        let after = match count.is_up {
            true => before.wrapping_add(count.delta),
            false => before.saturating_sub(count.delta),
        };
        if !is_answered || number.is_some_and(|number| number != after) || !item.has_left(op, ttl) {
            return false;
        }
        item.value = Value::Number(after);
        item.is_fetched = None;
        if let Some(exptime) = count.exptime {
            item.dies = deadline(op, exptime);
        }
        self.renew(count.new_cas, answered)
    }
}
