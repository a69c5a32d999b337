//! Seccomp filters, put in force between fork and exec: they hold for all threads of the server.
//!
//! ```text
//!   deny     a call of the list ----> fails with an errno
//!   watched  io_uring_enter --------> the test is asked, and lets it through or names an errno
//! ```

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

const SECCOMP_SET_MODE_FILTER: libc::c_ulong = 1;
const FLAG_NEW_LISTENER: libc::c_ulong = 1 << 3;
const RET_ALLOW: u32 = 0x7fff_0000;
const RET_ERRNO: u32 = 0x0005_0000;
const RET_USER_NOTIF: u32 = 0x7fc0_0000;
const RESPONSE_CONTINUE: u32 = 1;
const NOTIF_RECV: libc::c_ulong = 0xc050_2100;
const NOTIF_SEND: libc::c_ulong = 0xc018_2101;

/// io_uring_enter by the number of a registered ring: only the companion ring does that.
const REGISTERED_RING: u64 = 1 << 4;

/// `struct seccomp_notif` with its `struct seccomp_data`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Notice {
    id: u64,
    pid: u32,
    flags: u32,
    number: i32,
    arch: u32,
    instruction: u64,
    args: [u64; 6],
}

/// `struct seccomp_notif_resp`.
#[repr(C)]
struct Response {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

const _: () = assert!(size_of::<Notice>() == 0x50 && size_of::<Response>() == 0x18);

/// A call that waits for the test's word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    /// The thread that makes it.
    pub(super) thread: i32,
    /// Whether its ring is the companion ring; otherwise it is one of glommio's.
    pub(super) is_companion: bool,
}

impl Call {
    /// Whether a shard's thread makes it: the main thread's number is its process's.
    pub(super) fn is_of_shard(self) -> bool {
        let name = std::fs::read_to_string(format!("/proc/{}/comm", self.thread));
        name.is_ok_and(|name| name.starts_with("shard-"))
    }
}

/// What happens to a call: `None` lets it through.
type Rule = Box<dyn FnMut(Call) -> Option<i32> + Send>;

/// The calls of a server, decided by the rule of the moment.
pub(super) struct Watched {
    rule: Arc<Mutex<Rule>>,
    sockets: (UnixStream, UnixStream),
}

impl Watched {
    /// All calls go through.
    pub(super) fn new() -> Self {
        Self::ruled(|_| None)
    }

    /// The same with a rule from the first call on.
    pub(super) fn ruled(rule: impl FnMut(Call) -> Option<i32> + Send + 'static) -> Self {
        Self {
            rule: Arc::new(Mutex::new(Box::new(rule))),
            sockets: UnixStream::pair().unwrap(),
        }
    }

    /// Has `command` ask for each io_uring_enter.
    pub(super) fn prepare(&self, command: &mut Command) {
        let sender = self.sockets.1.try_clone().unwrap();
        let work = move || {
            let program = program(&[libc::SYS_io_uring_enter], RET_USER_NOTIF);
            let listener = install(&program, FLAG_NEW_LISTENER)?;
            send_descriptor(&sender, &listener)
        };
        // SAFETY: the closure makes system calls and allocates a few bytes; no other thread of this process holds a
        // lock of the allocator that the C library does not give back at a fork.
        unsafe { command.pre_exec(work) };
        let (receiver, rule) = (self.sockets.0.try_clone().unwrap(), Arc::clone(&self.rule));
        thread::spawn(move || {
            if let Some(listener) = receive_descriptor(&receiver) {
                decide(&listener, &rule);
            }
        });
    }

    /// From now on `rule` decides.
    pub(super) fn rule(&self, rule: impl FnMut(Call) -> Option<i32> + Send + 'static) {
        *self.rule.lock().unwrap() = Box::new(rule);
    }
}

/// Has each of `calls` fail with `errno`.
pub(super) fn deny(command: &mut Command, calls: &[libc::c_long], errno: i32) {
    let program = program(calls, RET_ERRNO | errno.unsigned_abs());
    let work = move || install(&program, 0).map(drop);
    // SAFETY: the closure makes two system calls.
    unsafe { command.pre_exec(work) };
}

