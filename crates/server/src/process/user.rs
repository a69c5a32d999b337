//! `-u`: who the server becomes when it was started as root.

use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;

use crate::config::Config;
use crate::error::StartError;

/// Who to become when nobody said so.
const DEFAULT_USER: &str = "nobody";
/// Longest entry of the user database that is read.
const ENTRY_BYTES: usize = 16 * 1024;

/// A user of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    /// The name.
    pub(crate) name: CString,
    /// The user id.
    pub(crate) uid: libc::uid_t,
    /// The id of the user's own group.
    pub(crate) gid: libc::gid_t,
}

/// The user that this process is to become: `None` if it is not root, or was told to stay root.
///
/// # Errors
/// If there is no such user.
pub(crate) fn user_to_become(config: &Config) -> Result<Option<User>, StartError> {
    if !is_root() {
        return Ok(None);
    }
    let name = config.user.as_deref().unwrap_or(DEFAULT_USER);
    match look_up(name) {
        Ok(Some(user)) if user.uid == 0 => Ok(None),
        Ok(Some(user)) => Ok(Some(user)),
        Ok(None) => Err(StartError::NoUser(format!(
            "can't find the user {name} to switch to: name another with -u (-u root stays root)"
        ))),
        Err(error) => Err(StartError::Message(format!(
            "can't look up the user {name}: {error}"
        ))),
    }
}

fn is_root() -> bool {
    // SAFETY: these read two numbers of the process, and cannot fail.
    unsafe { libc::getuid() == 0 || libc::geteuid() == 0 }
}

/// A user by name.
fn look_up(name: &str) -> io::Result<Option<User>> {
    let name = CString::new(name)?;
    let mut entry = MaybeUninit::<libc::passwd>::uninit();
    let mut strings = vec![0; ENTRY_BYTES];
    let mut found = std::ptr::null_mut();
    // SAFETY: the name ends in NUL; the entry and the strings are written within the sizes given, and live here.
    let result = unsafe {
        libc::getpwnam_r(
            name.as_ptr(),
            entry.as_mut_ptr(),
            strings.as_mut_ptr(),
            strings.len(),
            &raw mut found,
        )
    };
    if result != 0 {
        return Err(io::Error::from_raw_os_error(result));
    }
    if found.is_null() {
        return Ok(None);
    }
    // SAFETY: `found` is not null, so getpwnam_r has filled the entry.
    let entry = unsafe { entry.assume_init() };
    Ok(Some(User {
        name,
        uid: entry.pw_uid,
        gid: entry.pw_gid,
    }))
}

/// Becomes the user, with all threads: its groups, its group, itself, for good.
pub(super) fn become_user(user: &User, coredumps: bool) -> Result<(), StartError> {
    // The C library's calls change every thread of the process, unlike the system calls below them. The order is that of
    // the rights each takes: uid last.
    // SAFETY: the name ends in NUL and lives through the call; nothing else is read.
    let grouped = unsafe { libc::initgroups(user.name.as_ptr(), user.gid) };
    // SAFETY: takes a number.
    let group_set = grouped == 0 && unsafe { libc::setgid(user.gid) } == 0;
    // SAFETY: takes a number.
    let done = group_set && unsafe { libc::setuid(user.uid) } == 0;
    if !done {
        let error = io::Error::last_os_error();
        return Err(StartError::System(format!(
            "failed to assume identity of user {}: {error}",
            user.name.to_string_lossy()
        )));
    }
    // SAFETY: takes a number. It must fail: otherwise the rights are not gone.
    if user.uid != 0 && unsafe { libc::setuid(0) } == 0 {
        return Err(StartError::System(
            "could give up root but take it back again: not going on like this".into(),
        ));
    }
    if coredumps {
        // A process that changed its user is not dumped unless it says that it may be.
        // SAFETY: takes numbers.
        unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0) };
    }
    Ok(())
}
