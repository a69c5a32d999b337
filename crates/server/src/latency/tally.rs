//! The commands that a connection has executed in one go, by kind, and the first of their keys.

use corecached_protocol::KEY_BYTES_MAX;

use super::Kind;

/// Numbers of commands by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts([u32; Kind::ALL.len()]);

impl Counts {
    /// The number of all commands.
    #[inline]
    pub(super) fn all(&self) -> u32 {
        self.0.iter().fold(0, |sum, more| sum.saturating_add(*more))
    }

    #[inline]
    pub(super) fn add(&mut self, more: &Counts) {
        for (count, more) in self.0.iter_mut().zip(&more.0) {
            *count = count.saturating_add(*more);
        }
    }

    /// The kinds that there are commands of, with their numbers.
    #[inline]
    pub(super) fn kinds(&self) -> impl Iterator<Item = (Kind, u64)> {
        let kinds = Kind::ALL.into_iter().zip(self.0);
        kinds.filter_map(|(kind, count)| (count > 0).then_some((kind, u64::from(count))))
    }
}

/// The kind of the first command, and a copy of the first key, for the slow log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyNote {
    kind: Option<Kind>,
    len: u8,
    bytes: [u8; KEY_BYTES_MAX],
}

const _: () = assert!(KEY_BYTES_MAX <= u8::MAX as usize);

impl Default for KeyNote {
    fn default() -> KeyNote {
        KeyNote {
            kind: None,
            len: 0,
            bytes: [0; KEY_BYTES_MAX],
        }
    }
}

impl KeyNote {
    /// The key; empty for a command without a key.
    pub(crate) fn key(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The kind of the first command.
    pub(super) fn kind(&self) -> Option<Kind> {
        self.kind
    }

    #[cold]
    fn note(&mut self, kind: Kind, key: &[u8]) {
        self.kind.get_or_insert(kind);
        let len = key.len().min(KEY_BYTES_MAX);
        self.bytes[..len].copy_from_slice(&key[..len]);
        self.len = len as u8;
    }
}

/// Counts the commands of a connection while it works.
#[derive(Debug, Default)]
pub(crate) struct Tally<'k> {
    pub(super) counts: Counts,
    /// Where the key of the first command goes, while there is a slow log.
    pub(super) first_key: Option<&'k mut KeyNote>,
}

impl Tally<'_> {
    /// The numbers of commands.
    #[inline]
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Counts `n` commands of a kind, the first of them with this key.
    #[inline]
    pub(crate) fn count(&mut self, kind: Kind, n: u32, key: &[u8]) {
        let count = &mut self.counts.0[kind as usize];
        *count = count.saturating_add(n);
        if let Some(note) = &mut self.first_key
            && note.len == 0
        {
            note.note(kind, key);
        }
    }

    /// Counts a command that is not about a key.
    #[inline]
    pub(crate) fn count_other(&mut self) {
        self.count(Kind::Other, 1, b"");
    }
}