/// Has a limit stay as it is, while it can be read: `prlimit64` with a new limit fails.
pub(super) fn deny_limits(command: &mut Command, errno: i32) {
    let (load, equal, give) = (0x20, 0x15, 0x06);
    let jump = |k, jt, jf| libc::sock_filter {
        code: equal,
        jt,
        jf,
        k,
    };
    let statement = |code, k| libc::sock_filter {
        code,
        jt: 0,
        jf: 0,
        k,
    };
    let program = [
        statement(load, 0),
        jump(libc::SYS_prlimit64 as u32, 0, 3),
        // The lower half of the third argument, the address of the new limit: null asks only.
        statement(load, 32),
        jump(0, 1, 0),
        statement(give, RET_ERRNO | errno.unsigned_abs()),
        statement(give, RET_ALLOW),
    ];
    let work = move || install(&program, 0).map(drop);
    // SAFETY: the closure makes two system calls.
    unsafe { command.pre_exec(work) };
}

/// Has each call whose number is `first` or more fail as one that the kernel does not know.
pub(super) fn deny_from(command: &mut Command, first: libc::c_long) {
    let (load, at_least, give) = (0x20, 0x35, 0x06);
    let statement = |code, jf, k| libc::sock_filter { code, jt: 0, jf, k };
    let program = [
        statement(load, 0, 0),
        statement(at_least, 1, first as u32),
        statement(give, 0, RET_ERRNO | libc::ENOSYS.unsigned_abs()),
        statement(give, 0, RET_ALLOW),
    ];
    let work = move || install(&program, 0).map(drop);
    // SAFETY: the closure makes two system calls.
    unsafe { command.pre_exec(work) };
}

/// Loads the number of the call, compares it with each of `calls`, and returns `action` for those.
fn program(calls: &[libc::c_long], action: u32) -> Vec<libc::sock_filter> {
    let (load, equal, give) = (0x20, 0x15, 0x06);
    let statement = |code, value| libc::sock_filter {
        code,
        jt: 0,
        jf: 0,
        k: value,
    };
    let mut program = vec![statement(load, 0)];
    for &call in calls {
        let jump = libc::sock_filter {
            jf: 1,
            ..statement(equal, call as u32)
        };
        program.extend([jump, statement(give, action)]);
    }
    program.push(statement(give, RET_ALLOW));
    program
}

/// Puts the program in force for this thread, whose process it becomes.
fn install(program: &[libc::sock_filter], flags: libc::c_ulong) -> io::Result<Option<OwnedFd>> {
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: takes numbers.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel copies the program, which lives through the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            SECCOMP_SET_MODE_FILTER,
            flags,
            &raw const filter,
        )
    };
    match result {
        ..0 => Err(io::Error::last_os_error()),
        0 => Ok(None),
        // SAFETY: with the flag of a listener the result is a new descriptor.
        fd => Ok(Some(unsafe {
            std::os::fd::FromRawFd::from_raw_fd(fd as i32)
        })),
    }
}

fn send_descriptor(socket: &UnixStream, listener: &Option<OwnedFd>) -> io::Result<()> {
    let Some(listener) = listener else {
        return Err(io::ErrorKind::Unsupported.into());
    };
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [listener.as_fd()];
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(
        socket,
        &[IoSlice::new(b"x")],
        &mut control,
        SendFlags::empty(),
    )?;
    Ok(())
}

fn receive_descriptor(socket: &UnixStream) -> Option<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let flags = RecvFlags::CMSG_CLOEXEC;
    recvmsg(
        socket,
        &mut [IoSliceMut::new(&mut byte)],
        &mut control,
        flags,
    )
    .ok()?;
    control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    })
}

/// Answers until the server is gone.
fn decide(listener: &OwnedFd, rule: &Mutex<Rule>) {
    loop {
        let mut notice = Notice::default();
        // SAFETY: the kernel writes to a structure of its size that lives here.
        let got = unsafe { libc::ioctl(listener.as_raw_fd(), NOTIF_RECV, &raw mut notice) };
        if got != 0 {
            // ENOENT is a thread that has gone meanwhile.
            if is_over(listener) {
                return;
            }
            continue;
        }
        let call = Call {
            thread: notice.pid as i32,
            is_companion: notice.args[3] & REGISTERED_RING != 0,
        };
        let errno = (rule.lock().unwrap())(call);
        let response = Response {
            id: notice.id,
            value: 0,
            error: -errno.unwrap_or(0),
            flags: if errno.is_none() {
                RESPONSE_CONTINUE
            } else {
                0
            },
        };
        // SAFETY: the kernel reads a structure of its size that lives here. A thread that has ended needs no answer.
        unsafe { libc::ioctl(listener.as_raw_fd(), NOTIF_SEND, &raw const response) };
    }
}

/// Whether no process is under the filter any more.
fn is_over(listener: &OwnedFd) -> bool {
    let mut poll = libc::pollfd {
        fd: listener.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one structure is read and written, which lives here.
    unsafe { libc::poll(&raw mut poll, 1, 0) };
    poll.revents & libc::POLLHUP != 0
}
