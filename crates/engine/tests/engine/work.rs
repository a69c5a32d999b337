//! No call does much work, of whatever kind it is and however large the cache. This is the run of `benches/pauses`,
//! with bounds on the engine's own count of work instead of times, which the noise of a machine does not change.

use std::collections::HashMap;

use corecached_engine::Engine;

use crate::run::{Meter, Run};

const ITEMS: u64 = 200_000;
/// Most units of work of one call. In a cache of 50,000,000 items a unit is 300 to 600 ns, and the goal 100 us: most
/// calls end at 110 units.
const WORK_MAX: u64 = 200;
/// Most units of work of one call that goes through memory in its order: a unit is 100 to 200 ns there.
const SWEEP_WORK_MAX: u64 = 260;
const SWEEPS: [&str; 3] = ["reap", "sweep, a part dead", "sweep, all flushed"];
/// Calls that may empty a page at once, for want of another one.
const PAGE_WAITS_MAX: u64 = 10;

/// The most work of any call, by kind.
#[derive(Default)]
struct Works {
    most: HashMap<&'static str, u64>,
    /// Calls that have emptied a page at once, by kind.
    page_waits: HashMap<&'static str, u64>,
}

impl Meter for Works {
    fn call<T>(
        &mut self,
        name: &'static str,
        engine: &mut Engine,
        call: impl FnOnce(&mut Engine) -> T,
    ) -> T {
        let before = engine.stats();
        let result = call(engine);
        let after = engine.stats();
        if after.page_waits > before.page_waits {
            *self.page_waits.entry(name).or_default() += 1;
        } else {
            let most = self.most.entry(name).or_default();
            *most = (*most).max(after.work - before.work);
        }
        result
    }
}

#[test]
fn no_call_does_much_work() {
    // Pages as a cache of this size has them, and as a large cache has them.
    check(64 << 10);
    check(256 << 10);
}

fn check(page_bytes: usize) {
    let mut works = Works::default();
    let mut run = Run::new(ITEMS, Some(page_bytes), &mut works);
    run.all();
    run.engine.check_integrity();
    let mut most: Vec<(&str, u64)> = works.most.into_iter().collect();
    most.sort_by_key(|&(_, work)| std::cmp::Reverse(work));
    println!(
        "pages of {page_bytes} bytes: {most:?}, waits for a page: {:?}",
        works.page_waits
    );
    for (name, work) in most {
        let max = if SWEEPS.contains(&name) {
            SWEEP_WORK_MAX
        } else {
            WORK_MAX
        };
        assert!(work <= max, "{name}: {work} units of work in one call");
    }
    let waits: u64 = works.page_waits.values().sum();
    assert!(waits <= PAGE_WAITS_MAX, "{waits} calls waited for a page");
}
