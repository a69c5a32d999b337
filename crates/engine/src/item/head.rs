//! The first 8 bytes of a chunk that holds an item.
//!
//! ```text
//! bit  0        3    5        6       7          8       9        10      11    12         32          40           64
//!      | state  |freq| fetched| flags | deadline | cas64 | binary | stale | won | length   | key bytes | last access |
//!      +--------+----+--------+-------+----------+-------+--------+-------+-----+----------+-----------+-------------+
//! ```
//!
//! `length` is the number of value bytes in this chunk (at most a page, 2^20). `last access` is a stamp of the engine's
//! clock (clock.rs), modulo 2^24. Behind the head follow these fields, each only under the condition given:
//!
//! ```text
//! cas unique    6 bytes, 8 with `cas64` (it does not fit 48 bits), 0 with cas disabled
//! client flags  4 bytes, with `flags`
//! deadline      4 bytes, with `deadline`
//! chain         16 bytes, in a chain: bytes of the whole value, references of the next and the last chunk, 4 unused
//! key, value
//! ```
//!
//! A later chunk of a chain is
//!
//! ```text
//! word (state Tail, length)  next chunk  first chunk  value bytes
//! 4                          4           4
//! ```

/// The use of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum State {
    /// Not in use. The value is zero, like memory that was never written.
    Free = 0,
    /// An item that the index knows.
    Linked = 1,
    /// First chunk of a chain that the index knows.
    LinkedChain = 2,
    /// An item that the index does not know: being received, or deleted while pinned.
    Loose = 3,
    /// First chunk of a chain that the index does not know.
    LooseChain = 4,
    /// A later chunk of a chain.
    Tail = 5,
    /// First chunk of a chain that is being freed.
    Dying = 6,
}

const STATE_MASK: u64 = 0b111;
const FREQUENCY_SHIFT: u32 = 3;
const FREQUENCY_MASK: u64 = 0b11 << FREQUENCY_SHIFT;
const FETCHED: u64 = 1 << 5;
const FLAGS: u64 = 1 << 6;
const DEADLINE: u64 = 1 << 7;
const CAS64: u64 = 1 << 8;
const BINARY_KEY: u64 = 1 << 9;
const STALE: u64 = 1 << 10;
const WON: u64 = 1 << 11;
const MARKS_MASK: u64 = BINARY_KEY | STALE | WON;
const LENGTH_SHIFT: u32 = 12;
const LENGTH_MAX: usize = (1 << 20) - 1;
const LENGTH_MASK: u64 = (LENGTH_MAX as u64) << LENGTH_SHIFT;
const KEY_SHIFT: u32 = 32;
const KEY_MASK: u64 = 0xff << KEY_SHIFT;
const ACCESS_SHIFT: u32 = 40;

/// Stamps of the last access are kept modulo this.
pub(crate) const ACCESS_MODULUS: u32 = 1 << 24;

/// Bytes of a [`Head`].
pub(crate) const HEAD_BYTES: usize = 8;
/// Bytes of the chain's fields in its first chunk. The last 4 are not used. They keep key and value out of the words of
/// 64 bits that hold the fields, since the fields are written while the value is still on its way in.
pub(crate) const CHAIN_BYTES: usize = 16;
/// Bytes before the value in a later chunk of a chain.
pub(crate) const TAIL_BYTES: usize = 12;
/// Bytes of a cas unique that fits 48 bits.
pub(crate) const CAS_BYTES: usize = 6;
/// Bytes by which the header of an item may have to grow: a deadline, and a cas unique that does not fit.
pub(crate) const GROWTH_BYTES: usize = 4 + (8 - CAS_BYTES);

const _: () = assert!(size_of::<Head>() == HEAD_BYTES);

/// The first 8 bytes of every chunk in use: the kind of the chunk, the lengths of key and value, which fields the item
/// has, and how it was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Head(pub(crate) u64);

impl Head {
    /// The head of an item that nothing has used yet.
    pub(crate) fn new(state: State, key_bytes: usize, length: usize) -> Self {
        assert!(
            key_bytes <= 255 && length <= LENGTH_MAX,
            "item part of {key_bytes} + {length} bytes"
        );
        Self(state as u64 | (length as u64) << LENGTH_SHIFT | (key_bytes as u64) << KEY_SHIFT)
    }

