//! The other side of a UDP socket, as the kernel tells and takes its address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Bytes of the longest address of a peer.
pub(crate) const PEER_BYTES_MAX: usize = size_of::<libc::sockaddr_in6>();
/// Where a datagram came from, and where its reply goes.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    pub(crate) address: [u8; PEER_BYTES_MAX],
    pub(crate) length: u32,
}

impl Peer {
    pub(crate) fn new(name: &[u8]) -> Peer {
        let length = name.len().min(PEER_BYTES_MAX);
        let mut address = [0; PEER_BYTES_MAX];
        address[..length].copy_from_slice(&name[..length]);
        Peer {
            address,
            length: length as u32,
        }
    }

    /// The peer as a socket address; `None` if its family is neither IPv4 nor IPv6.
    pub fn address(&self) -> Option<SocketAddr> {
        let at = |offset: usize| [self.address[offset], self.address[offset + 1]];
        let port = u16::from_be_bytes(at(2));
        let (family, length) = (i32::from(u16::from_ne_bytes(at(0))), self.length as usize);
        let ip: IpAddr = match family {
            libc::AF_INET if length >= size_of::<libc::sockaddr_in>() => {
                Ipv4Addr::from(*self.address[4..].first_chunk::<4>()?).into()
            }
            libc::AF_INET6 if length >= size_of::<libc::sockaddr_in6>() => {
                Ipv6Addr::from(*self.address[8..].first_chunk::<16>()?).into()
            }
            _ => return None,
        };
        Some(SocketAddr::new(ip, port))
    }
}

/// A message header without pieces. With a receive, it has room for the address of a peer.
pub(crate) fn empty_header() -> libc::msghdr {
    // SAFETY: a `msghdr` of zeroes is valid: no name, no pieces, no control data.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_namelen = PEER_BYTES_MAX as libc::socklen_t;
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_of_no_known_family_have_no_address() {
        assert_eq!(Peer::new(&[]).address(), None);
        assert_eq!(Peer::new(&[1, 0, 0, 0]).address(), None);
    }
}
