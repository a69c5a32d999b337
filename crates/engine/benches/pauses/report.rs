//! Times and work of all calls, and how they are shown.

use std::collections::HashMap;

use corecached_engine::Engine;
use hdrhistogram::Histogram;

use crate::run::Meter;

/// Calls longer than this are remembered one by one.
const SLOW_NS: u64 = 40_000;
/// Columns of the histogram: below 1 us, 1 to 2, 2 to 4, ..., from 2^(BUCKETS - 2) on.
const BUCKETS: usize = 12;

fn clock(id: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the clock writes to a timespec of ours.
    unsafe { libc::clock_gettime(id, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// All calls of one kind.
struct Kind {
    name: &'static str,
    wall: Histogram<u64>,
    cpu: Histogram<u64>,
    buckets: Buckets,
    calls: u64,
    work_max: u64,
    /// Work of the call that took most CPU.
    work_of_longest: u64,
    /// Calls that were slow in every run so far, with their shortest CPU time.
    slow: HashMap<u64, u64>,
    slow_before: Option<HashMap<u64, u64>>,
}

/// Numbers of calls by powers of two of microseconds.
#[derive(Clone, Copy, Default)]
struct Buckets {
    wall: [u64; BUCKETS],
    cpu: [u64; BUCKETS],
}

fn bucket(ns: u64) -> usize {
    let us = ns / 1000;
    (u64::BITS - us.leading_zeros()).min(BUCKETS as u32 - 1) as usize
}

/// All kinds of calls, in the order of their first ones, over all runs.
#[derive(Default)]
pub(crate) struct Calls {
    kinds: Vec<Kind>,
}

impl Meter for Calls {
    fn call<T>(
        &mut self,
        name: &'static str,
        engine: &mut Engine,
        call: impl FnOnce(&mut Engine) -> T,
    ) -> T {
        let work = engine.stats().work;
        let cpu = clock(libc::CLOCK_THREAD_CPUTIME_ID);
        let wall = clock(libc::CLOCK_MONOTONIC);
        let result = call(engine);
        let wall = clock(libc::CLOCK_MONOTONIC) - wall;
        let cpu = clock(libc::CLOCK_THREAD_CPUTIME_ID) - cpu;
        self.kind(name).note(wall, cpu, engine.stats().work - work);
        result
    }
}

impl Kind {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            wall: Histogram::new(3).unwrap(),
            cpu: Histogram::new(3).unwrap(),
            buckets: Buckets::default(),
            calls: 0,
            work_max: 0,
            work_of_longest: 0,
            slow: HashMap::new(),
            slow_before: None,
        }
    }

    fn note(&mut self, wall: u64, cpu: u64, work: u64) {
        if cpu > self.cpu.max() {
            self.work_of_longest = work;
        }
        self.work_max = self.work_max.max(work);
        self.wall.record(wall).unwrap();
        self.cpu.record(cpu).unwrap();
        self.buckets.wall[bucket(wall)] += 1;
        self.buckets.cpu[bucket(cpu)] += 1;
        if cpu > SLOW_NS {
            let before = match &self.slow_before {
                Some(before) => before.get(&self.calls).copied(),
                None => Some(cpu),
            };
            if let Some(before) = before {
                self.slow.insert(self.calls, before.min(cpu));
            }
        }
        self.calls += 1;
    }

    fn print(&self) {
        let us = |ns: u64| ns as f64 / 1e3;
        let every = self.slow_before.iter().flat_map(HashMap::values).max();
        println!(
            "| {} | {} | {:.2} | {:.1} | {:.1} | {:.1} | {} | {} | {} |",
            self.name,
            self.cpu.len(),
            us(self.cpu.value_at_quantile(0.5)),
            us(self.cpu.value_at_quantile(0.9999)),
            us(self.wall.max()),
            us(self.cpu.max()),
            every.map_or("< 40".into(), |&ns| format!("{:.1}", us(ns))),
            self.work_max,
            self.work_of_longest,
        );
    }
}

impl Calls {
    fn kind(&mut self, name: &'static str) -> &mut Kind {
        let at = self.kinds.iter().position(|kind| kind.name == name);
        let at = at.unwrap_or_else(|| {
            self.kinds.push(Kind::new(name));
            self.kinds.len() - 1
        });
        &mut self.kinds[at]
    }

    /// Calls of the next run are compared with those of this one.
    pub(crate) fn end_run(&mut self) {
        for kind in &mut self.kinds {
            kind.slow_before = Some(std::mem::take(&mut kind.slow));
            kind.calls = 0;
        }
    }

    /// Two tables in Markdown: the longest calls of each kind, and how many calls took how long.
    pub(crate) fn report(&self) {
        println!(
            "\n| microseconds | calls | p50 | p99.99 | longest, wall | longest, CPU | in every run | most work | work of the longest |"
        );
        println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
        for kind in &self.kinds {
            kind.print();
        }
        println!("\nCalls by their time in microseconds.\n");
        let bounds: String = (0..BUCKETS)
            .map(|bucket| match bucket {
                0 => " < 1 |".to_owned(),
                last if last == BUCKETS - 1 => format!(" {}- |", 1 << (last - 1)),
                _ => format!(" {}-{} |", 1 << (bucket - 1), 1 << bucket),
            })
            .collect();
        println!("| CPU |{bounds}\n| --- |{}", " --- |".repeat(BUCKETS));
        let mut all = Buckets::default();
        for kind in &self.kinds {
            print_row(kind.name, &kind.buckets.cpu);
            for bucket in 0..BUCKETS {
                all.cpu[bucket] += kind.buckets.cpu[bucket];
                all.wall[bucket] += kind.buckets.wall[bucket];
            }
        }
        print_row("**all, CPU**", &all.cpu);
        print_row("**all, wall**", &all.wall);
        println!(
            "\nA call that is long only by the wall's clock was interrupted; one that is not long in every run was, by what the thread's clock does not see."
        );
    }
}

fn print_row(name: &str, buckets: &[u64; BUCKETS]) {
    let cells: String = buckets
        .iter()
        .map(|&calls| {
            if calls == 0 {
                " |".to_owned()
            } else {
                format!(" {calls} |")
            }
        })
        .collect();
    println!("| {name} |{cells}");
}