    #[inline]
    pub(crate) fn state(self) -> State {
        match self.0 & STATE_MASK {
            0 => State::Free,
            1 => State::Linked,
            2 => State::LinkedChain,
            3 => State::Loose,
            4 => State::LooseChain,
            5 => State::Tail,
            6 => State::Dying,
            _ => unreachable!("no chunk has state 7"),
        }
    }

    /// The state, if there is one with this number: the bytes may be anything.
    pub(crate) fn known_state(self) -> Option<State> {
        (self.0 & STATE_MASK <= State::Dying as u64).then(|| self.state())
    }

    #[must_use]
    pub(crate) fn with_state(self, state: State) -> Self {
        Self(self.0 & !STATE_MASK | state as u64)
    }

    /// Whether the index knows the item.
    #[inline]
    pub(crate) fn is_linked(self) -> bool {
        matches!(self.state(), State::Linked | State::LinkedChain)
    }

    /// Whether this is the first chunk of a chain.
    #[inline]
    pub(crate) fn is_chain(self) -> bool {
        matches!(
            self.state(),
            State::LinkedChain | State::LooseChain | State::Dying
        )
    }

    /// How often the item was used lately, 0 to 3.
    #[inline]
    pub(crate) fn frequency(self) -> u8 {
        ((self.0 & FREQUENCY_MASK) >> FREQUENCY_SHIFT) as u8
    }

    #[inline]
    #[must_use]
    pub(crate) fn with_frequency(self, frequency: u8) -> Self {
        debug_assert!(frequency < 4, "frequency {frequency}");
        Self(self.0 & !FREQUENCY_MASK | u64::from(frequency) << FREQUENCY_SHIFT)
    }

    /// Whether a get has found the item since it was stored.
    #[inline]
    pub(crate) fn is_fetched(self) -> bool {
        self.0 & FETCHED != 0
    }

    #[inline]
    #[must_use]
    pub(crate) fn with_fetched(self, fetched: bool) -> Self {
        self.with(FETCHED, fetched)
    }

    /// Whether the item has client flags.
    #[inline]
    pub(crate) fn has_flags(self) -> bool {
        self.0 & FLAGS != 0
    }

    #[must_use]
    pub(crate) fn with_flags(self, has: bool) -> Self {
        self.with(FLAGS, has)
    }

    /// Whether the item has a deadline.
    #[inline]
    pub(crate) fn has_deadline(self) -> bool {
        self.0 & DEADLINE != 0
    }

    #[must_use]
    pub(crate) fn with_deadline(self, has: bool) -> Self {
        self.with(DEADLINE, has)
    }

    /// Whether the cas unique takes 8 bytes.
    #[inline]
    pub(crate) fn has_cas64(self) -> bool {
        self.0 & CAS64 != 0
    }

    #[must_use]
    pub(crate) fn with_cas64(self, has: bool) -> Self {
        self.with(CAS64, has)
    }

    /// The marks that the meta commands have set.
    #[inline]
    pub(crate) fn marks(self) -> Marks {
        Marks(self.0 & MARKS_MASK)
    }

    #[inline]
    #[must_use]
    pub(crate) fn with_marks(self, marks: Marks) -> Self {
        Self(self.0 & !MARKS_MASK | marks.0)
    }

    #[inline]
    fn with(self, bit: u64, on: bool) -> Self {
        Self(if on { self.0 | bit } else { self.0 & !bit })
    }

    /// Value bytes in this chunk.
    #[inline]
    pub(crate) fn length(self) -> usize {
        ((self.0 & LENGTH_MASK) >> LENGTH_SHIFT) as usize
    }

    #[must_use]
    pub(crate) fn with_length(self, length: usize) -> Self {
        debug_assert!(length <= LENGTH_MAX, "{length} bytes in a chunk");
        Self(self.0 & !LENGTH_MASK | (length as u64) << LENGTH_SHIFT)
    }

    /// Bytes of the key.
    #[inline]
    pub(crate) fn key_bytes(self) -> usize {
        ((self.0 & KEY_MASK) >> KEY_SHIFT) as usize
    }

    /// Stamp of the last access, modulo [`ACCESS_MODULUS`].
    #[inline]
    pub(crate) fn last_access(self) -> u32 {
        (self.0 >> ACCESS_SHIFT) as u32
    }

