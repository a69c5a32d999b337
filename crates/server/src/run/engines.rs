//! Makes the shards' engines: empty, or as an earlier process left them in the file of `-e`.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::{self, ScopedJoinHandle};

use corecached_engine::{Budget, Engine, EngineConfig, KeyHasher};
use tracing::info;

use crate::base::clock::Clock;
use crate::base::config::{Config, SHARD_BYTES_MAX};
use crate::error::StartError;
use crate::ids::ShardId;
use crate::memory::give::reserve_bytes;
use crate::memory_file::{self, Owners, RestartFiles, Saved};
use crate::shared::Shared;

/// `cache_memlimit` may raise the limit by up to this factor before the file of `-e` has no room.
const FILE_ROOM: u64 = 4;
/// Fewest bytes of a shard's part of that file.
const FILE_SEGMENT_BYTES_MIN: u64 = 256 << 20;
/// Fewest bytes of address space that a shard is tried with where there is little.
const SEGMENT_BYTES_MIN: u64 = 16 << 20;
/// Bytes of address space that are left for what the whole process needs besides.
const PROCESS_ROOM_BYTES: usize = 16 << 20;
/// The same for each shard: a sum.
const SHARD_ROOM_BYTES: usize = (2 << 20) // stack of its thread
    + (2 << 20) // stack of glommio's
    + (4 << 20); // rings, buffers, tables

/// The engines of all shards, and the objects that they need.
pub(crate) struct Engines {
    /// The engines, by shard.
    pub(crate) engines: Vec<Engine>,
    /// The memory limit that they share.
    pub(crate) budget: Arc<Budget>,
    /// The hash of keys.
    pub(crate) hasher: KeyHasher,
    /// The clock that deadlines are measured by.
    pub(crate) clock: Clock,
    /// The file of `-e`, open until the end.
    pub(crate) restart_files: Option<RestartFiles>,
}

/// Makes an engine for each shard.
///
/// # Errors
/// If memory cannot be mapped, or the file of `-e` cannot be used. It is no error if there is nothing to restore: this
/// is reported on stderr, and the cache is empty.
pub(crate) fn make(config: &Config) -> Result<Engines, StartError> {
    check_address_space(config)?;
    let Some(path) = &config.memory_file else {
        return empty(config, None);
    };
    let segment_bytes = file_segment_bytes(config.memory_limit_bytes);
    let mut files = RestartFiles::open(path, segment_bytes, &Owners::of(config)?)?;
    let restored = files
        .saved(
            config.threads,
            config.memory_limit_bytes.min(SHARD_BYTES_MAX),
        )
        .and_then(|saved| restore(config, &files, &saved));
    files.forget_saved()?;
    match restored {
        Ok(engines) => {
            let items: u64 = engines
                .engines
                .iter()
                .map(|engine| engine.stats().curr_items)
                .sum();
            info!(items, "the items of the last run are back");
            Ok(Engines {
                restart_files: Some(files),
                ..engines
            })
        }
        Err(why) => {
            // This is reported without `-v`, too: an administrator who asks for a warm restart wants to know.
            crate::process::say_warning(format_args!(
                "-e {}: the cache is empty: {why}",
                path.display()
            ));
            files.clear(config.threads)?;
            empty(config, Some(files))
        }
    }
}

fn empty(config: &Config, files: Option<RestartFiles>) -> Result<Engines, StartError> {
    let hasher = KeyHasher::new(random());
    let (engines, budget) = match &files {
        Some(files) => {
            empty_of(config, hasher, Some(files), 0).map_err(|error| files.message(&error))?
        }
        None => in_memory(config, hasher)?,
    };
    Ok(Engines {
        engines,
        budget,
        hasher,
        clock: Clock::start(),
        restart_files: files,
    })
}

type Shards = (Vec<Engine>, Arc<Budget>);

/// Engines with as much address space as a shard can use or, where there is not so much (`ulimit -v`, `ulimit -d`,
/// strict overcommit), with less of it.
fn in_memory(config: &Config, hasher: KeyHasher) -> Result<Shards, StartError> {
    let (limit_bytes, shards) = (config.memory_limit_bytes, config.threads);
    let mut refused = None;
    for segment_bytes in segment_sizes(limit_bytes) {
        let made = empty_of(config, hasher, None, segment_bytes).and_then(|made| {
            check_room(shards)?;
            Ok(made)
        });
        match made {
            Ok(made) => {
                if let Some(error) = refused {
                    say_less_space(segment_bytes, config, &error);
                }
                return Ok(made);
            }
            Err(error) => refused = Some(refused.unwrap_or(error)),
        }
    }
    let error = refused.unwrap_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory));
    Err(StartError::Memory(error))
}

