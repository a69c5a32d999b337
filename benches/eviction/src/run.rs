//! From options to results.

use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use corecached_engine::EngineConfig;

use crate::bound::{Bound, bound};
use crate::engine::{EngineCache, ITEM_OVERHEAD_BYTES, KEY_BYTES};
use crate::memcached::Memcached;
use crate::model::{
    Arc, Cache, Clock, Lfu, Lirs, Lru, Model, Policy, S3Fifo, Segmented, Sieve, TinyLfu,
};
use crate::report;
use crate::reuse::{self, Earlier};
use crate::stream::{Op, Request, STREAMS, Spec, Stream};

/// The name of the engine's results.
pub const ENGINE: &str = "engine";
/// Part of the requests that fill the caches and are not counted.
const WARM_UP: f64 = 1.0 / 3.0;
/// Bytes of a value, to know how many items of the policies' memory there are about.
const VALUE_BYTES: u64 = 100;
/// A round of upkeep comes so often in a second.
const ROUNDS: u64 = 10;

/// Compares eviction policies on generated streams: the engine, a real memcached, and reference policies.
#[derive(Clone, Debug, Parser)]
#[command(name = "corecached-eviction", version)]
pub struct Options {
    /// Requests of each stream; the first third is not counted
    #[arg(long, default_value_t = 8_000_000)]
    pub requests: u64,
    /// Memory of memcached (-m); ours gets what that used, hash table included
    #[arg(long, default_value_t = 64)]
    pub megabytes: u64,
    /// Different keys of a stream, without those asked for once
    #[arg(long, default_value_t = 8_000_000)]
    pub universe: u64,
    /// Requests in a second of the streams' own time
    #[arg(long, default_value_t = 200_000)]
    pub rate: u64,
    /// Seed of all streams
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Only streams whose name contains this
    #[arg(long, default_value = "")]
    pub streams: String,
    /// Only columns whose name contains one of these, such as "engine|S3-FIFO|bounds"
    #[arg(long, default_value = "")]
    pub columns: String,
    /// The memcached to compare with; empty for none
    #[arg(long, default_value = "memcached")]
    pub memcached: String,
    /// A 002-eviction.csv of an earlier run with the same settings, whose memcached is taken over
    #[arg(long)]
    pub reuse: Option<PathBuf>,
    /// Leaves the reference policies out
    #[arg(long)]
    pub no_models: bool,
    /// Streams served at the same time
    #[arg(long, default_value_t = 2)]
    pub jobs: usize,
    /// Shows what `stats mrc` would say of engines of other sizes, beside such engines, and nothing else
    #[arg(long)]
    pub estimate: bool,
    /// With --estimate: a file of keys, one a line, in the order in which they are asked for
    #[arg(long)]
    pub trace: Vec<PathBuf>,
    /// Length of each value of a --trace
    #[arg(long, default_value_t = 4000)]
    pub value_bytes: u32,
    /// Small numbers, to see that everything works
    #[arg(long)]
    pub quick: bool,
    /// Directory for 002-eviction.csv and 002-eviction.svg
    #[arg(long)]
    pub output: Option<PathBuf>,
}

impl Options {
    /// Whether a cache is among those asked for.
    fn wants(&self, cache: &str) -> bool {
        self.columns.split('|').any(|part| cache.contains(part))
    }

    /// What a stream of these options has.
    fn of(&self, spec: Spec) -> Self {
        Self {
            requests: self.requests / spec.fewer,
            universe: self.universe / spec.fewer,
            rate: self.rate / spec.fewer,
            ..self.clone()
        }
    }

    /// The same with small numbers where quick ones were asked for.
    fn effective(&self) -> Self {
        if !self.quick {
            return self.clone();
        }
        Self {
            requests: self.requests.min(80_000),
            megabytes: self.megabytes.min(2),
            universe: self.universe.min(400_000),
            rate: self.rate.min(10_000),
            ..self.clone()
        }
    }
}

/// What one cache did with a stream.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Name of the cache.
    pub cache: String,
    /// Whether it is a reference policy and not a whole cache.
    pub is_model: bool,
    /// Misses in a hundred read-throughs.
    pub miss_percent: f64,
    /// Bytes of the values that missed, in a hundred bytes of all values read through.
    pub byte_miss_percent: f64,
    /// Items held at the end.
    pub items: u64,
    /// Time for all requests.
    pub taken: Duration,
}

