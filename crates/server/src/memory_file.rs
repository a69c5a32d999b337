//! `-e`: items in a file that outlives the process.
//!
//! ```text
//!   FILE        shard 0's segment | shard 1's | ...      sparse: as much of it exists as there is memory in use
//!   FILE.meta   magic, state of all shards, checksum     written by a graceful end (SIGUSR1), empty otherwise
//! ```
//!
//! Both are opened at the start, before rights are dropped and the directory is left, and FILE is locked against a second
//! server. FILE.meta is emptied once it has been read: after a crash there is none, and the cache starts empty.

use std::collections::hash_map::RandomState;
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use corecached_engine::{KeyHasher, MemoryFile, Seconds};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::error::StartError;

/// Begins FILE.meta.
const MAGIC: &[u8; 16] = b"corecached meta\n";
/// Bytes of the checksum at its end.
const CHECKSUM_BYTES: usize = 8;
/// A larger FILE.meta is not one: 20 bytes for each item of a full machine would be less.
const META_BYTES_MAX: u64 = 16 << 30;

/// State of the whole process at its end.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Saved {
    /// The server's clock.
    pub(crate) now: u32,
    /// Unix time of the server's second 0.
    pub(crate) unix_origin: i64,
    /// Bytes of a page, which follow from the memory limit of the first start.
    pub(crate) page_bytes: usize,
    /// Seed of the hash that decides shard and place.
    pub(crate) hash_seed: u64,
    /// State of each shard, as the engine saved it.
    pub(crate) shards: Vec<Vec<u8>>,
}

impl Saved {
    /// The hash of the process before.
    pub(crate) fn hasher(&self) -> KeyHasher {
        KeyHasher::new(self.hash_seed)
    }

    /// The time of the process before, when it ended.
    pub(crate) fn now(&self) -> Seconds {
        Seconds(self.now)
    }
}

/// The two open files.
#[derive(Debug)]
pub(crate) struct Memory {
    path: PathBuf,
    file: Arc<File>,
    meta: File,
    segment_bytes: u64,
}

impl Memory {
    /// Opens FILE and FILE.meta, making them if need be, for shards with segments of `segment_bytes`.
    ///
    /// # Errors
    /// If one cannot be opened, or another server uses them.
    pub(crate) fn open(path: &Path, segment_bytes: u64) -> Result<Memory, StartError> {
        let file = open(path)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            StartError::Message(format!(
                "-e {}: another process uses this file; stop it or name another file",
                path.display()
            ))
        })?;
        let mut meta = path.as_os_str().to_owned();
        meta.push(".meta");
        Ok(Memory {
            path: path.to_owned(),
            file: Arc::new(file),
            meta: open(Path::new(&meta))?,
            segment_bytes,
        })
    }

    /// What an earlier process has saved; the reason if there is nothing to be had.
    pub(crate) fn saved(&mut self, shards: usize) -> Result<Saved, String> {
        let saved = self.read_meta()?;
        if saved.shards.len() != shards {
            return Err(format!(
                "it was saved with -t {}, this is -t {shards}",
                saved.shards.len()
            ));
        }
        let bytes = self
            .file
            .metadata()
            .map_err(|error| error.to_string())?
            .len();
        if bytes < self.segment_bytes * shards as u64 {
            return Err("the memory file is shorter than it was".into());
        }
        Ok(saved)
    }

    fn read_meta(&mut self) -> Result<Saved, String> {
        let mut bytes = Vec::new();
        let read = (&self.meta).take(META_BYTES_MAX).read_to_end(&mut bytes);
        read.map_err(|error| format!("the saved state cannot be read: {error}"))?;
        if bytes.is_empty() {
            return Err("there is no saved state; a graceful end by SIGUSR1 leaves one".into());
        }
        let unreadable = || "the saved state is damaged, or of another version".to_owned();
        let body = bytes.strip_prefix(MAGIC).ok_or_else(unreadable)?;
        let (body, sum) = body.split_last_chunk().ok_or_else(unreadable)?;
        if checksum(body) != *sum {
            return Err(unreadable());
        }
        postcard::from_bytes(body).map_err(|_| unreadable())
    }

    /// Empties FILE.meta: from now on FILE changes.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn forget_saved(&mut self) -> Result<(), StartError> {
        self.meta
            .set_len(0)
            .and_then(|()| self.meta.sync_all())
            .map_err(|error| self.message(&error))
    }

    /// Makes FILE empty, for `shards` empty shards.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn clear(&self, shards: usize) -> Result<(), StartError> {
        self.file
            .set_len(0)
            .and_then(|()| self.file.set_len(self.segment_bytes * shards as u64))
            .map_err(|error| self.message(&error))
    }

    /// The part of a shard.
    pub(crate) fn part(&self, shard: usize) -> MemoryFile {
        MemoryFile {
            file: Arc::clone(&self.file),
            offset: self.segment_bytes * shard as u64,
        }
    }

    /// Writes FILE.meta, once everything in FILE is written: after a loss of power either both are whole or there is no
    /// saved state.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub(crate) fn save(&mut self, saved: &Saved) -> io::Result<()> {
        self.file.sync_data()?;
        let body = postcard::to_stdvec(saved).map_err(io::Error::other)?;
        self.meta.set_len(0)?;
        self.meta.rewind()?;
        self.meta.write_all(MAGIC)?;
        self.meta.write_all(&body)?;
        self.meta.write_all(&checksum(&body))?;
        self.meta.sync_all()
    }

    fn message(&self, error: &io::Error) -> StartError {
        StartError::Message(format!("-e {}: {error}", self.path.display()))
    }
}

