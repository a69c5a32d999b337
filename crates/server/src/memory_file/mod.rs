//! `-e`: items in a file that outlives the process.
//!
//! ```text
//!   FILE        mark | shard 0's segment | shard 1's | ...   sparse: as much of it exists as there is memory in use
//!   FILE.meta   mark | checksum | state of all shards        written by a graceful end (SIGUSR1), empty otherwise
//! ```
//!
//! Both files are opened at the start, before rights are dropped and the directory is left, and locked against a second
//! server. [`vet`] decides which files are taken; [`mark`] has the marks by which they are known. FILE.meta is emptied
//! once it has been read: after a crash there is no saved state, and the cache starts empty. No other file is written.

mod mark;
#[cfg(test)]
mod tests;
mod vet;

use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use corecached_engine::{KeyHasher, MemoryFile, Seconds};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use self::mark::{HEAD_BYTES, META_HEAD_BYTES, MetaHead, Whose};
pub(crate) use self::vet::Owners;
use crate::error::StartError;

/// State of the whole process at its end.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Saved {
    /// The server's clock.
    pub(crate) now: u32,
    /// Unix time of the server's second 0.
    pub(crate) unix_origin: i64,
    /// Bytes of a page, derived from the memory limit of the first start.
    pub(crate) page_bytes: usize,
    /// Seed of the hash that decides a key's shard and its place there.
    pub(crate) hash_seed: u64,
    /// State of each shard, as the engine saved it.
    pub(crate) shards: Vec<Vec<u8>>,
}

impl Saved {
    /// The hash of the earlier process.
    pub(crate) fn hasher(&self) -> KeyHasher {
        KeyHasher::new(self.hash_seed)
    }

    /// The time of the earlier process when it ended.
    pub(crate) fn now(&self) -> Seconds {
        Seconds(self.now)
    }
}

/// The two open files.
#[derive(Debug)]
pub(crate) struct RestartFiles {
    path: PathBuf,
    file: Arc<File>,
    meta: File,
    segment_bytes: u64,
}

impl RestartFiles {
    /// Opens FILE and FILE.meta, and creates them if need be, for shards with segments of `segment_bytes`.
    ///
    /// # Errors
    /// If one of them cannot be opened, may not be used, or is not ours, or if another server uses them.
    pub(crate) fn open(
        path: &Path,
        segment_bytes: u64,
        owners: &Owners,
    ) -> Result<RestartFiles, StartError> {
        let mut meta_path = path.as_os_str().to_owned();
        meta_path.push(".meta");
        let meta_path = Path::new(&meta_path);
        let judge = |file: &File, meta: Option<&File>| match mark::whose(file, meta) {
            Ok(Whose::Ours) => Ok(()),
            Ok(Whose::FileForeign) => Err(foreign(path)),
            Ok(Whose::MetaForeign) => Err(foreign(meta_path)),
            Err(error) => Err(message(path, &error)),
        };
        let file = vet::open(path, owners)?;
        lock(&file, path)?;
        let present = vet::open_if_present(meta_path, owners)?;
        judge(&file, present.as_ref())?;
        let meta = match present {
            Some(meta) => meta,
            None => vet::open(meta_path, owners)?,
        };
        lock(&meta, meta_path)?;
        judge(&file, Some(&meta))?;
        if let Some(warning) = vet::warning(path) {
            crate::process::say_warning(warning);
        }
        Ok(RestartFiles {
            path: path.to_owned(),
            file: Arc::new(file),
            meta,
            segment_bytes,
        })
    }

    /// Bytes of FILE with `shards` shards.
    fn file_bytes(&self, shards: usize) -> u64 {
        HEAD_BYTES + self.segment_bytes * shards as u64
    }

    /// Bytes of FILE for each shard.
    pub(crate) fn segment_bytes(&self) -> u64 {
        self.segment_bytes
    }

    /// The state that an earlier process has saved, or the reason why there is none. From now on, a shard has as much
    /// of FILE as it had then, if that is at least `segment_bytes_min`.
    pub(crate) fn saved(&mut self, shards: usize, segment_bytes_min: u64) -> Result<Saved, String> {
        let saved = self.read_meta()?;
        if saved.shards.len() != shards {
            return Err(format!(
                "it was saved with -t {}, this is -t {shards}",
                saved.shards.len()
            ));
        }
        let metadata = self.file.metadata().map_err(|error| error.to_string())?;
        let file_bytes = metadata.len();
        let segment_bytes = file_bytes.saturating_sub(HEAD_BYTES) / shards as u64;
        if file_bytes != HEAD_BYTES + segment_bytes * shards as u64
            || !segment_bytes.is_power_of_two()
        {
            return Err("the memory file is not as long as it was".into());
        }
        if segment_bytes < segment_bytes_min {
            return Err("-m is more now than the memory file was made for".into());
        }
        self.segment_bytes = segment_bytes;
        Ok(saved)
    }

