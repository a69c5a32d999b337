//! Pages are emptied for another shard: idle ones for a shard that needs them more, and any for a value that lacks
//! memory.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use corecached_engine::{Engine, IDLE_FOR_EVER, Release};

use crate::base::config::Config;
use crate::ids::ShardId;
use crate::operation::access::Access;

use super::Neighbours;
use super::engine_memory::EngineMemory;

/// Time of one slice of work on memory, after which other tasks have their turn. With [`REST`] and the windows of the
/// network loop, that is an eighth of the core.
pub(crate) const SLICE: Duration = Duration::from_micros(250);
/// Time between two slices.
pub(crate) const REST: Duration = Duration::from_millis(1);
/// One in this many bytes of a shard's fair part of the memory limit is its own, which no other shard can take.
const RESERVED_SHARE: u64 = 8;

/// Chunks looked at in one call of the engine.
const PAGE_CHUNKS: usize = 128;
/// Most calls in a row that find nothing, when pages are emptied for a value that cannot do without.
const TAKE_VAIN_MAX: u32 = 3;

/// Result of taking pages from other shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageSupply {
    /// Pages were given, or one is being emptied.
    Given,
    /// All shards that might have a page are at work.
    Busy,
    /// No shard has a page that could go.
    Nothing,
}

/// Bytes of the limit at the start that no other shard can take from a shard; see `Budget::reserve_of`.
pub(crate) fn reserve_bytes(config: &Config) -> u64 {
    config.memory_limit_bytes / config.threads as u64 / RESERVED_SHARE
}

/// Bytes of a shard's idle memory, times the milliseconds for which it was idle.
pub(super) fn idle_byte_ms(memory: &EngineMemory, now_ms: u64) -> u128 {
    u128::from(memory.idle_ms(now_ms)) * u128::from(memory.bytes())
}

/// Bytes that no other shard may take from a shard.
pub(super) fn reserve_of(near: &Neighbours<'_>) -> u64 {
    let budget = &near.memory.budget;
    budget.reserve_of(reserve_bytes(&near.globals.config))
}

/// Works on emptying a page that was idle for `idle_ms` in another shard. Returns `None` if its engine cannot be
/// borrowed now.
pub(super) fn give_step(near: &Neighbours<'_>, donor: ShardId, idle_ms: u64) -> Option<Release> {
    let mut core = near.cores.of(donor).try_borrow()?;
    Some(give(near, donor, &mut core.engine, idle_ms))
}

fn give(near: &Neighbours<'_>, donor: ShardId, engine: &mut Engine, idle_ms: u64) -> Release {
    let now = near.globals.clock.now();
    // Items know only the second in which they were used, so their idle time counts from its end. Of the current
    // second, this much has passed.
    let since_second = near
        .globals
        .clock
        .now_ms()
        .saturating_sub(1000 * u64::from(now.0));
    let idle_min = match idle_ms {
        0 => 0,
        u64::MAX => IDLE_FOR_EVER,
        ms => {
            1 + u32::try_from(ms.saturating_sub(since_second).div_ceil(1000))
                .unwrap_or(IDLE_FOR_EVER - 1)
        }
    };
    let release = match engine.vitals().charged_bytes > reserve_of(near) {
        true => engine.release_idle_page(idle_min, PAGE_CHUNKS, now),
        false => Release::Nothing,
    };
    let bytes = engine.vitals().charged_bytes;
    near.memory.engine(donor).publish_bytes(bytes);
    if release == Release::Released {
        let counters = near.telemetry.of(donor.0);
        counters.pages_given.add_from_anywhere(1);
    }
    release
}

/// Empties pages of other shards, however young, for a value in the shard `needy` that lacks `bytes` and finds no
/// memory there although everything else has been evicted. It empties as many as needed, or as can be emptied in a
/// slice of time.
pub(crate) fn take_pages(
    access: &mut Access<'_>,
    near: &Neighbours<'_>,
    needy: ShardId,
    bytes: usize,
) -> PageSupply {
    let begun = Instant::now();
    let mut pages = bytes.div_ceil(access.engine.page_bytes()).max(1);
    let mut supply = PageSupply::Nothing;
    for id in by_idle_bytes(near, needy) {
        let mut vain = 0;
        while vain <= TAKE_VAIN_MAX {
            let release = match id == access.shard {
                true => Some(give(near, id, access.engine, 0)),
                false => give_step(near, id, 0),
            };
            match release {
                Some(Release::Released) => {
                    pages -= 1;
                    supply = PageSupply::Given;
                }
                Some(Release::Working) => {}
                // If a half-received value is in the way, another page is tried.
                Some(Release::Nothing) => {
                    vain += 1;
                    continue;
                }
                None if supply == PageSupply::Nothing => {
                    supply = PageSupply::Busy;
                    break;
                }
                None => break,
            }
            if pages == 0 || begun.elapsed() >= SLICE {
                return PageSupply::Given;
            }
        }
    }
    supply
}

/// The other shards, starting with the one that has most idle memory.
fn by_idle_bytes(near: &Neighbours<'_>, needy: ShardId) -> Vec<ShardId> {
    let now_ms = near.globals.clock.now_ms();
    let mut ids: Vec<ShardId> = (0..near.memory.engines.len() as u16)
        .map(ShardId)
        .filter(|&id| id != needy)
        .collect();
    ids.sort_by_cached_key(|&id| Reverse(idle_byte_ms(near.memory.engine(id), now_ms)));
    ids
}