/// Whether the kernel has address space for what comes after the engines: it is asked for, and given back.
fn check_room(shards: usize) -> io::Result<()> {
    let mut room = Vec::<u8>::new();
    room.try_reserve_exact(PROCESS_ROOM_BYTES + SHARD_ROOM_BYTES * shards)
        .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    // Without this the compiler may leave both out.
    std::hint::black_box(&mut room);
    Ok(())
}

fn say_less_space(segment_bytes: u64, config: &Config, error: &io::Error) {
    let (limit, all) = (
        config.memory_limit_bytes,
        segment_bytes * config.threads as u64,
    );
    let price = match segment_bytes {
        _ if all < limit => format!("so {} MiB of -m can be used", all >> 20),
        part if part < limit => {
            "so one that has more than its part of the items evicts sooner".into()
        }
        _ => "so no more can be used of a limit raised by cache_memlimit".into(),
    };
    crate::process::say_warning(format_args!(
        "warning: each shard has {} MiB of address space, {price}: the kernel refuses {} GiB ({error}); raise \
         `ulimit -v` and `ulimit -d`, or set vm.overcommit_memory to 0",
        segment_bytes >> 20,
        SHARD_BYTES_MAX >> 30,
    ));
}

/// The sizes of address space that a shard is tried with, the largest first. The first three let a shard hold all of
/// `limit_bytes`; memcached starts with less, too, and finds out later.
fn segment_sizes(limit_bytes: u64) -> Vec<u64> {
    let all = limit_bytes.max(SEGMENT_BYTES_MIN).next_power_of_two();
    let halves = std::iter::successors(Some(all), |bytes| Some(bytes / 2));
    let halves = halves.take_while(|&bytes| bytes >= SEGMENT_BYTES_MIN);
    let mut sizes = vec![SHARD_BYTES_MAX, all * FILE_ROOM];
    sizes.extend(halves);
    sizes
        .iter_mut()
        .for_each(|bytes| *bytes = SHARD_BYTES_MAX.min(*bytes));
    sizes.dedup();
    sizes
}

/// An engine for each shard, in `files` or with `segment_bytes` of address space.
fn empty_of(
    config: &Config,
    hasher: KeyHasher,
    files: Option<&RestartFiles>,
    segment_bytes: u64,
) -> io::Result<Shards> {
    let budget = Budget::new(config.memory_limit_bytes);
    let page_bytes = EngineConfig::page_bytes_for(config.memory_limit_bytes, config.threads);
    let engines = (0..config.threads).map(|shard| {
        let made = engine_config(config, shard, hasher, page_bytes, files);
        let segment_bytes = match files {
            Some(_) => made.segment_bytes,
            None => segment_bytes as usize,
        };
        let made = EngineConfig {
            segment_bytes,
            ..made
        };
        Engine::new(made, Arc::clone(&budget))
    });
    Ok((engines.collect::<io::Result<_>>()?, budget))
}

/// A random number, unknown to everybody else.
fn random() -> u64 {
    match cfg!(feature = "simulate") {
        // A simulation is determined by its seed.
        true => 42,
        false => RandomState::new().build_hasher().finish(),
    }
}

/// The engines of an earlier process, or the reason why there are none.
fn restore(config: &Config, files: &RestartFiles, saved: &Saved) -> Result<Engines, String> {
    let budget = Budget::new(config.memory_limit_bytes);
    let hasher = saved.hasher();
    let engines = for_each_shard(saved.shards.len(), |shard| {
        let config = engine_config(config, shard, hasher, saved.page_bytes, Some(files));
        Engine::restore(config, Arc::clone(&budget), &saved.shards[shard])
            .map_err(|why| why.to_string())
    });
    Ok(Engines {
        engines: engines.into_iter().collect::<Result<_, _>>()?,
        budget,
        hasher,
        clock: Clock::resume(saved.unix_origin, saved.now()),
        restart_files: None,
    })
}

/// Saves the state that [`make`] restores. The shards have ended before.
pub(crate) fn save(shared: &Shared, files: &mut RestartFiles) {
    let mark = memory_file::new_mark();
    let states = for_each_shard(shared.route.len(), |shard| {
        let mut core = shared.cores.of(ShardId(shard as u16)).try_borrow()?;
        Some((core.engine.save(mark), core.engine.page_bytes()))
    });
    let Some(states) = states.into_iter().collect::<Option<Vec<_>>>() else {
        return crate::process::say_error(
            "-e: the items cannot be saved, and the next start is empty: a shard is still running",
        );
    };
    let page_bytes = states.first().map_or(0, |&(_, page_bytes)| page_bytes);
    let shards = states.into_iter().map(|(state, _)| state).collect();
    let saved = Saved {
        now: shared.globals.clock.now().0,
        unix_origin: shared.globals.clock.unix_origin(),
        page_bytes,
        hash_seed: shared.globals.hasher.seed(),
        shards,
    };
    match files.save(&saved) {
        Ok(()) => info!("the items are saved for the next start"),
        Err(error) => {
            crate::process::say_error(format_args!(
                "-e: the items cannot be saved, and the next start is empty: {error}"
            ));
        }
    }
}

