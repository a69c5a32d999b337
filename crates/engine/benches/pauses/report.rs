//! Times and work of all calls, and the tables that show them.

use std::collections::HashMap;
use std::hint::black_box;

use corecached_engine::Engine;
use hdrhistogram::Histogram;

use crate::run::Meter;

/// The time in nanoseconds that no call should exceed.
const GOAL_NS: u64 = 100_000;
/// Calls longer than this are remembered one by one.
const SLOW_NS: u64 = 40_000;
/// Columns of the histogram: below 1 us, 1 to 2, 2 to 4, ..., from 2^(BUCKETS - 2) on.
const BUCKETS: usize = 12;
/// Calls with so many units of work show how long a unit takes.
const MUCH_WORK: u64 = 64;
/// One call in so many is followed by a control: a call without the engine, of either kind in turn.
const CONTROL_EVERY: u64 = 4;
const CONTROLS: [&str; 2] = ["control: arithmetic", "control: memory"];
/// Each of the two controls takes some 1 us: rounds of arithmetic, and reads of memory, each of which gives the place
/// of the next.
const ROUNDS: usize = 400;
const READS: usize = 4;
/// Bytes of memory that the control reads for each item of the engine.
const BYTES_PER_ITEM: usize = 4;

fn clock(id: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the clock writes to a timespec of ours.
    unsafe { libc::clock_gettime(id, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The page faults and switches of this thread so far.
#[derive(Clone, Copy)]
struct Disturbances {
    faults: i64,
    switches: i64,
}

impl Disturbances {
    fn now() -> Self {
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: the kernel writes to a structure of ours, of which every bit pattern is a value.
        let usage = unsafe {
            libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr());
            usage.assume_init()
        };
        Self {
            faults: usage.ru_minflt + usage.ru_majflt,
            switches: usage.ru_nvcsw + usage.ru_nivcsw,
        }
    }
}

/// The measurements of a call.
#[derive(Clone, Copy)]
struct Sample {
    wall: u64,
    cpu: u64,
    work: u64,
    faults: i64,
    switches: i64,
}

impl Sample {
    /// Takes the time of a call.
    fn take<T>(call: impl FnOnce() -> T) -> (Self, T) {
        let before = Disturbances::now();
        let cpu = clock(libc::CLOCK_THREAD_CPUTIME_ID);
        let wall = clock(libc::CLOCK_MONOTONIC);
        let result = call();
        let wall = clock(libc::CLOCK_MONOTONIC) - wall;
        let cpu = clock(libc::CLOCK_THREAD_CPUTIME_ID) - cpu;
        let after = Disturbances::now();
        let sample = Self {
            wall,
            cpu,
            work: 0,
            faults: after.faults - before.faults,
            switches: after.switches - before.switches,
        };
        (sample, result)
    }
}

/// All calls of one kind.
struct Kind {
    name: &'static str,
    wall: Histogram<u64>,
    cpu: Histogram<u64>,
    /// Nanoseconds for a unit of work, of calls that did much.
    unit: Histogram<u64>,
    buckets: Buckets,
    calls: u64,
    cpu_sum: u64,
    work_max: u64,
    /// Work of the call that took most CPU.
    work_of_longest: u64,
    over: Over,
    /// Calls that were slow in every run so far, with their shortest CPU time.
    slow: HashMap<u64, u64>,
    slow_before: Option<HashMap<u64, u64>>,
}

/// Calls that took longer than the goal.
#[derive(Clone, Copy, Default)]
struct Over {
    all: u64,
    /// With a page fault in them.
    faulted: u64,
    /// With another thread on the CPU meanwhile, and without a page fault.
    switched: u64,
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
pub(crate) struct Calls {
    kinds: Vec<Kind>,
    controls: [Kind; 2],
    /// The memory that the control reads at random.
    memory: Vec<u64>,
    random: u64,
    calls: u64,
}

impl Meter for Calls {
    fn call<T>(
        &mut self,
        name: &'static str,
        engine: &mut Engine,
        call: impl FnOnce(&mut Engine) -> T,
    ) -> T {
        let before = engine.stats();
        let (mut sample, result) = Sample::take(|| call(engine));
        let after = engine.stats();
        sample.work = after.work - before.work;
        self.kind(name).note(sample);
        self.calls += 1;
        if self.calls.is_multiple_of(CONTROL_EVERY) {
            self.control((self.calls / CONTROL_EVERY).is_multiple_of(2));
        }
        result
    }
}

fn xorshift(mut state: u64) -> u64 {
    state ^= state << 13;
    state ^= state >> 7;
    state ^ state << 17
}

impl Kind {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            wall: Histogram::new(3).unwrap(),
            cpu: Histogram::new(3).unwrap(),
            unit: Histogram::new(3).unwrap(),
            buckets: Buckets::default(),
            calls: 0,
            cpu_sum: 0,
            work_max: 0,
            work_of_longest: 0,
            over: Over::default(),
            slow: HashMap::new(),
            slow_before: None,
        }
    }

    fn note(&mut self, sample: Sample) {
        let Sample {
            wall, cpu, work, ..
        } = sample;
        if cpu > self.cpu.max() {
            self.work_of_longest = work;
        }
        self.work_max = self.work_max.max(work);
        self.cpu_sum += cpu;
        self.wall.record(wall).unwrap();
        self.cpu.record(cpu).unwrap();
        self.buckets.wall[bucket(wall)] += 1;
        self.buckets.cpu[bucket(cpu)] += 1;
        if work >= MUCH_WORK {
            self.unit.record(cpu / work).unwrap();
        }
        if cpu > GOAL_NS {
            self.over.all += 1;
            self.over.faulted += u64::from(sample.faults > 0);
            self.over.switched += u64::from(sample.faults == 0 && sample.switches > 0);
        }
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

    /// The longest time of a call that was slow in every run, and how many of them were longer than the goal.
    fn in_every_run(&self) -> (Option<u64>, usize) {
        let slow = self.slow_before.iter().flat_map(HashMap::values).copied();
        (
            slow.clone().max(),
            slow.filter(|&cpu| cpu > GOAL_NS).count(),
        )
    }

    fn print(&self) {
        let us = |ns: u64| ns as f64 / 1e3;
        let (every, over_in_every) = self.in_every_run();
        let every = every.map_or("< 40".into(), |ns| format!("{:.1}", us(ns)));
        let Over {
            all,
            faulted,
            switched,
        } = self.over;
        let unit = if self.unit.is_empty() {
            String::new()
        } else {
            let at = |quantile| self.unit.value_at_quantile(quantile);
            format!("{} / {}", at(0.5), at(0.999))
        };
        println!(
            "| {} | {} | {:.2} | {:.1} | {:.1} | {:.1} | {every} | {all} = {faulted} + {switched} + {} | {over_in_every} | {} | {} | {unit} |",
            self.name,
            self.cpu.len(),
            us(self.cpu.value_at_quantile(0.5)),
            us(self.cpu.value_at_quantile(0.9999)),
            us(self.wall.max()),
            us(self.cpu.max()),
            all - faulted - switched,
            self.work_max,
            self.work_of_longest,
        );
    }

    fn end_run(&mut self) {
        self.slow_before = Some(std::mem::take(&mut self.slow));
        self.calls = 0;
    }
}

impl Calls {
    /// No calls yet, in runs with so many items.
    pub(crate) fn new(items: u64) -> Self {
        let words = items as usize * BYTES_PER_ITEM / size_of::<u64>();
        Self {
            kinds: Vec::new(),
            controls: CONTROLS.map(Kind::new),
            memory: (0..words as u64).map(|word| xorshift(word + 1)).collect(),
            random: 1,
            calls: 0,
        }
    }

    /// A control: it takes the time of a short call, but does not call the engine.
    fn control(&mut self, reads: bool) {
        let (memory, random) = (&self.memory, self.random);
        let (sample, random) = Sample::take(|| {
            if reads {
                (0..READS).fold(random, |random, _| {
                    xorshift(random ^ memory[(random % memory.len() as u64) as usize])
                })
            } else {
                (0..ROUNDS).fold(black_box(random), |random, _| xorshift(random))
            }
        });
        self.random = random | 1;
        self.controls[usize::from(reads)].note(sample);
    }

    fn kind(&mut self, name: &'static str) -> &mut Kind {
        let at = self.kinds.iter().position(|kind| kind.name == name);
        let at = at.unwrap_or_else(|| {
            self.kinds.push(Kind::new(name));
            self.kinds.len() - 1
        });
        &mut self.kinds[at]
    }

    /// Ends a run. The calls of the next run are compared with those of this run.
    pub(crate) fn end_run(&mut self) {
        for kind in &mut self.kinds {
            kind.end_run();
        }
        self.controls.iter_mut().for_each(Kind::end_run);
    }

    /// Two tables in Markdown: the longest calls of each kind, and how many calls took how long.
    pub(crate) fn report(&self) {
        println!(
            "\n| microseconds | calls | p50 | p99.99 | longest, wall | longest, CPU | in every run | over 100 = page faults + switched + neither | in every run | most work | work of the longest | ns a unit, p50 / p99.9 |"
        );
        println!("| {} |", ["---"; 12].join(" | "));
        for kind in self.kinds.iter().chain(&self.controls) {
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
        for control in &self.controls {
            print_row(control.name, &control.buckets.cpu);
        }
        self.print_controls();
    }

    /// Prints the times of the controls, which show the pauses of the machine.
    fn print_controls(&self) {
        let seconds = |kind: &Kind| kind.cpu_sum as f64 / 1e9;
        let engine: f64 = self.kinds.iter().map(seconds).sum();
        let over: u64 = self.kinds.iter().map(|kind| kind.over.all).sum();
        let every: usize = self.kinds.iter().map(|kind| kind.in_every_run().1).sum();
        println!(
            "\n{over} calls of the engine were longer than 100 us of CPU in {engine:.0} s, {every} of them in every run."
        );
        for control in &self.controls {
            println!(
                "{}: {} in {:.0} s, which would be {:.0} in the time of the engine's.",
                control.name,
                control.over.all,
                seconds(control),
                control.over.all as f64 / seconds(control) * engine,
            );
        }
        println!(
            "A call that is long only by the wall's clock was interrupted; one that is not long in every run was, by what the thread's clock does not see."
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
