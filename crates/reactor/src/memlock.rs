//! How much locked memory io_uring takes: rings, and buffers that are registered with them. Recent kernels (6.13) count
//! it against RLIMIT_MEMLOCK, for all processes of a user together, unless the process has CAP_IPC_LOCK.

use std::io;

use crate::config::ReactorConfig;
use crate::release::KernelRelease;

/// Entries of each of the rings of a shard's glommio executor, which serve timers and the eventfd only.
pub(crate) const EXECUTOR_RING_ENTRIES: usize = 64;
/// Bytes that an executor sets aside for registered buffers. The data path here does not use them, so this is as little
/// as glommio accepts.
pub(crate) const EXECUTOR_BUFFER_BYTES: usize = 64 * 1024;

/// Glommio does not start an executor below this limit.
pub(crate) const EXECUTOR_BYTES_MIN: u64 = 512 * 1024;
/// Rings of an executor: main, latency, poll. Each registers the buffers.
const EXECUTOR_RINGS: u64 = 3;
/// Rings that are made to look at the kernel, by this crate and by glommio: the kernel takes them down late.
const PROBE_RINGS: u64 = 2;
/// Bytes of a submission, a completion, and a buffer of a ring.
const SUBMISSION_BYTES: u64 = 64;
const COMPLETION_BYTES: u64 = 16;
const BUFFER_BYTES: u64 = 16;
/// Bytes of a ring's heads, tails and flags; an index of 4 bytes for each submission follows in older set-ups.
const HEADER_BYTES: u64 = 256;
const INDEX_BYTES: u64 = 4;

/// The limits of locked memory that are in force, soft and hard.
pub(crate) fn limit() -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: writes to a live `rlimit`.
    match unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) } {
        0 => Ok(limit),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The bytes of a ring.
fn ring_bytes(entries: u64, completions: u64, page_bytes: u64) -> u64 {
    let rest = HEADER_BYTES + completions * COMPLETION_BYTES + entries * INDEX_BYTES;
    (entries * SUBMISSION_BYTES).next_multiple_of(page_bytes) + rest.next_multiple_of(page_bytes)
}

/// The bytes that the rings of `shards` shards take, without any room.
fn bytes_of_shards(shards: usize, config: &ReactorConfig, page_bytes: u64) -> u64 {
    let page = |bytes: u64| bytes.next_multiple_of(page_bytes);
    let ring = |entries, completions| ring_bytes(entries, completions, page_bytes);
    let executor_entries = EXECUTOR_RING_ENTRIES as u64;
    let executor_ring =
        ring(executor_entries, 2 * executor_entries) + page(EXECUTOR_BUFFER_BYTES as u64);
    let shard = EXECUTOR_RINGS * executor_ring
        + ring(config.entries.into(), config.completion_entries.into())
        + page(u64::from(config.buffers) * BUFFER_BYTES)
        + page(u64::from(config.datagram_buffers) * BUFFER_BYTES);
    shards as u64 * shard
}

/// The bytes that a kernel of this release counts when the rings of `shards` shards are made.
pub(crate) fn bytes_locked(
    release: KernelRelease,
    shards: usize,
    config: &ReactorConfig,
    page_bytes: u64,
) -> u64 {
    match release >= KernelRelease::COUNTS_RINGS {
        true => bytes_of_shards(shards, config, page_bytes),
        false => shards as u64 * EXECUTOR_RINGS * EXECUTOR_BUFFER_BYTES as u64,
    }
}

/// The limit of locked memory, in bytes, that suffices for `shards` shards on a system with pages of `page_bytes`.
pub(crate) fn bytes_needed(shards: usize, config: &ReactorConfig, page_bytes: u64) -> u64 {
    let probes = PROBE_RINGS * ring_bytes(8, 16, page_bytes);
    let all = probes + bytes_of_shards(shards, config, page_bytes);
    // A round figure, which is easily typed and leaves some room.
    (all + all / 16)
        .next_multiple_of(64 * 1024)
        .max(EXECUTOR_BYTES_MIN)
}

/// The bytes that a kernel of this release counts against the limit, for a process without CAP_IPC_LOCK.
pub(crate) fn bytes_counted(
    release: KernelRelease,
    shards: usize,
    config: &ReactorConfig,
    page_bytes: u64,
) -> u64 {
    match release >= KernelRelease::COUNTS_RINGS {
        true => bytes_needed(shards, config, page_bytes),
        false => bytes_locked(release, shards, config, page_bytes).max(EXECUTOR_BYTES_MIN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_add_up_above_what_one_executor_asks_for() {
        let needed = |shards| bytes_needed(shards, &ReactorConfig::default(), 4096);
        assert_eq!(needed(1), EXECUTOR_BYTES_MIN);
        assert!(needed(8) - needed(4) >= 4 * 350 * 1024);
        assert!(bytes_needed(4, &ReactorConfig::default(), 65_536) > needed(4));
    }

    #[test]
    fn older_kernels_count_less() {
        let counted = |minor| {
            bytes_counted(
                KernelRelease::new(6, minor),
                9,
                &ReactorConfig::default(),
                4096,
            )
        };
        assert_eq!(
            counted(13),
            bytes_needed(9, &ReactorConfig::default(), 4096)
        );
        assert_eq!(counted(12), 9 * 3 * 64 * 1024);
        let one = bytes_counted(KernelRelease::MINIMUM, 1, &ReactorConfig::default(), 4096);
        assert_eq!(one, EXECUTOR_BYTES_MIN);
    }
}
