//! Measures the commands of one shard. It is told when the network loop passes from one part of a turn to the next, and
//! which commands were executed between two such marks; it never reads a clock.
//!
//! ```text
//!   turn returns   window   window   ...   own work ends      sends begin       kernel has taken the sends
//!     received      begun    begun           executed            mark              mark + estimate
//!        |- queue --|- execution -|------ another shard --------|---- sending ------|
//!        |------------------------------ total --------------------------------------|
//! ```
//!
//! A connection with executed commands has a slot, until their replies are sent. All commands in it have the same
//! marks, so a slot costs one addition for each stage, whatever the depth of the pipeline. The kernel sends within the
//! call that also waits for the next events, so its end says nothing: in one turn of [`MEASURED_ONE_IN`] the loop does
//! not wait, and the time that this call takes for each send is the estimate for the turns that follow. A send that the
//! kernel reports as blocked is measured until it is done.

mod sends;

use std::collections::HashMap;

use crate::ids::{ConnId, ShardId};

use super::slot::{Facts, Kept, Slot, Times};
use super::tally::{Counts, KeyNote, Tally};
use super::{Kind, Latency};

/// Commands after which a window ends, with those of the connection that is at work. So a window takes some 10 us.
const WINDOW_COMMANDS: u32 = 32;
/// Most windows of a turn; the last one takes the rest.
const WINDOWS_MAX: usize = 256;
/// One turn of so many does not wait in the kernel, so that its sends are measured.
const MEASURED_ONE_IN: u32 = 64;
/// The estimate moves by this part of itself towards a measurement, however far away that is: so it comes to about the
/// median, and a turn in which the thread was interrupted counts as any other above it.
const ESTIMATE_PART: u64 = 4;
/// Slots for which memory is kept while there is no traffic.
const SLOTS_KEPT: usize = 256;

/// Where a connection's commands are in its shard's meter.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    /// Number of the slot, from 1 on.
    slot: u32,
    /// Number of the last send among those of its turn, from 1 on.
    given: u32,
}

/// A send of the last turn.
#[derive(Clone, Copy, Debug)]
struct Given {
    conn: ConnId,
    counts: Counts,
    times: Times,
    /// When the kernel is taken to have had it.
    sent: u64,
    bytes: usize,
}

/// Commands of a connection that took too long, together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slow {
    /// The kind of the first command.
    pub(crate) kind: Kind,
    /// The key of the first command that has one.
    pub(crate) key: KeyNote,
    /// Number of commands.
    pub(crate) commands: u32,
    /// How long they took.
    pub(crate) times: Times,
    /// Bytes of the send that their replies were in.
    pub(crate) bytes: usize,
}

/// Measures the commands of one shard.
#[derive(Debug)]
pub(crate) struct Meter {
    shard: ShardId,
    is_on: bool,
    /// From this time on a command is slow.
    slow_ns: u64,
    /// When the turn returned from the kernel.
    received: u64,
    /// When the windows of the turn began, and when its sends did.
    marks: Vec<u64>,
    /// Commands of the window.
    window: u32,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// The sends of the last turn that has sent anything.
    given: Vec<Given>,
    /// The sends that the kernel could not take at once.
    blocked: HashMap<ConnId, (Given, KeyNote)>,
    /// Estimated nanoseconds until the kernel has taken a send.
    per_send: u64,
    sends: u32,
    /// Turns with sends until the next one that is measured.
    countdown: u32,
    /// When the measured turn entered the kernel.
    entered: Option<u64>,
    /// The first key of the connection that is at work; then of each slot, and of each send. Unused without a slow log.
    first_key: KeyNote,
    slot_keys: Vec<KeyNote>,
    given_keys: Vec<KeyNote>,
}

impl Meter {
    /// The meter of a shard. Commands that take `slow_us` microseconds are slow; with 0, none is.
    pub(crate) fn new(shard: ShardId, is_on: bool, slow_us: u32) -> Meter {
        Meter {
            shard,
            is_on,
            slow_ns: match slow_us {
                0 => u64::MAX,
                us => u64::from(us) * 1000,
            },
            received: 0,
            marks: Vec::with_capacity(WINDOWS_MAX + 1),
            window: 0,
            slots: Vec::new(),
            free: Vec::new(),
            given: Vec::new(),
            blocked: HashMap::new(),
            per_send: 0,
            sends: 0,
            countdown: 0,
            entered: None,
            first_key: KeyNote::default(),
            slot_keys: Vec::new(),
            given_keys: Vec::new(),
        }
    }