fn open(path: &Path) -> Result<File, StartError> {
    // Items may be secrets, and whoever writes to the file writes to the server's memory.
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| {
            StartError::Message(format!("-e: cannot open {}: {error}", path.display()))
        })
}

fn checksum(body: &[u8]) -> [u8; CHECKSUM_BYTES] {
    KeyHasher::new(0).hash(body).0.to_le_bytes()
}

/// A mark that no other process has had.
pub(crate) fn new_mark() -> [u8; 16] {
    let half = || RandomState::new().build_hasher().finish().to_le_bytes();
    let (first, second) = (half(), half());
    let mut mark = [0; 16];
    mark[..8].copy_from_slice(&first);
    mark[8..].copy_from_slice(&second);
    mark
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(shards: usize) -> Saved {
        Saved {
            now: 5,
            unix_origin: 1_700_000_000,
            page_bytes: 65536,
            hash_seed: 9,
            shards: vec![vec![1, 2, 3]; shards],
        }
    }

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("corecached-{}-{name}", std::process::id()))
    }

    fn remove(path: &Path) {
        std::fs::remove_file(path).expect("the test made it");
        let meta = format!("{}.meta", path.display());
        std::fs::remove_file(meta).expect("the test made it");
    }

    #[test]
    fn a_state_is_read_once_and_only_whole() {
        let path = path("meta");
        let mut memory = Memory::open(&path, 4096).expect("a new file");
        memory.clear(2).expect("room for nothing");
        assert!(
            memory
                .saved(2)
                .is_err_and(|why| why.contains("no saved state"))
        );
        memory.save(&saved(2)).expect("room for little");
        assert!(
            matches!(Memory::open(&path, 4096), Err(StartError::Message(why)) if why.contains("another process"))
        );
        drop(memory);
        let reopen = || Memory::open(&path, 4096).expect("nobody has it");
        let mut memory = reopen();
        assert!(memory.saved(3).is_err_and(|why| why.contains("-t 2")));
        drop(memory);
        let mut memory = reopen();
        assert_eq!(memory.saved(2).expect("just saved").shards.len(), 2);
        let bytes = memory.meta.metadata().expect("it is open").len();
        memory.meta.set_len(bytes - 1).expect("to damage it");
        drop(memory);
        let mut memory = reopen();
        assert!(memory.saved(2).is_err_and(|why| why.contains("damaged")));
        memory.forget_saved().expect("it is writable");
        drop(memory);
        assert!(
            reopen()
                .saved(2)
                .is_err_and(|why| why.contains("no saved state"))
        );
        remove(&path);
    }
}
