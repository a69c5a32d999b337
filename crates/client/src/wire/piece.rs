//! What requests are made of: bytes, or what can append its bytes.

/// A key or a value that is put into a request. Slices and strings are pieces; so is any type that knows its length and
/// can append itself, even if its bytes do not exist before.
///
/// ```
/// use corecached_client::wire::{Piece, text};
///
/// /// The key `user:` and a number of eight digits.
/// struct UserKey(u32);
///
/// impl Piece for UserKey {
///     fn length(&self) -> usize {
///         "user:".len() + 8
///     }
///     fn append(&self, out: &mut Vec<u8>) {
///         out.extend_from_slice(format!("user:{:08}", self.0).as_bytes());
///     }
/// }
///
/// let mut out = Vec::new();
/// text::get(&mut out, UserKey(7));
/// assert_eq!(out, b"get user:00000007\r\n");
/// ```
pub trait Piece {
    /// How many bytes [`Piece::append`] appends.
    fn length(&self) -> usize;

    /// Appends the bytes.
    fn append(&self, out: &mut Vec<u8>);
}

impl<T: AsRef<[u8]> + ?Sized> Piece for &T {
    #[inline]
    fn length(&self) -> usize {
        self.as_ref().len()
    }

    #[inline]
    fn append(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_ref());
    }
}
