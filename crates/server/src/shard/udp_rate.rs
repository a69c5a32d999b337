//! How many bytes may be sent to a network by UDP, where the sender of a datagram can claim any address.
//!
//! A datagram of 20 bytes with the address of a victim can ask for megabytes that the victim then receives. Nothing in
//! the protocol proves the address, so the only defence is to send little: replies to a network of senders (/24 of
//! IPv4, /56 of IPv6) come out of a bucket that fills at `udp_rate` bytes a second, and a single reply is at most
//! `udp_reply_max` bytes. Loopback needs neither: the kernel drops packets from outside that claim to be from there.
//!
//! ```text
//!   network --keyed hash--> one of 4096 buckets:  | bytes left | when last filled |
//! ```
//!
//! Networks that share a bucket share its bytes, so memory is bounded whatever addresses are made up.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;

use corecached_engine::Seconds;

use crate::base::config::Config;
use crate::base::listeners::Port;

/// Buckets of a shard; together they take 32 KiB.
const BUCKETS: usize = 4096;
/// A bucket holds as much as fills in this many seconds.
const BURST_SECONDS: u64 = 2;

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: u32,
    filled: Seconds,
}

/// The buckets of one shard.
pub(super) struct UdpRate {
    hash: RandomState,
    buckets: Vec<Bucket>,
    bytes_per_second: u64,
    reply_bytes_max: usize,
}

impl UdpRate {
    /// The rate that the command line asks for. Without UDP it keeps nothing.
    pub(super) fn of(config: &Config, now: Seconds) -> UdpRate {
        let bytes_per_second = match config.udp_port {
            Port::Off => 0,
            _ => config.udp_limits.bytes_per_second,
        };
        UdpRate::new(
            bytes_per_second,
            config.udp_limits.reply_bytes_max as usize,
            now,
        )
    }

    /// Buckets that fill at `bytes_per_second`; a limit of 0 means no limit.
    fn new(bytes_per_second: u32, reply_bytes_max: usize, now: Seconds) -> UdpRate {
        let full = Bucket {
            left: burst(u64::from(bytes_per_second)),
            filled: now,
        };
        UdpRate {
            hash: RandomState::new(),
            buckets: vec![full; if bytes_per_second == 0 { 0 } else { BUCKETS }],
            bytes_per_second: u64::from(bytes_per_second),
            reply_bytes_max,
        }
    }

    /// Whether a reply of `bytes` bytes is too large to be sent to `ip` at all.
    pub(super) fn is_too_large(&self, ip: IpAddr, bytes: usize) -> bool {
        !ip.is_loopback() && self.reply_bytes_max > 0 && bytes > self.reply_bytes_max
    }

    /// Takes `bytes` out of the bucket of `ip`; returns `false`, and takes nothing, if the bucket has fewer.
    pub(super) fn take(&mut self, ip: IpAddr, bytes: usize, now: Seconds) -> bool {
        if self.bytes_per_second == 0 || ip.is_loopback() {
            return true;
        }
        let bucket = &mut self.buckets[self.hash.hash_one(network(ip)) as usize % BUCKETS];
        let seconds = u64::from(now.0.saturating_sub(bucket.filled.0));
        let filled = u64::from(bucket.left).saturating_add(seconds * self.bytes_per_second);
        bucket.filled = now;
        bucket.left = filled.min(u64::from(burst(self.bytes_per_second))) as u32;
        match u32::try_from(bytes)
            .ok()
            .and_then(|bytes| bucket.left.checked_sub(bytes))
        {
            Some(left) => {
                bucket.left = left;
                true
            }
            None => false,
        }
    }
}

fn burst(bytes_per_second: u64) -> u32 {
    u32::try_from(bytes_per_second * BURST_SECONDS).unwrap_or(u32::MAX)
}

/// The part of an address that usually belongs to one owner as a whole.
fn network(ip: IpAddr) -> u64 {
    match ip.to_canonical() {
        IpAddr::V4(ip) => u64::from(ip.to_bits() >> 8),
        // The highest bit keeps IPv6 networks apart from IPv4 networks.
        IpAddr::V6(ip) => 1 << 63 | (ip.to_bits() >> 72) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_bucket_runs_dry_and_fills_again() {
        let mut rate = UdpRate::new(1000, 0, Seconds(10));
        let victim = ip("192.0.2.7");
        assert!(rate.take(victim, 1500, Seconds(10)));
        assert!(rate.take(victim, 500, Seconds(10)));
        assert!(!rate.take(victim, 1, Seconds(10)));
        // The whole network has one bucket.
        assert!(!rate.take(ip("192.0.2.200"), 1, Seconds(10)));
        assert!(rate.take(victim, 1000, Seconds(11)));
        assert!(!rate.take(victim, 1, Seconds(11)));
        // However long the bucket was left alone, it holds two seconds' worth.
        assert!(!rate.take(victim, 2001, Seconds(100_000)));
        assert!(rate.take(victim, 2000, Seconds(100_000)));
    }

    #[test]
    fn what_is_asked_of_one_network_is_left_to_another() {
        let mut rate = UdpRate::new(10, 0, Seconds(0));
        assert!(rate.take(ip("2001:db8::1"), 20, Seconds(0)));
        assert!(!rate.take(ip("2001:db8:0:ff::1"), 20, Seconds(0)));
        // Of many networks, most have buckets of their own.
        let others = (0..200_u32).filter(|&n| {
            let other = IpAddr::from(std::net::Ipv4Addr::from_bits(0x0a00_0001 + (n << 8)));
            rate.take(other, 20, Seconds(0))
        });
        assert!(others.count() > 150);
    }

    #[test]
    fn loopback_and_no_limit_are_free() {
        let mut rate = UdpRate::new(10, 5, Seconds(0));
        for local in ["127.0.0.1", "::1"] {
            assert!(rate.take(ip(local), 1 << 30, Seconds(0)));
            assert!(!rate.is_too_large(ip(local), 1 << 30));
        }
        assert!(rate.is_too_large(ip("192.0.2.1"), 6));
        assert!(!rate.is_too_large(ip("192.0.2.1"), 5));
        let mut unlimited = UdpRate::new(0, 0, Seconds(0));
        assert!(unlimited.take(ip("192.0.2.1"), 1 << 30, Seconds(0)));
        assert!(!unlimited.is_too_large(ip("192.0.2.1"), 1 << 30));
    }
}
