//! The allocator of the server, which remembers where it was called from, and the thread that tells of it.

use std::backtrace::Backtrace;
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use corecached_testing::TellingAllocator;

/// Places that are told of when the test fails.
const PLACES_MAX: usize = 14;
/// Frames of each.
const FRAMES_MAX: usize = 7;
/// Allocations whose place is looked at; later ones count as the server's own.
const TRACES_MAX: usize = 2000;

static TRACES: AtomicBool = AtomicBool::new(false);
/// Allocations since tracing began.
static TRACED: AtomicUsize = AtomicUsize::new(0);
static PLACES: Mutex<Vec<Backtrace>> = Mutex::new(Vec::new());

thread_local! {
    /// Whether this thread's allocations do not count: those of the test itself.
    static UNCOUNTED: Cell<bool> = const { Cell::new(false) };
}

/// How places in glommio begin.
const RUNTIME: &str = "glommio-";

#[global_allocator]
static ALLOCATOR: TellingAllocator = TellingAllocator::new(note);

/// Remembers the place of an allocation, while somebody asks. What this allocates itself is not counted.
fn note() {
    if !TRACES.load(Ordering::Relaxed) || UNCOUNTED.get() {
        return;
    }
    if TRACED.fetch_add(1, Ordering::Relaxed) < TRACES_MAX {
        UNCOUNTED.set(true);
        // Names are looked up when they are asked for.
        let place = Backtrace::force_capture();
        PLACES
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(place);
        UNCOUNTED.set(false);
    }
}

/// In the server: "trace" begins to look where it allocates; any other line ends that and asks what was found.
pub(crate) fn answer_questions() {
    UNCOUNTED.set(true);
    for line in std::io::stdin().lines().map_while(Result::ok) {
        TRACES.store(line == "trace", Ordering::SeqCst);
        let found = std::mem::take(&mut *PLACES.lock().unwrap_or_else(PoisonError::into_inner));
        let unseen = TRACED.swap(0, Ordering::SeqCst).saturating_sub(found.len());
        let ours: Vec<String> = found
            .iter()
            .map(|place| frames(&place.to_string()))
            .filter(|place| !place.starts_with(RUNTIME))
            .collect();
        let text = common_places(&ours);
        println!("{} {}", ours.len() + unseen, text.lines().count());
        print!("{text}");
    }
}

/// The first frame that is neither the allocator's nor of the collections that grow, and those that led there.
fn frames(place: &str) -> String {
    let lines = place
        .lines()
        .filter_map(|line| line.trim().strip_prefix("at "));
    let ours = lines.filter(|line| line.contains("/src/") && !line.contains("/rustc/"));
    let ours = ours.filter(|line| !line.contains("/smallvec-"));
    let ours: Vec<&str> = ours.take(FRAMES_MAX).map(from_crate).collect();
    ours.join("\n      ")
}

/// The places that allocated most often.
fn common_places(found: &[String]) -> String {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for place in found {
        *counts.entry(place).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    let shown = counts.iter().take(PLACES_MAX);
    shown
        .map(|(place, count)| format!("  {count} times\n      {place}\n"))
        .collect()
}

/// A place from the name of its crate on.
fn from_crate(place: &str) -> &str {
    let before = place.rfind("/src/").map_or("", |end| &place[..end]);
    &place[before.rfind('/').map_or(0, |slash| slash + 1)..]
}