/// Does the work of all shards at the same time, since it goes through all their memory. If no more threads are
/// available, the work is done in the order of the shards.
fn for_each_shard<T: Send>(shards: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let work = &work;
    thread::scope(|scope| {
        let started: Vec<_> = (0..shards)
            .map(|shard| thread::Builder::new().spawn_scoped(scope, move || work(shard)))
            .collect();
        let finish = |(shard, thread): (usize, io::Result<ScopedJoinHandle<'_, T>>)| match thread {
            Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(_) => work(shard),
        };
        started.into_iter().enumerate().map(finish).collect()
    })
}

/// Bytes of the file of `-e` for each shard: any shard may come to hold all of the memory limit, and `cache_memlimit`
/// may raise the limit. The file has holes, but backups and quotas may go by its length. So it is shorter than all the
/// memory that a shard could ever name.
fn file_segment_bytes(limit_bytes: u64) -> u64 {
    let room = limit_bytes.saturating_mul(FILE_ROOM);
    room.clamp(FILE_SEGMENT_BYTES_MIN, SHARD_BYTES_MAX)
        .next_power_of_two()
}

/// Checks `-m`: a shard names its chunks by 32 bits, so its segment is bounded, and a larger `-m` needs more shards.
fn check_address_space(config: &Config) -> Result<(), StartError> {
    let segment_bytes = EngineConfig::default().segment_bytes as u64;
    let wanted = config.memory_limit_bytes.div_ceil(segment_bytes);
    if wanted > config.threads as u64 {
        let most = segment_bytes >> 30;
        return Err(StartError::Message(format!(
            "a shard can use {most} GiB, so this memory limit needs at least -t {wanted}"
        )));
    }
    Ok(())
}

fn engine_config(
    config: &Config,
    shard: usize,
    hasher: KeyHasher,
    page_bytes: usize,
    files: Option<&RestartFiles>,
) -> EngineConfig {
    EngineConfig {
        page_bytes,
        item_size_max: config.item_size_max as usize,
        growth_factor: config.growth_factor,
        chunk_min: config.chunk_size_min.map(|bytes| bytes as usize),
        slab_sizes: config.slab_sizes.clone(),
        chunk_max: config.slab_chunk_max as usize,
        cas_enabled: config.cas_enabled,
        evictions_enabled: config.evictions,
        cas_first: 1 + shard as u64,
        cas_step: config.threads as u64,
        hasher,
        secret: [random(), random()],
        reserve_bytes: reserve_bytes(config) as usize,
        huge_pages: config.large_pages,
        keeps_pages: config.prefault && config.threads == 1,
        segment_bytes: files.map_or(SHARD_BYTES_MAX, RestartFiles::segment_bytes) as usize,
        memory_file: files.map(|files| files.part(shard)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_space_is_tried_down_to_little() {
        const MIB: u64 = 1 << 20;
        let sizes = |limit_mib| {
            let sizes = segment_sizes(limit_mib * MIB).into_iter();
            sizes.map(|bytes| bytes / MIB).collect::<Vec<_>>()
        };
        assert_eq!(sizes(64), [32 << 10, 256, 64, 32, 16]);
        assert_eq!(sizes(100), [32 << 10, 512, 128, 64, 32, 16]);
        assert_eq!(sizes(1), [32 << 10, 64, 16]);
        let all = sizes(100 << 10);
        assert_eq!((all[0], all[1], all.len()), (32 << 10, 16 << 10, 12));
    }

    #[test]
    fn a_small_limit_makes_no_large_file() {
        const MIB: u64 = 1 << 20;
        assert_eq!(file_segment_bytes(64 * MIB), 256 * MIB);
        assert_eq!(file_segment_bytes(100 * MIB), 512 * MIB);
        assert_eq!(file_segment_bytes(1024 * MIB), 4096 * MIB);
        assert_eq!(file_segment_bytes(1 << 40), SHARD_BYTES_MAX);
        assert_eq!(
            EngineConfig::default().segment_bytes as u64,
            SHARD_BYTES_MAX
        );
    }
}
