//! `-u`: the user that the server becomes when it was started as root.

use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;

use crate::base::config::Config;
use crate::error::StartError;

use super::logging::say_warning as say;

/// The user to become if none is given.
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

/// The user that this process is to become; `None` if it is not root, or was told to stay root.
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
    // SAFETY: these calls read two numbers of the process, and cannot fail.
    unsafe { libc::getuid() == 0 || libc::geteuid() == 0 }
}

/// Looks a user up by name.
fn look_up(name: &str) -> io::Result<Option<User>> {
    let name = CString::new(name)?;
    let mut entry = MaybeUninit::<libc::passwd>::uninit();
    let mut strings = vec![0; ENTRY_BYTES];
    let mut found = std::ptr::null_mut();
    // SAFETY: the name ends in NUL; the entry and the strings are written within the given sizes, and live here.
    let result = unsafe {
        libc::getpwnam_r(
            name.as_ptr(),
            entry.as_mut_ptr(),
            strings.as_mut_ptr(),
            strings.len(),
            &raw mut found,
        )
    };
    match result {
        0 => {}
        // These are what getpwnam(3) says of a name that is not found; without /etc/passwd it is ENOENT.
        libc::ENOENT | libc::ESRCH | libc::EBADF | libc::EPERM => return Ok(None),
        error => return Err(io::Error::from_raw_os_error(error)),
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

/// Runs `work` with the rights of the user that the process is to become and, if that fails, with the rights that it
/// has now: the work that memcached does as that user may be possible for the user only, as in a directory of its own.
/// To be called while there is one thread.
///
/// # Errors
/// The errors of `work` as the user.
pub(crate) fn as_user_or_root<T>(
    config: &Config,
    work: impl Fn() -> Result<T, StartError>,
) -> Result<T, StartError> {
    let Some(lent) = user_to_become(config)?.and_then(|user| Lent::become_for_now(&user)) else {
        return work();
    };
    let done = work();
    lent.give_back()?;
    done.or_else(|error| work().map_err(|_| error))
}

/// Runs `work` as root and, if that fails, as the user: root has always been able to do it, for example to read a key
/// that nobody else may read.
///
/// # Errors
/// The errors of `work` as root.
pub(crate) fn as_root_or_user<T>(
    config: &Config,
    work: impl Fn() -> Result<T, StartError>,
) -> Result<T, StartError> {
    work().or_else(|error| {
        let Some(lent) = user_to_become(config)?.and_then(|user| Lent::become_for_now(&user))
        else {
            return Err(error);
        };
        let done = work();
        lent.give_back()?;
        done.map_err(|_| error)
    })
}

/// Another user's rights, lent for a while: the effective ids change, while the real ones stay.
struct Lent {
    uid: libc::uid_t,
    gid: libc::gid_t,
    groups: Vec<libc::gid_t>,
}

impl Lent {
    /// Takes on the user's rights; returns `None` if the process may not, and then its rights are as before.
    fn become_for_now(user: &User) -> Option<Lent> {
        // SAFETY: these calls read two numbers of the process, and cannot fail.
        let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
        let lent = Lent {
            uid,
            gid,
            groups: groups()?,
        };
        // SAFETY: the name ends in NUL and lives through the call. Without the groups the process has fewer rights, not
        // more.
        unsafe { libc::initgroups(user.name.as_ptr(), user.gid) };
        // SAFETY: these calls take a number.
        if unsafe { libc::setegid(user.gid) == 0 && libc::seteuid(user.uid) == 0 } {
            return Some(lent);
        }
        lent.give_back().ok()?;
        None
    }

    fn give_back(self) -> Result<(), StartError> {
        // SAFETY: these calls take a number.
        let returned = unsafe { libc::seteuid(self.uid) == 0 && libc::setegid(self.gid) == 0 };
        // SAFETY: as many groups are read as the length says.
        unsafe { libc::setgroups(self.groups.len(), self.groups.as_ptr()) };
        if returned {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        Err(StartError::System(format!(
            "cannot take root's rights again: {error}"
        )))
    }
}

/// The supplementary groups of the process.
fn groups() -> Option<Vec<libc::gid_t>> {
    // SAFETY: with a size of 0 nothing is written.
    let count = unsafe { libc::getgroups(0, std::ptr::null_mut()) };
    let mut groups = vec![0; usize::try_from(count).ok()?];
    // SAFETY: no more groups are written than there is room for.
    let count = unsafe { libc::getgroups(count, groups.as_mut_ptr()) };
    groups.truncate(usize::try_from(count).ok()?);
    Some(groups)
}

/// Becomes the user, with all threads and for good: first its groups, then its group, then the user itself.
///
/// # Errors
/// If the process may not; a user namespace that knows root alone has nobody to become.
pub(super) fn become_user(user: &User, config: &Config) -> Result<(), StartError> {
    become_for_good(user, config.coredumps).map_err(|error| match (error, &config.user) {
        (StartError::System(message), None) => StartError::Usage(format!(
            "{message}: name another user with -u (-u root stays root)"
        )),
        (error, _) => error,
    })
}

fn become_for_good(user: &User, coredumps: bool) -> Result<(), StartError> {
    // The C library's calls change every thread of the process, unlike the system calls below them. The order follows
    // from the rights that each call takes away: the uid comes last.
    // SAFETY: the name ends in NUL and lives through the call; nothing else is read.
    let grouped = unsafe { libc::initgroups(user.name.as_ptr(), user.gid) } == 0;
    let error = io::Error::last_os_error();
    // A process without the right to choose its groups has few groups already, as in a user namespace: memcached goes
    // on, too.
    if !grouped && error.raw_os_error() == Some(libc::EPERM) {
        say(format_args!("failed to drop supplementary groups: {error}"));
    } else if !grouped {
        return Err(not_become(user, &error));
    }
    // SAFETY: these calls take a number.
    if unsafe { libc::setgid(user.gid) != 0 || libc::setuid(user.uid) != 0 } {
        return Err(not_become(user, &io::Error::last_os_error()));
    }
    // SAFETY: setuid takes a number. It must fail: otherwise the rights are not gone.
    if user.uid != 0 && unsafe { libc::setuid(0) } == 0 {
        return Err(StartError::System(
            "root's rights came back after they had been given up, so the server does not start: start it as a user without them".into(),
        ));
    }
    if coredumps {
        // After a change of user, the kernel dumps no core of a process unless the process allows it.
        // SAFETY: prctl takes numbers here.
        unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0) };
    }
    Ok(())
}

fn not_become(user: &User, error: &io::Error) -> StartError {
    StartError::System(format!(
        "failed to assume identity of user {}: {error}",
        user.name.to_string_lossy()
    ))
}