    /// Whether anything is measured, so that clocks have to be read.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.is_on
    }

    fn logs_slow(&self) -> bool {
        self.slow_ns != u64::MAX
    }

    /// Whether the loop should not wait in the kernel, so that the sends of this turn can be measured.
    #[inline]
    pub(crate) fn wants_measure(&self) -> bool {
        self.is_on && self.sends > 0 && self.countdown == 0
    }

    /// The turn whose sends are measured enters the kernel.
    pub(crate) fn enters(&mut self, now: u64) {
        self.entered = Some(now);
    }

    /// A turn begins: the kernel has returned.
    #[inline]
    pub(crate) fn returned(&mut self, now: u64) {
        if self.sends > 0 {
            self.countdown = self.countdown.saturating_sub(1);
            if let Some(entered) = self.entered.take() {
                self.measured(now.saturating_sub(entered));
            }
            self.sends = 0;
        }
        self.received = now;
        self.marks.clear();
        self.marks.push(now);
        self.window = 0;
    }

    fn measured(&mut self, ns: u64) {
        let one = ns / u64::from(self.sends.max(1));
        let is = self.per_send;
        let step = is / ESTIMATE_PART + 1;
        self.per_send = match is {
            0 => one,
            _ => one.clamp(is.saturating_sub(step), is.saturating_add(step)),
        };
        self.countdown = MEASURED_ONE_IN - 1;
    }

    /// A window ends, and another one begins.
    pub(crate) fn mark(&mut self, now: u64) {
        if self.marks.len() < WINDOWS_MAX {
            self.marks.push(now);
        }
        self.window = 0;
    }

    /// Whether the window has enough commands.
    #[inline]
    pub(crate) fn is_window_full(&self) -> bool {
        self.window >= WINDOW_COMMANDS
    }

    /// The last mark.
    #[inline]
    fn begun(&self) -> u64 {
        self.marks.last().copied().unwrap_or(self.received)
    }

    /// The end of the window that began at `begun` in this turn.
    fn end_of(&self, begun: u64) -> u64 {
        let later = self.marks.partition_point(|&mark| mark <= begun);
        self.marks.get(later).copied().unwrap_or(self.begun())
    }

    /// A count of the commands that a connection executes.
    #[inline]
    pub(crate) fn tally(&mut self) -> Tally<'_> {
        let logs_slow = self.logs_slow();
        if logs_slow {
            self.first_key = KeyNote::default();
        }
        Tally {
            first_key: logs_slow.then_some(&mut self.first_key),
            ..Tally::default()
        }
    }

    /// When the input was received that a connection is going to work on.
    #[inline]
    pub(crate) fn arrival(&self, place: Place, facts: &Facts) -> u64 {
        let kept = match facts.keeps_work {
            true => self.slot(place).and_then(|slot| slot.kept),
            false => None,
        };
        kept.map_or(self.received, |kept| kept.since)
    }

    fn slot(&self, place: Place) -> Option<&Slot> {
        self.slots.get((place.slot as usize).checked_sub(1)?)
    }

    fn slot_mut(&mut self, place: Place) -> Option<&mut Slot> {
        self.slots.get_mut((place.slot as usize).checked_sub(1)?)
    }

    /// A connection has worked on input that had been received at `arrival`.
    #[inline]
    pub(crate) fn worked(
        &mut self,
        place: &mut Place,
        (arrival, facts): (u64, &Facts),
        counts: &Counts,
    ) {
        let commands = counts.all();
        if !self.is_on || (commands == 0 && !facts.keeps_work && place.slot == 0) {
            return;
        }
        self.window = self.window.saturating_add(commands);
        if place.slot == 0 {
            self.take_slot(place);
        }
        let (begun, received, first_key) =
            (self.begun(), self.received, self.first_key_if_wanted());
        let index = place.slot as usize - 1;
        let slot = &mut self.slots[index];
        if commands > 0 {
            if slot.counts == Counts::default() {
                *slot = Slot {
                    received: arrival,
                    begun,
                    until: facts.replies.1,
                    kept: slot.kept,
                    ..Slot::default()
                };
                if let Some(first_key) = first_key {
                    self.slot_keys[index] = first_key;
                }
            }
            slot.counts.add(counts);
            slot.waited |= facts.awaits;
        }
        slot.kept = facts
            .keeps_work
            .then(|| Kept::after(slot.kept, facts, received));
        if slot.kept.is_none() && slot.counts == Counts::default() {
            self.give_slot(place);
        }
    }

    fn first_key_if_wanted(&self) -> Option<KeyNote> {
        self.logs_slow().then_some(self.first_key)
    }

    fn take_slot(&mut self, place: &mut Place) {
        place.slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            if self.logs_slow() {
                self.slot_keys.push(KeyNote::default());
            }
            self.slots.len() as u32
        });
    }

    fn give_slot(&mut self, place: &mut Place) {
        if let Some(slot) = self.slot_mut(*place) {
            *slot = Slot::default();
            self.free.push(place.slot);
        }
        place.slot = 0;
    }

    /// Frees what a shard without traffic does not need.
    pub(crate) fn shrink(&mut self, latency: &Latency) {
        if self.free.len() == self.slots.len() && self.slots.capacity() > SLOTS_KEPT {
            (self.slots, self.free) = (Vec::new(), Vec::new());
            (self.slot_keys, self.given_keys) = (Vec::new(), Vec::new());
            self.given = Vec::new();
        }
        self.tell_held(latency);
    }

    /// Tells how much memory the meter has.
    fn tell_held(&self, latency: &Latency) {
        let held = self.slots.capacity() * size_of::<Slot>()
            + self.given.capacity() * size_of::<Given>()
            + self.blocked.capacity() * size_of::<(ConnId, (Given, KeyNote))>()
            + (self.slot_keys.capacity() + self.given_keys.capacity()) * size_of::<KeyNote>()
            + self.free.capacity() * size_of::<u32>()
            + self.marks.capacity() * size_of::<u64>();
        latency.note_meter(self.shard, held);
    }
}

#[cfg(test)]
mod tests;
