//! One request, before it is rendered: its verb, its keys and its value.

use crate::value::{self, Mark};
use crate::workload::Workload;
use crate::workload::keys::{KeyFormat, KeyId};
use crate::workload::verb::{KeySpace, Verb};
use corecached_client::wire::Piece;

/// One request to render.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The operation.
    pub verb: Verb,
    /// The space of the key, which decides what a value is.
    pub space: KeySpace,
    /// The key.
    pub key: KeyId,
    /// The keys of a multi-get, the first included; empty for other verbs.
    pub keys: &'a [KeyId],
    /// The header of a written value, with the lifetime asked for.
    pub mark: Mark,
    /// The unique of a cas.
    pub cas_unique: u64,
}

/// Keys of one request at their longest, with all framing.
const FRAME_BYTES_MAX: usize = 128;

/// An upper bound on the bytes of one request of `workload`: what send buffers reserve.
#[must_use]
pub fn request_bytes_max(workload: &Workload) -> usize {
    let key = workload.key_format.key_bytes() + FRAME_BYTES_MAX;
    let keys = if workload.spec.mix.any(|verb| verb == Verb::MultiGet) {
        workload.spec.mix.multiget_keys() + 1
    } else {
        1
    };
    key * keys + workload.sizes.bytes_max() as usize
}

/// The bytes that one append or prepend adds.
const LIST_ELEMENT: &[u8] = b"0123456789abcdef";

/// The first number of a counter: it leaves room for many decrements before the counter stops at zero.
const COUNTER_START: &[u8] = b"1000000000";

impl Request<'_> {
    /// The length of the value this request carries.
    #[must_use]
    pub fn value_bytes(&self, workload: &Workload) -> u32 {
        match self.space {
            KeySpace::Values => workload.sizes.value_bytes(self.key),
            KeySpace::Counters => COUNTER_START.len() as u32,
            KeySpace::Lists => LIST_ELEMENT.len() as u32,
        }
    }

    /// The key, as something that appends itself.
    #[inline]
    pub(super) fn key_piece<'w>(&self, workload: &'w Workload) -> KeyPiece<'w> {
        KeyPiece {
            format: &workload.key_format,
            space: self.space,
            key: self.key,
        }
    }

    /// The keys of a multi-get.
    pub(super) fn key_pieces<'w>(
        &self,
        workload: &'w Workload,
    ) -> impl Iterator<Item = KeyPiece<'w>> {
        let (format, space) = (&workload.key_format, self.space);
        self.keys
            .iter()
            .map(move |&key| KeyPiece { format, space, key })
    }

    /// The value, as something that appends itself.
    #[inline]
    pub(super) fn value_piece<'w>(&'w self, workload: &'w Workload) -> ValuePiece<'w> {
        ValuePiece {
            request: self,
            workload,
        }
    }

    /// Appends the value.
    pub fn render_value(&self, workload: &Workload, out: &mut Vec<u8>) {
        match self.space {
            KeySpace::Values => value::render(self.mark, self.value_bytes(workload), out),
            KeySpace::Counters => out.extend_from_slice(COUNTER_START),
            KeySpace::Lists => out.extend_from_slice(LIST_ELEMENT),
        }
    }
}

/// A key that is rendered right into a request.
pub(super) struct KeyPiece<'w> {
    format: &'w KeyFormat,
    space: KeySpace,
    key: KeyId,
}

impl Piece for KeyPiece<'_> {
    #[inline]
    fn length(&self) -> usize {
        self.format.key_bytes()
    }

    #[inline]
    fn append(&self, out: &mut Vec<u8>) {
        self.format.render(self.space, self.key, out);
    }
}

/// A value that is made right in a request.
pub(super) struct ValuePiece<'w> {
    request: &'w Request<'w>,
    workload: &'w Workload,
}

impl Piece for ValuePiece<'_> {
    #[inline]
    fn length(&self) -> usize {
        self.request.value_bytes(self.workload) as usize
    }

    #[inline]
    fn append(&self, out: &mut Vec<u8>) {
        self.request.render_value(self.workload, out);
    }
}