/// A stream and what each cache did with it: memcached first if it ran, then the engine, then models.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The stream.
    pub spec: Spec,
    /// What no cache can do better, in as many bytes of items as the engine held.
    pub bound: Bound,
    /// Memory that memcached and the engine had.
    pub limit_bytes: u64,
    /// One for each cache.
    pub outcomes: Vec<Outcome>,
}

impl Comparison {
    /// What a cache with this name did.
    #[must_use]
    pub fn outcome(&self, cache: &str) -> Option<&Outcome> {
        self.outcomes.iter().find(|outcome| outcome.cache == cache)
    }

    /// The bounds by name, in a hundred read-throughs: first requests of a key, fewest misses, and those of one that
    /// knows the future.
    #[must_use]
    pub fn bounds(&self) -> [(&'static str, f64); 3] {
        let percent = |count: u64| 100.0 * count as f64 / self.bound.reads.max(1) as f64;
        [
            ("unavoidable", percent(self.bound.first)),
            ("least", percent(self.bound.least)),
            ("clairvoyant", percent(self.bound.clairvoyant)),
        ]
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    reads: u64,
    misses: u64,
    read_bytes: u64,
    missed_bytes: u64,
}

impl Counts {
    fn count(&mut self, hit: bool, bytes: u32) {
        self.reads += 1;
        self.misses += u64::from(!hit);
        self.read_bytes += u64::from(bytes);
        self.missed_bytes += u64::from(bytes) * u64::from(!hit);
    }

    fn byte_miss_percent(self) -> f64 {
        100.0 * self.missed_bytes as f64 / self.read_bytes.max(1) as f64
    }

    fn miss_percent(self) -> f64 {
        100.0 * self.misses as f64 / self.reads.max(1) as f64
    }
}

/// Runs everything, prints a table, and writes files if asked.
///
/// # Errors
///
/// memcached does not start or breaks, or a file cannot be written.
pub fn run(options: &Options) -> io::Result<()> {
    let options = options.effective();
    let comparisons = compare_all(&options)?;
    print!("{}", report::table(&comparisons));
    print!("\n{}", report::room(&comparisons));
    if let Some(directory) = &options.output {
        std::fs::write(
            directory.join("002-eviction.csv"),
            reuse::csv(&options, &comparisons),
        )?;
        crate::plot::write(&directory.join("002-eviction.svg"), &comparisons)?;
    }
    Ok(())
}

/// Every stream that was asked for, several at a time.
fn compare_all(options: &Options) -> io::Result<Vec<Comparison>> {
    let wanted: Vec<Spec> = STREAMS
        .into_iter()
        .filter(|spec| spec.name.contains(&options.streams))
        .collect();
    let earlier = match &options.reuse {
        Some(path) => Earlier::read(path, options)?,
        None => Earlier::default(),
    };
    let next = AtomicUsize::new(0);
    let done: Vec<OnceLock<io::Result<Comparison>>> =
        wanted.iter().map(|_| OnceLock::new()).collect();
    let work = || {
        while let Some((spec, place)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            wanted.get(index).zip(done.get(index))
        } {
            let comparison = compare(options, *spec, &earlier);
            if let Ok(comparison) = &comparison {
                eprintln!("{}", report::progress(comparison));
            }
            place.get_or_init(|| comparison);
        }
    };
    thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(work);
        }
    });
    done.into_iter().filter_map(OnceLock::into_inner).collect()
}

fn compare(options: &Options, spec: Spec, earlier: &Earlier) -> io::Result<Comparison> {
    let options = &options.of(spec);
    let mut outcomes = Vec::new();
    let mut limit_bytes = options.megabytes << 20;
    if !options.memcached.is_empty() && options.wants("memcached") {
        let (outcome, memory_bytes) = match earlier.memcached(spec.name) {
            Some(known) => known,
            None => run_memcached(options, spec)?,
        };
        outcomes.push(outcome);
        limit_bytes = memory_bytes;
    }
    let mut held_bytes = 0;
    if options.wants(ENGINE) {
        let mut cache = EngineCache::new(limit_bytes, EngineConfig::default())?;
        outcomes.push(drive(
            options,
            spec,
            ENGINE,
            &mut cache,
            EngineCache::upkeep,
        ));
        held_bytes = cache.engine().stats().bytes;
        if cache.refused > 0 {
            return Err(io::Error::other("the engine had no memory"));
        }
    }
    if !options.no_models {
        for (name, mut cache) in models(held_bytes) {
            if !options.wants(name) {
                continue;
            }
            let outcome = drive(options, spec, name, &mut cache, |_, _| {});
            outcomes.push(Outcome {
                is_model: true,
                ..outcome
            });
        }
    }
    let bound = if options.wants("bounds") {
        bound_of(options, spec, held_bytes)
    } else {
        Bound::default()
    };
    Ok(Comparison {
        spec,
        bound,
        limit_bytes,
        outcomes,
    })
}

