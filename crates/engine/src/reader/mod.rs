//! Reading a shard from any thread, while its engine goes on changing it.
//!
//! ```text
//! begin: shape of the directory, sequence of the leaf even
//!   leaf -> bucket -> tag -> candidate: head, key
//!   item is of one time?      else again
//!   clock: does it live?
//!   [ the caller writes what comes before the value ]
//!   value, word by word
//!   all of it is of one time? else cut off and again
//! ```
//!
//! A reader changes nothing. The words that it reads may be anything until the sequence has said that they are of one
//! time: every offset and length is checked before it is followed. A reader answers [`Read::Ask`] where only the engine
//! can tell: for chains, for values that are too long, for items that nobody has fetched yet or that are dead, for keys
//! that may be in the second table, and for memory that changes all the time. docs/design/005-direct-reads.md says why
//! this is sound.

mod item;
mod note;
mod told;

pub use self::note::ReadNotes;

use self::item::Candidate;
use self::note::is_worth_a_note;
use crate::index::{BucketView, IndexView, LeafView, ReadNote, SLOTS};
use crate::segment::View;
use crate::shown_clock::{ClockView, Life};
use crate::slab::ChunkRef;
use crate::types::{KeyHash, Seconds};

/// Attempts before the owner is asked.
const TRIES: usize = 4;
/// Bytes of a cache line.
const LINE_BYTES: usize = 64;

/// Looks up items of a shard from any thread, without its engine. It is cheap to clone.
#[derive(Clone, Debug)]
pub struct SharedReader {
    pub(crate) segment: View,
    pub(crate) index: IndexView,
    pub(crate) clock: ClockView,
    pub(crate) classes: View,
    pub(crate) granule_shift: u32,
    pub(crate) page_shift: u32,
    pub(crate) cas_bytes: usize,
}

/// An item that was read: all fields as they were at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadFacts {
    /// The client flags.
    pub client_flags: u32,
    /// The cas unique, 0 with cas disabled.
    pub cas: u64,
    /// The deadline.
    pub deadline: crate::types::Deadline,
    /// Seconds since the item was used.
    pub idle_seconds: u32,
    /// Whether the key came in base64 when the item was stored.
    pub has_binary_key: bool,
    /// Whether the value is out of date.
    pub is_stale: bool,
    /// Whether a lookup has won the item.
    pub was_won: bool,
    /// Length of the value.
    pub value_bytes: usize,
    /// Bytes of header, key and value, as `bytes` counts them.
    pub item_bytes: usize,
    /// The slab class as the engine counts it. Only the engine knows the number that users are shown.
    pub class: u8,
    /// A note for the engine with the item, if it is to hear of the use.
    pub note: Option<ReadNote>,
}

/// The answer of the caller when an item was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The value of the item is to be appended.
    Value,
    /// The facts of the item are enough.
    Facts,
    /// The engine is to be asked.
    Engine,
}

/// The outcome of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// The item; its value was appended if that was wanted.
    Hit(ReadFacts),
    /// There is no such item.
    Miss,
    /// The engine has to be asked. Nothing was appended.
    Ask,
}

/// The result of a search.
enum Search {
    Found(Candidate, ReadNote),
    Absent,
    /// The engine has to say.
    Ask,
    /// The words that were read are not of one time.
    Torn,
}

impl SharedReader {
    /// Reads the item of `key`, whose hash is `hash`. `begin` is given the facts of the item, answers what the caller
    /// wants of it, and may append bytes to `out`; the value is appended behind them. `begin` may be called more than
    /// once: before each further call, all that was appended is cut off.
    ///
    /// For a value longer than `value_max` the engine has to be asked.
    pub fn read(
        &self,
        key: &[u8],
        hash: KeyHash,
        now: Seconds,
        value_max: usize,
        out: &mut Vec<u8>,
        mut begin: impl FnMut(&ReadFacts, &mut Vec<u8>) -> Wanted,
    ) -> Read {
        let before = out.len();
        for _ in 0..TRIES {
            match self.try_read(key, hash, now, value_max, out, &mut begin) {
                Some(Read::Ask) => break,
                Some(read) => return read,
                None => out.truncate(before),
            }
            std::hint::spin_loop();
        }
        out.truncate(before);
        Read::Ask
    }

