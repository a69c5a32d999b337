//! The unix socket.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::base::config::Config;
use crate::error::StartError;

use super::group::{Group, message};
use super::info::ListenerInfo;

/// Held by code that changes the process's umask, so that only one thread does so at a time (tests bind several sockets
/// at once).
static UMASK: Mutex<()> = Mutex::new(());

/// The socket of `-s`, one descriptor of it per shard.
pub(super) fn group(config: &Config, path: &Path, shards: usize) -> Result<Group, StartError> {
    let failed = |error: io::Error| {
        message(format!(
            "failed to listen on UNIX socket: {}: {error}; the directory of the path (-s) has to exist, and to be writable",
            path.display()
        ))
    };
    remove_stale(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
    let address = SockAddr::unix(path).map_err(failed)?;
    // The mode must be right from the first moment on, so the umask sets it, not a chmod.
    let _alone = UMASK.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: umask has no memory effects. It belongs to the process; no other thread creates files at start-up.
    let previous = unsafe { libc::umask(!config.unix_mask & 0o777) };
    let bound = socket.bind(&address);
    // SAFETY: umask has no memory effects; the previous mask is put back.
    unsafe { libc::umask(previous) };
    bound.map_err(failed)?;
    if let Some(user) = crate::process::user_to_become(config)?
        && fs::metadata(path).is_ok_and(|made| made.uid() != user.uid)
    {
        std::os::unix::fs::chown(path, Some(user.uid), Some(user.gid)).map_err(failed)?;
    }
    let first = OwnedFd::from(socket);
    let mut sockets = Vec::with_capacity(shards);
    for _ in 1..shards {
        sockets.push(first.try_clone().map_err(failed)?);
    }
    sockets.insert(0, first);
    Ok(Group {
        sockets: sockets.into_iter().map(Arc::new).collect(),
        address: None,
        info: ListenerInfo::of_unix_socket(config),
        is_inherited: false,
    })
}

/// Removes the socket file of a server that is gone.
fn remove_stale(path: &Path) -> Result<(), StartError> {
    let is_socket =
        fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    if !is_socket {
        // A file of that name that is not such a socket is not ours to remove: bind will report that it is in the way.
        return Ok(());
    }
    if UnixStream::connect(path).is_ok() {
        return Err(message(format!(
            "failed to listen on UNIX socket: {}: another server listens there; stop it or choose another path with -s",
            path.display()
        )));
    }
    fs::remove_file(path).map_err(|error| {
        message(format!(
            "cannot remove the stale UNIX socket {}: {error}",
            path.display()
        ))
    })
}
