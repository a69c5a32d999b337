//! The program that lets a client choose its shard: the index of the socket is the client's source port modulo the
//! shards.
//!
//! Linux gives connecting clients even ports first, so the ordinary port must not do this: with two shards all
//! connections would land on one. Here the client binds its own port.

use std::io;
use std::os::fd::AsRawFd;

use super::group::Group;

/// Offsets from this number on are counted from the network header (linux/filter.h: SKF_NET_OFF).
const NETWORK_HEADER: u32 = (-0x10_0000_i32) as u32;
/// Bytes of an IPv4 header without options, and of an IPv6 header; the source port follows. Options on a SYN are as
/// good as extinct. With options, the client would land on another shard, which serves it as well.
const IPV4_HEADER_BYTES: u32 = 20;
const IPV6_HEADER_BYTES: u32 = 40;

/// Attaches the program to the sockets of `group`, which already listen.
pub(super) fn attach(group: &Group, shards: usize) -> io::Result<()> {
    let (Some(address), Some(socket)) = (group.address, group.sockets.first()) else {
        return Ok(());
    };
    let header_bytes = if address.is_ipv4() {
        IPV4_HEADER_BYTES
    } else {
        IPV6_HEADER_BYTES
    };
    let mut program = program(header_bytes, shards as u32);
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: `filter` and the instructions that it points to live through the call, and the length in `filter` is
    // theirs; the kernel copies them, and checks the program before it accepts it.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            (&raw const filter).cast(),
            size_of_val(&filter) as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The program: load the source port, take the remainder, return it.
fn program(header_bytes: u32, shards: u32) -> [libc::sock_filter; 3] {
    let instruction = |code: u32, k| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k,
    };
    [
        instruction(
            libc::BPF_LD | libc::BPF_H | libc::BPF_ABS,
            NETWORK_HEADER.wrapping_add(header_bytes),
        ),
        instruction(libc::BPF_ALU | libc::BPF_MOD | libc::BPF_K, shards),
        instruction(libc::BPF_RET | libc::BPF_A, 0),
    ]
}