/// The bounds for a cache with so many bytes of items.
fn bound_of(options: &Options, spec: Spec, bytes: u64) -> Bound {
    let requests: Vec<Request> = Stream::new(spec, options.universe, options.seed)
        .take(options.requests as usize)
        .collect();
    let warm_up = (options.requests as f64 * WARM_UP) as usize;
    let overhead = ITEM_OVERHEAD_BYTES + KEY_BYTES as u64;
    bound(&requests, warm_up, bytes, overhead)
}

/// The reference policies, with so many bytes.
fn models(bytes: u64) -> Vec<(&'static str, Box<dyn Cache>)> {
    fn boxed<P: Policy + 'static>(policy: P, bytes: u64) -> Box<dyn Cache> {
        Box::new(Model::new(policy, bytes, ITEM_OVERHEAD_BYTES))
    }
    let items = bytes / (ITEM_OVERHEAD_BYTES + KEY_BYTES as u64 + VALUE_BYTES);
    vec![
        ("segmented LRU", boxed(Segmented, bytes)),
        ("LRU", boxed(Lru, bytes)),
        ("CLOCK 2 bits", boxed(Clock, bytes)),
        ("S3-FIFO", boxed(S3Fifo::default(), bytes)),
        ("SIEVE", boxed(Sieve::default(), bytes)),
        ("ARC", boxed(Arc::default(), bytes)),
        ("LIRS", boxed(Lirs::default(), bytes)),
        ("W-TinyLFU", boxed(TinyLfu::new(items as usize), bytes)),
        ("LFU, all keys", boxed(Lfu::default(), bytes)),
    ]
}

impl Cache for Box<dyn Cache> {
    fn request(&mut self, request: &Request, now: u32) -> bool {
        (**self).request(request, now)
    }

    fn items(&self) -> u64 {
        (**self).items()
    }
}

fn drive<C: Cache>(
    options: &Options,
    spec: Spec,
    name: &str,
    cache: &mut C,
    mut upkeep: impl FnMut(&mut C, u32),
) -> Outcome {
    let start = Instant::now();
    let warm_up = (options.requests as f64 * WARM_UP) as u64;
    let mut counts = Counts::default();
    let stream = Stream::new(spec, options.universe, options.seed);
    for (number, request) in (0..options.requests).zip(stream) {
        let now = 2 + (number / options.rate) as u32;
        let hit = cache.request(&request, now);
        if number >= warm_up && request.op == Op::ReadThrough {
            counts.count(hit, request.value_bytes);
        }
        if number % (options.rate / ROUNDS) == 0 {
            upkeep(cache, now);
        }
    }
    Outcome {
        cache: name.to_owned(),
        is_model: false,
        miss_percent: counts.miss_percent(),
        byte_miss_percent: counts.byte_miss_percent(),
        items: cache.items(),
        taken: start.elapsed(),
    }
}