    /// One attempt; `None` if the words that were read are not of one time.
    #[inline]
    fn try_read(
        &self,
        key: &[u8],
        hash: KeyHash,
        now: Seconds,
        value_max: usize,
        out: &mut Vec<u8>,
        begin: &mut impl FnMut(&ReadFacts, &mut Vec<u8>) -> Wanted,
    ) -> Option<Read> {
        let (leaf, reading) = self.index.begin(hash)?;
        let (item, note) = match self.search(&leaf, key, hash) {
            Search::Found(item, note) => (item, note),
            Search::Absent => return self.index.is_same(reading).then_some(Read::Miss),
            Search::Ask => return Some(Read::Ask),
            Search::Torn => return None,
        };
        // From here on the facts of the item are right, and the clock is not older than the item.
        if !self.index.is_same(reading) {
            return None;
        }
        let Some(facts) = self.facts(&item, note, now) else {
            return Some(Read::Ask);
        };
        if facts.value_bytes > value_max {
            return Some(Read::Ask);
        }
        match begin(&facts, out) {
            Wanted::Value => {}
            Wanted::Facts => return Some(Read::Hit(facts)),
            Wanted::Engine => return Some(Read::Ask),
        }
        let is_inside = self.segment.read(item.value_at(), facts.value_bytes, out);
        (is_inside && self.index.is_same(reading)).then_some(Read::Hit(facts))
    }

    /// Looks for the key among the slots with its tag.
    #[inline]
    fn search(&self, leaf: &LeafView, key: &[u8], hash: KeyHash) -> Search {
        let Some(buckets) = leaf.search(hash) else {
            return Search::Torn;
        };
        for (index, extent, offset) in buckets {
            let at = self.address(extent) + offset;
            let Some(bucket) = BucketView::load(&self.segment, at) else {
                return Search::Torn;
            };
            for slot in bucket.with_tag(hash) {
                let chunk = bucket.chunk(slot);
                if chunk.is_null() {
                    continue;
                }
                let address = self.address(chunk);
                if let Some(item) = Candidate::load(&self.segment, address, self.cas_bytes, key) {
                    let slot = index * SLOTS + slot;
                    return Search::Found(item, ReadNote::new(hash, slot));
                }
            }
            if bucket.is_last() {
                break;
            }
        }
        if leaf.displaces() {
            Search::Ask
        } else {
            Search::Absent
        }
    }

    /// The facts of an item, if it is one that a reader may answer for.
    #[inline]
    fn facts(&self, item: &Candidate, note: ReadNote, now: Seconds) -> Option<ReadFacts> {
        let head = item.head;
        if !item.is_plain() {
            return None;
        }
        let (deadline, last_access) = (item.deadline(), head.last_access());
        let Life::Alive {
            idle_seconds,
            is_fresh,
        } = self.clock.life(deadline, last_access, now)
        else {
            return None;
        };
        let is_noted = !is_fresh || is_worth_a_note(head.frequency());
        Some(ReadFacts {
            client_flags: item.client_flags(),
            cas: item.cas(),
            deadline,
            idle_seconds,
            has_binary_key: head.marks().has_binary_key(),
            is_stale: head.marks().is_stale(),
            was_won: head.marks().is_won(),
            value_bytes: head.length(),
            item_bytes: item.bytes(),
            class: self.class_at(item.address),
            note: is_noted.then_some(note),
        })
    }

    /// The class of the page of an address.
    #[inline]
    fn class_at(&self, address: usize) -> u8 {
        let page = address >> self.page_shift;
        let mut word = [0];
        let _ = self.classes.load(page & !7, &mut word);
        (word[0] >> (8 * (page & 7))) as u8
    }

    #[inline]
    fn address(&self, chunk: ChunkRef) -> usize {
        (chunk.0 as usize) << self.granule_shift
    }

    /// Prefetches the leaf of `hash`.
    #[inline]
    pub fn prefetch_leaf(&self, hash: KeyHash) {
        self.index.prefetch_leaf(hash);
    }

    /// Prefetches the bucket of `hash`; best some time after [`Self::prefetch_leaf`].
    #[inline]
    pub fn prefetch(&self, hash: KeyHash) {
        if let Some((leaf, _)) = self.index.begin(hash)
            && let Some(mut buckets) = leaf.search(hash)
            && let Some((_, extent, offset)) = buckets.next()
        {
            self.segment.prefetch(self.address(extent) + offset);
        }
    }

    /// Prefetches the item that `hash` probably finds; best some time after [`Self::prefetch`].
    #[inline]
    pub fn prefetch_item(&self, hash: KeyHash) {
        if let Some((leaf, _)) = self.index.begin(hash)
            && let Some(mut buckets) = leaf.search(hash)
            && let Some((_, extent, offset)) = buckets.next()
            && let Some(bucket) = BucketView::load(&self.segment, self.address(extent) + offset)
            && let Some(slot) = bucket.with_tag(hash).next()
        {
            let address = self.address(bucket.chunk(slot));
            self.segment.prefetch(address);
            self.segment.prefetch(address + LINE_BYTES);
            self.segment.prefetch(address + 2 * LINE_BYTES);
        }
    }
}
