//! The first bytes of FILE and FILE.meta: by them a start tells its own files from others, whatever has happened to
//! them.
//!
//! ```text
//! FILE        "corecached items" | bytes of FILE.meta, 0 while in use | zeros ...       up to the first segment
//! FILE.meta   "corecached meta2" | bytes of the state | bytes of FILE | checksum | state
//! ```
//!
//! A file that is not ours is left as it is. If the first bytes of one of ours are damaged, it is known by the other
//! file, which contains its length. In versions before these marks, FILE began with 16 random bytes that FILE.meta has,
//! too.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The first bytes of FILE.
const FILE_MAGIC: &[u8; 16] = b"corecached items";
/// The first bytes of FILE.meta; the last of them changes with the format of the bytes that follow.
pub(super) const META_MAGIC: &[u8; 16] = b"corecached meta2";
/// The bytes of this mark that all versions have in common.
const META_NAME: &[u8] = b"corecached meta";
/// Bytes of FILE before the first segment: the mark, and as many more as let segments begin at a huge page.
pub(super) const HEAD_BYTES: u64 = 2 << 20;
/// Bytes of the mark that are written.
const MARK_BYTES: usize = 4096;
/// Bytes before the state in FILE.meta.
pub(super) const META_HEAD_BYTES: usize = 40;
/// Address space of a shard in the version before. Its FILE consisted of one such space for each shard, and nothing
/// else.
const OLD_SEGMENT_BYTES: u64 = 32 << 30;
/// Bytes of the random mark of that version, which was among the first bytes of its FILE.meta.
const OLD_MARK_BYTES: usize = 16;
const OLD_META_BYTES: usize = 128;

/// The fields at the beginning of FILE.meta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MetaHead {
    pub(super) state_bytes: u64,
    pub(super) file_bytes: u64,
    pub(super) checksum: u64,
}

impl MetaHead {
    pub(super) fn to_bytes(self) -> [u8; META_HEAD_BYTES] {
        let mut bytes = [0; META_HEAD_BYTES];
        bytes[..16].copy_from_slice(META_MAGIC);
        let words = [self.state_bytes, self.file_bytes, self.checksum];
        for (at, word) in words.into_iter().enumerate() {
            bytes[16 + 8 * at..24 + 8 * at].copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// Reads the fields; `None` if they are not of this version.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<MetaHead> {
        let head = bytes.first_chunk::<META_HEAD_BYTES>()?;
        let head = head.strip_prefix(META_MAGIC)?;
        let mut words = head.chunks_exact(8).map(word);
        Some(MetaHead {
            state_bytes: words.next()?,
            file_bytes: words.next()?,
            checksum: words.next()?,
        })
    }
}

fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

/// Writes the mark of FILE; `meta_bytes` is the length of FILE.meta.
pub(super) fn write(file: &File, meta_bytes: u64) -> io::Result<()> {
    let mut bytes = [0; MARK_BYTES];
    bytes[..16].copy_from_slice(FILE_MAGIC);
    bytes[16..24].copy_from_slice(&meta_bytes.to_le_bytes());
    file.write_all_at(&bytes, 0)
}

/// The owner of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// Ours, or empty; perhaps damaged.
    Ours,
    /// FILE is not ours.
    FileForeign,
    /// FILE.meta is not ours.
    MetaForeign,
}

/// The first bytes of a file, and the file's length.
struct Beginning {
    bytes: Vec<u8>,
    len: u64,
}

impl Beginning {
    fn of(file: &File) -> io::Result<Beginning> {
        let mut bytes = vec![0; MARK_BYTES];
        let mut read = 0;
        while read < bytes.len() {
            match file.read_at(&mut bytes[read..], read as u64)? {
                0 => break,
                more => read += more,
            }
        }
        bytes.truncate(read);
        let len = file.metadata()?.len();
        Ok(Beginning { bytes, len })
    }

    /// Whether the file begins with `magic`, is empty, or was cut off within `magic`.
    fn has(&self, magic: &[u8]) -> bool {
        self.bytes.starts_with(magic) || magic.starts_with(&self.bytes)
    }

    /// Whether this FILE says that FILE.meta has `len` bytes.
    fn vouches_for_meta(&self, len: u64) -> bool {
        let said = self.bytes.get(16..24).map(word);
        self.bytes.starts_with(FILE_MAGIC) && said == Some(len)
    }

    /// Whether this FILE.meta says that FILE has `len` bytes.
    fn vouches_for_file(&self, len: u64) -> bool {
        MetaHead::from_bytes(&self.bytes).is_some_and(|head| head.file_bytes == len)
    }

    /// Whether this is the FILE of the version before these marks, with `meta` as its FILE.meta. While in use, and
    /// after a crash, its first page was zero and its FILE.meta empty.
    fn is_old_with(&self, meta: &Beginning) -> bool {
        let is_as_long = self.len > 0 && self.len.is_multiple_of(OLD_SEGMENT_BYTES);
        let is_zero = self.bytes.iter().all(|&byte| byte == 0);
        let mark = self.bytes.get(..OLD_MARK_BYTES);
        let first = &meta.bytes[..meta.bytes.len().min(OLD_META_BYTES)];
        let has_mark = meta.bytes.starts_with(META_NAME)
            && mark.is_some_and(|mark| first.windows(OLD_MARK_BYTES).any(|other| other == mark));
        is_as_long && (has_mark || is_zero && meta.len == 0)
    }
}

/// Decides whether the files may be written to. `meta` is `None` if there is no FILE.meta.
pub(super) fn whose(file: &File, meta: Option<&File>) -> io::Result<Whose> {
    let file = Beginning::of(file)?;
    let meta = meta.map(Beginning::of).transpose()?;
    let is_known_by = |meta: &Beginning| meta.vouches_for_file(file.len) || file.is_old_with(meta);
    let is_file_ours = file.has(FILE_MAGIC) || meta.as_ref().is_some_and(is_known_by);
    let is_meta_foreign = meta
        .as_ref()
        .is_some_and(|meta| !meta.has(META_NAME) && !file.vouches_for_meta(meta.len));
    Ok(match (is_file_ours, !is_meta_foreign) {
        (false, _) => Whose::FileForeign,
        (_, false) => Whose::MetaForeign,
        _ => Whose::Ours,
    })
}

/// Whether the bytes of a FILE.meta are those of another version.
pub(super) fn is_other_version(bytes: &[u8]) -> bool {
    bytes.starts_with(META_NAME) && !bytes.starts_with(META_MAGIC)
}
