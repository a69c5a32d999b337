//! The same where the kernel lets a socket hold little. `tcp_wmem` and `tcp_rmem` belong to a network namespace, and a
//! namespace to a thread: the thread of the test moves to one of its own, and the server and the clients that it starts
//! are there, too. (`tcp_mem` belongs to the machine, whose other connections are none of a test's business.)

use std::io;
use std::os::fd::AsRawFd;
use std::thread;

use rustix::net::{AddressFamily, SocketType, socket};

use super::link::{Link, Transport};
use super::values::Values;
use super::{fill, quick, seed, slow};
use crate::skip::skipped;

/// Moves the calling thread to a network namespace of its own, with a loopback interface.
fn enter_namespace() -> io::Result<()> {
    // SAFETY: concerns the calling thread alone, and no memory.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let any = socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    // SAFETY: a request of zeroes is valid; its name and flags are set below.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    // SAFETY: the request names an interface and outlives the call.
    match unsafe { libc::ioctl(any.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn narrow(bytes: &str) -> io::Result<()> {
    enter_namespace()?;
    std::fs::write("/proc/sys/net/ipv4/tcp_wmem", bytes)?;
    std::fs::write("/proc/sys/net/ipv4/tcp_rmem", bytes)
}

/// Runs `work` where sockets hold so many bytes (least, at first, most), or says that it cannot.
fn where_sockets_are_small(bytes: &'static str, work: fn()) {
    let thread = thread::spawn(move || narrow(bytes).map(|()| work()));
    match thread.join() {
        Ok(Ok(())) => {}
        Ok(Err(error)) => skipped(&format!("no network namespace: {error}")),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn quick_and_slow() {
    let (values, seed) = (Values::new(), seed());
    for shards in [1, 2] {
        let link = Link::start(&Transport::Tcp, shards, "narrow");
        fill(&link, &values);
        let quick = quick::run(&link, &values, seed);
        let slow = slow::run(&link, &values, seed);
        assert_eq!(link.streams_in_doubt(), 0);
        println!("{shards} shards: {quick} and {slow} bytes verified");
    }
}

#[test]
fn clients_of_sockets_that_hold_4_kib() {
    where_sockets_are_small("4096 4096 4096", quick_and_slow);
}

#[test]
fn clients_of_sockets_that_hold_64_kib() {
    where_sockets_are_small("4096 16384 65536", quick_and_slow);
}