    fn read_meta(&mut self) -> Result<Saved, String> {
        let failed = |error: io::Error| format!("the saved state cannot be read: {error}");
        let bytes = self.meta.metadata().map_err(failed)?.len();
        if bytes == 0 {
            return Err("there is no saved state; a graceful end by SIGUSR1 leaves one".into());
        }
        let damaged = || "the saved state is damaged".to_owned();
        let mut head = Vec::new();
        let mut meta = &self.meta;
        meta.rewind().map_err(failed)?;
        meta.take(META_HEAD_BYTES as u64)
            .read_to_end(&mut head)
            .map_err(failed)?;
        if mark::is_other_version(&head) {
            return Err("the state was saved by another version of corecached".into());
        }
        let head = MetaHead::from_bytes(&head).ok_or_else(damaged)?;
        // This is checked before anything is read: a file with a hole at its end may be of any length.
        if head.state_bytes != bytes - META_HEAD_BYTES as u64 {
            return Err(damaged());
        }
        let mut state = Vec::new();
        meta.take(head.state_bytes)
            .read_to_end(&mut state)
            .map_err(failed)?;
        if checksum(&state, head.file_bytes) != head.checksum {
            return Err(damaged());
        }
        postcard::from_bytes(&state).map_err(|_| damaged())
    }

    /// Empties FILE.meta: from now on FILE changes.
    ///
    /// # Errors
    /// If FILE.meta cannot be written.
    pub(crate) fn forget_saved(&mut self) -> Result<(), StartError> {
        self.meta
            .set_len(0)
            .and_then(|()| self.meta.sync_all())
            .and_then(|()| mark::write(&self.file, 0))
            .map_err(|error| self.message(&error))
    }

    /// Makes FILE empty, for `shards` empty shards.
    ///
    /// # Errors
    /// If FILE cannot be written.
    pub(crate) fn clear(&self, shards: usize) -> Result<(), StartError> {
        // FILE has its mark at any moment: without the mark it would not be known as ours.
        self.file
            .set_len(0)
            .and_then(|()| mark::write(&self.file, 0))
            .and_then(|()| self.file.sync_all())
            .and_then(|()| self.file.set_len(self.file_bytes(shards)))
            .map_err(|error| self.message(&error))
    }

    /// The part of FILE that belongs to a shard.
    pub(crate) fn part(&self, shard: usize) -> MemoryFile {
        MemoryFile {
            file: Arc::clone(&self.file),
            offset: self.file_bytes(shard),
        }
    }

    /// Writes FILE.meta, once everything in FILE is written: after a loss of power either both are whole or there is no
    /// saved state.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub(crate) fn save(&mut self, saved: &Saved) -> io::Result<()> {
        if self.file.metadata()?.nlink() == 0 || self.meta.metadata()?.nlink() == 0 {
            return Err(io::Error::other("the file was removed meanwhile"));
        }
        let state = postcard::to_stdvec(saved).map_err(io::Error::other)?;
        let written = self.write_meta(&state);
        if written.is_err() {
            // Half a state is useless, and may take room that somebody else needs.
            let _ = self.meta.set_len(0);
        }
        written
    }

    fn write_meta(&mut self, state: &[u8]) -> io::Result<()> {
        let file_bytes = self.file.metadata()?.len();
        mark::write(&self.file, META_HEAD_BYTES as u64 + state.len() as u64)?;
        self.file.sync_data()?;
        let head = MetaHead {
            state_bytes: state.len() as u64,
            file_bytes,
            checksum: checksum(state, file_bytes),
        };
        self.meta.set_len(0)?;
        self.meta.rewind()?;
        self.meta.write_all(&head.to_bytes())?;
        self.meta.write_all(state)?;
        self.meta.sync_all()
    }

    /// The error that ends the start: a file cannot be used as it has to be.
    pub(crate) fn message(&self, error: &io::Error) -> StartError {
        message(&self.path, error)
    }
}

fn message(path: &Path, error: &io::Error) -> StartError {
    StartError::Message(format!("-e {}: {error}", path.display()))
}

fn foreign(path: &Path) -> StartError {
    vet::refused(
        path,
        "is not one of corecached's and stays as it is: remove it, or name another file",
    )
}

fn lock(file: &File, path: &Path) -> Result<(), StartError> {
    flock(file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        StartError::Message(format!(
            "-e {}: another process uses this file; stop it or name another file",
            path.display()
        ))
    })
}

/// Checksum of the state and of `file_bytes`, the other number at the beginning of FILE.meta.
fn checksum(state: &[u8], file_bytes: u64) -> u64 {
    KeyHasher::new(file_bytes).hash(state).0
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