/// Returns also the memory it used.
fn run_memcached(options: &Options, spec: Spec) -> io::Result<(Outcome, u64)> {
    let start = Instant::now();
    let warm_up = (options.requests as f64 * WARM_UP) as u64;
    let mut memcached = Memcached::start(&options.memcached, options.megabytes)?;
    let mut counts = Counts::default();
    let stream = Stream::new(spec, options.universe, options.seed);
    for (number, request) in (0..options.requests).zip(stream) {
        if number == warm_up {
            memcached.flush(&mut |_, _| {})?;
            counts = Counts::default();
        }
        // Where items die by the clock, requests come by the clock.
        if spec.mortal > 0.0 && number.is_multiple_of(options.rate / 100) {
            let due = Duration::from_secs_f64(number as f64 / options.rate as f64);
            thread::sleep(due.saturating_sub(start.elapsed()));
        }
        memcached.request(request, &mut |request, hit| {
            counts.count(hit, request.value_bytes);
        })?;
    }
    memcached.flush(&mut |request, hit| {
        counts.count(hit, request.value_bytes);
    })?;
    let held = memcached.held()?;
    if held.refused > 0 {
        eprintln!("memcached refused {} values", held.refused);
    }
    let outcome = Outcome {
        cache: "memcached".to_owned(),
        is_model: false,
        miss_percent: counts.miss_percent(),
        byte_miss_percent: counts.byte_miss_percent(),
        items: held.items,
        taken: start.elapsed(),
    };
    Ok((outcome, held.memory_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Sizes;

    /// The engine and the S3-FIFO model, one queue over all sizes, in as many bytes of items.
    fn engine_and_model(options: &Options, spec: Spec) -> (Outcome, Outcome) {
        let options = &options.of(spec);
        let config = EngineConfig::default();
        let mut engine = EngineCache::new(options.megabytes << 20, config).unwrap();
        let ours = drive(options, spec, "engine", &mut engine, EngineCache::upkeep);
        let bytes = engine.engine().stats().bytes;
        let mut model = Model::new(S3Fifo::default(), bytes, ITEM_OVERHEAD_BYTES);
        let theirs = drive(options, spec, "model", &mut model, |_, _| {});
        println!("{}: {ours:?}, {theirs:?}", spec.name);
        (ours, theirs)
    }

    fn of_sizes(sizes: Sizes) -> impl Iterator<Item = Spec> {
        STREAMS.into_iter().filter(move |spec| spec.sizes == sizes)
    }

    /// The memory of each size has to follow what it brings: an even share of ages would be that of the model.
    #[test]
    fn of_mixed_sizes_the_engine_misses_less_than_one_queue_over_all() {
        let arguments = "eviction --requests 1200000 --megabytes 12 --universe 1500000";
        let options = Options::parse_from(arguments.split(' '));
        for spec in of_sizes(Sizes::Pareto) {
            let (ours, theirs) = engine_and_model(&options, spec);
            assert!(
                ours.miss_percent < theirs.miss_percent,
                "{}: {ours:?}, {theirs:?}",
                spec.name
            );
            assert!(
                ours.byte_miss_percent < theirs.byte_miss_percent + 4.0,
                "{}: {ours:?}, {theirs:?}",
                spec.name
            );
        }
    }

    /// Where a page holds a few values of a size, sizes have to share pages. (The engine missed 4 to 7 points more than
    /// the model when each had its own, and when chains were evicted for their last chunks.)
    #[test]
    fn of_large_sizes_the_engine_misses_about_as_much_as_one_queue_over_all() {
        let options = Options::parse_from(["eviction"]);
        for spec in of_sizes(Sizes::LogNormal).chain(of_sizes(Sizes::Uniform)) {
            let (ours, theirs) = engine_and_model(&options, spec);
            assert!(
                ours.miss_percent < theirs.miss_percent + 3.0,
                "{}: {ours:?}, {theirs:?}",
                spec.name
            );
        }
    }

    #[test]
    fn a_quick_run_compares_every_cache_on_every_stream() {
        let options = Options::parse_from(["eviction", "--quick", "--memcached", ""]).effective();
        for spec in STREAMS {
            let comparison = compare(&options, spec, &Earlier::default()).unwrap();
            assert_eq!(comparison.outcomes.len(), 1 + models(0).len());
            let [(_, first), (_, least), (_, clairvoyant)] = comparison.bounds();
            assert!(
                first <= least && least <= clairvoyant,
                "{:?}",
                comparison.bound
            );
            for outcome in &comparison.outcomes {
                assert!(
                    (5.0..98.0).contains(&outcome.miss_percent),
                    "{}: {outcome:?}",
                    spec.name
                );
                assert!(
                    outcome.items * spec.fewer > 500,
                    "{}: {outcome:?}",
                    spec.name
                );
                if spec.mortal == 0.0 {
                    assert!(outcome.miss_percent >= least, "{least}: {outcome:?}");
                }
            }
            assert!(report::table(&[comparison]).contains(spec.name));
        }
    }
}
