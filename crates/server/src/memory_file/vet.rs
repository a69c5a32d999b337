//! The files that `-e` opens: a file that somebody else made, or can write to, is neither used nor changed.
//!
//! A user who can write to the file writes to the server's memory, and a user who can read it reads all items. So the
//! file belongs to this process's user alone, has one name, and is not a link.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::base::config::Config;
use crate::error::StartError;
use crate::process;

/// The mode of both files.
const MODE: u32 = 0o600;
/// The bits of a mode that grant rights.
const MODE_BITS: u32 = 0o7777;
/// Mode bit of directories whose files everybody can exchange, unless the directory has the bit that protects each
/// user's files.
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;
/// Most attempts to open a file that comes and goes between two looks; that many are unheard of.
const ATTEMPTS_MAX: usize = 16;

/// The users whose files are taken: the user who opens them, and the user whom the server becomes (`-u`), who can do to
/// the server anything that the file's owner can.
#[derive(Clone, Debug)]
pub(crate) struct Owners {
    pub(super) opens: u32,
    pub(super) becomes: Option<u32>,
}

impl Owners {
    /// The owners that a configuration allows.
    ///
    /// # Errors
    /// If the user of `-u` does not exist.
    pub(crate) fn of(config: &Config) -> Result<Owners, StartError> {
        let user = process::user_to_become(config)?;
        Ok(Owners {
            opens: rustix::process::geteuid().as_raw(),
            becomes: user.map(|user| user.uid),
        })
    }

    /// This process's user, for tests.
    #[cfg(test)]
    pub(super) fn this_user() -> Owners {
        Owners {
            opens: rustix::process::geteuid().as_raw(),
            becomes: None,
        }
    }

    fn include(&self, uid: u32) -> bool {
        uid == self.opens || self.becomes == Some(uid)
    }

    fn text(&self) -> String {
        match self.becomes {
            Some(other) => format!("user {} or {other}", self.opens),
            None => format!("user {}", self.opens),
        }
    }
}

/// Opens the file at `path` if it is there.
///
/// # Errors
/// The errors of [`open`].
pub(super) fn open_if_present(path: &Path, owners: &Owners) -> Result<Option<File>, StartError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        _ => open(path, owners).map(Some),
    }
}

/// Opens the file at `path`, or creates it. The content of the file is not looked at.
///
/// # Errors
/// If it is not a file for `-e`, or cannot be opened.
pub(super) fn open(path: &Path, owners: &Owners) -> Result<File, StartError> {
    let failed = |error: &io::Error| refused(path, &format!("cannot be opened: {error}"));
    for _ in 0..ATTEMPTS_MAX {
        let opened = match fs::symlink_metadata(path) {
            Ok(metadata) => {
                // This is checked before the file is opened, since opening a device may have effects.
                vet(path, &metadata, owners)?;
                open_present(path)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(path),
            Err(error) => return Err(failed(&error)),
        };
        match opened {
            Ok(file) => {
                let metadata = file.metadata().map_err(|error| failed(&error))?;
                vet(path, &metadata, owners)?;
                return Ok(file);
            }
            // The file came or went in between.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists
                ) && path
                    .parent()
                    .is_none_or(|parent| parent.as_os_str().is_empty() || parent.is_dir()) => {}
            Err(error) => return Err(failed(&error)),
        }
    }
    Err(refused(
        path,
        "comes and goes; somebody else uses this name",
    ))
}

fn open_present(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        // The file may be exchanged at this moment: no link is followed, no pipe waited for.
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
}

fn create(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(MODE)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)?;
    // The umask may have taken rights away.
    file.set_permissions(Permissions::from_mode(MODE))?;
    Ok(file)
}

fn vet(path: &Path, metadata: &Metadata, owners: &Owners) -> Result<(), StartError> {
    let why = if metadata.is_symlink() {
        "is a symbolic link, which is not followed: name the file itself".to_owned()
    } else if !metadata.is_file() {
        "is not a regular file: name one, or one that does not exist yet".to_owned()
    } else if !owners.include(metadata.uid()) {
        format!(
            "belongs to user {}, who could read all items and write to the server's memory: it has to belong to {}",
            metadata.uid(),
            owners.text()
        )
    } else if metadata.mode() & MODE_BITS != MODE {
        format!(
            "has mode {:03o}, and has to have {MODE:03o}, so that nobody else reads items or writes to the server's memory: chmod it, or name another file",
            metadata.mode() & MODE_BITS
        )
    } else if metadata.nlink() != 1 {
        format!(
            "has {} names (hard links), and has to have one: the others may be where it is not expected to change",
            metadata.nlink()
        )
    } else {
        return Ok(());
    };
    Err(refused(path, &why))
}

/// The error that ends the start: `path` is not for `-e`.
pub(super) fn refused(path: &Path, why: &str) -> StartError {
    StartError::Message(format!("-e: {} {why}", path.display()))
}

/// The warning about the directory of `path`, if others can rename and remove its files: they cannot forge a file of
/// this user, but can take it away.
pub(super) fn warning(path: &Path) -> Option<String> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mode = fs::metadata(parent).ok()?.mode();
    (mode & OTHERS_WRITE != 0 && mode & STICKY == 0).then(|| {
        format!(
            "-e: everybody can rename or remove files in {} and so take the saved items away: chmod o-w or +t it",
            parent.display()
        )
    })
}