    #[inline]
    #[must_use]
    pub(crate) fn with_last_access(self, stamp: u32) -> Self {
        let kept = self.0 & ((1 << ACCESS_SHIFT) - 1);
        Self(kept | u64::from(stamp % ACCESS_MODULUS) << ACCESS_SHIFT)
    }

    /// Offset of the client flags. `cas_bytes` is the usual width of a cas unique in this engine.
    #[inline]
    pub(crate) fn flags_at(self, cas_bytes: usize) -> usize {
        HEAD_BYTES + if self.has_cas64() { 8 } else { cas_bytes }
    }

    /// Offset of the deadline.
    #[inline]
    pub(crate) fn deadline_at(self, cas_bytes: usize) -> usize {
        self.flags_at(cas_bytes) + 4 * usize::from(self.has_flags())
    }

    /// Offset of the chain's fields.
    #[inline]
    pub(crate) fn chain_at(self, cas_bytes: usize) -> usize {
        self.deadline_at(cas_bytes) + 4 * usize::from(self.has_deadline())
    }

    /// Offset of the key: the bytes of the whole header.
    #[inline]
    pub(crate) fn key_at(self, cas_bytes: usize) -> usize {
        self.chain_at(cas_bytes) + CHAIN_BYTES * usize::from(self.is_chain())
    }

    /// Offset of the value.
    #[inline]
    pub(crate) fn value_at(self, cas_bytes: usize) -> usize {
        self.key_at(cas_bytes) + self.key_bytes()
    }
}

/// Marks that the meta commands set on an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks(u64);

impl Marks {
    /// No marks.
    pub(crate) const NONE: Self = Self(0);

    /// Whether the key came in base64.
    #[inline]
    pub(crate) fn has_binary_key(self) -> bool {
        self.0 & BINARY_KEY != 0
    }

    /// Whether the value is out of date.
    #[inline]
    pub(crate) fn is_stale(self) -> bool {
        self.0 & STALE != 0
    }

    /// Whether a client has been told to fetch the value anew.
    #[inline]
    pub(crate) fn is_won(self) -> bool {
        self.0 & WON != 0
    }

    #[inline]
    #[must_use]
    pub(crate) fn with_binary_key(self, on: bool) -> Self {
        self.with(BINARY_KEY, on)
    }

    #[inline]
    #[must_use]
    pub(crate) fn with_stale(self, on: bool) -> Self {
        self.with(STALE, on)
    }

    #[inline]
    #[must_use]
    pub(crate) fn with_won(self, on: bool) -> Self {
        self.with(WON, on)
    }

    #[inline]
    fn with(self, bit: u64, on: bool) -> Self {
        Self(if on { self.0 | bit } else { self.0 & !bit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_touch_each_other() {
        let head = Head::new(State::Linked, 250, LENGTH_MAX)
            .with_frequency(3)
            .with_last_access(ACCESS_MODULUS + 5)
            .with_flags(true)
            .with_cas64(true)
            .with_marks(Marks::NONE.with_stale(true).with_won(true))
            .with_fetched(true);
        assert_eq!(
            (head.key_bytes(), head.length(), head.last_access()),
            (250, LENGTH_MAX, 5)
        );
        assert_eq!((head.frequency(), head.state()), (3, State::Linked));
        assert!(head.has_flags() && head.has_cas64() && head.is_fetched() && !head.has_deadline());
        let head = head
            .with_frequency(1)
            .with_last_access(0)
            .with_state(State::LooseChain)
            .with_marks(head.marks().with_stale(false).with_binary_key(true))
            .with_cas64(false);
        assert!(head.marks().is_won() && head.marks().has_binary_key() && !head.marks().is_stale());
        assert_eq!(
            (head.key_bytes(), head.length(), head.last_access()),
            (250, LENGTH_MAX, 0)
        );
        assert_eq!((head.frequency(), head.state()), (1, State::LooseChain));
    }

    #[test]
    fn an_item_without_extras_costs_14_bytes() {
        let head = Head::new(State::Linked, 24, 100);
        assert_eq!(head.key_at(CAS_BYTES), 14);
        assert_eq!(head.key_at(0), 8);
        let head = head
            .with_flags(true)
            .with_deadline(true)
            .with_cas64(true)
            .with_state(State::LinkedChain);
        assert_eq!(head.key_at(CAS_BYTES), 8 + 8 + 4 + 4 + CHAIN_BYTES);
    }
}
