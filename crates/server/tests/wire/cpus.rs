//! Which CPUs shards stay on, how long their slices of these are, and what their process holds open.
//!
//! Other tests run servers at the same time, so which CPU is free is not for these to say: that a CPU is claimed by one
//! server at a time holds however many there are.

use std::fs;
use std::path::PathBuf;

use crate::faults::eventually;
use crate::server::{Server, binary};
use crate::skip::skipped;

/// The CPUs that a shard may run on, as the kernel lists them.
fn cpus(server: &Server, shard: usize) -> String {
    let thread = server.thread(&format!("shard-{shard}"));
    allowed(&format!("/proc/{}/task/{thread}/status", server.pid()))
}

fn allowed(status: &str) -> String {
    let text = fs::read_to_string(status).expect("the thread runs");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    line.expect("the kernel tells").trim().to_owned()
}

/// Two CPUs that the test may use, and all of them as the kernel lists them.
fn two_cpus() -> Option<([usize; 2], String)> {
    let all = allowed("/proc/self/status");
    let mut each = all.split(',').flat_map(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.parse::<usize>().expect("a number");
        number(first)..=number(last)
    });
    match (each.next(), each.next()) {
        (Some(one), Some(two)) if !binary().ends_with("memcached") => Some(([one, two], all)),
        _ => {
            skipped("it needs two CPUs, and a server that pins its threads");
            None
        }
    }
}

#[test]
fn shards_are_where_options_say() {
    let Some(([one, two], all)) = two_cpus() else {
        return;
    };
    let list = format!("{two},{one}");
    for _ in 0..2 {
        // Twice at a time: whoever names CPUs has them.
        let first = Server::start(2, &["--cpus", &list]);
        let second = Server::start(2, &["--cpus", &list]);
        for server in [&first, &second] {
            assert_eq!(cpus(server, 0), two.to_string());
            assert_eq!(cpus(server, 1), one.to_string());
        }
    }
    let server = Server::start(1, &["-o", "no_pin"]);
    assert_eq!(cpus(&server, 0), all);
}

#[test]
fn two_servers_never_have_the_same_cpu() {
    let Some((_, all)) = two_cpus() else { return };
    let servers: Vec<Server> = (0..3).map(|_| Server::start(1, &[])).collect();
    let placed: Vec<String> = servers.iter().map(|server| cpus(server, 0)).collect();
    for (index, cpu) in placed.iter().enumerate() {
        let is_alone = !placed[..index].contains(cpu);
        assert!(*cpu == all || is_alone, "{placed:?}");
    }
}

/// The scheduler's slice of each shard's thread in nanoseconds; none where the kernel does not show it.
fn slices_of_shards(server: &Server) -> Vec<u64> {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    let slice = |task: PathBuf| {
        let name = fs::read_to_string(task.join("comm")).ok()?;
        let sched = fs::read_to_string(task.join("sched")).ok()?;
        let line = sched.lines().find(|line| line.starts_with("se.slice "))?;
        let slice = line.split(':').nth(1)?.trim().parse().expect("a number");
        name.starts_with("shard-").then_some(slice)
    };
    tasks.filter_map(|task| slice(task.ok()?.path())).collect()
}

/// Whether `sched_runtime` of SCHED_OTHER means something to this kernel.
fn kernel_takes_slices() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut next = || numbers.next()?.parse::<u32>().ok();
    (next(), next()) >= (Some(6), Some(12))
}

/// The number of shards with a short slice; `None` where slices are not shown, or mean nothing.
fn short_slices(server: &Server) -> Option<usize> {
    let slices = slices_of_shards(server);
    let said = server.stderr_text();
    if slices.is_empty() || !kernel_takes_slices() || said.contains("slice stays") {
        skipped(&format!("no slices here: {slices:?} {said}"));
        return None;
    }
    // glommio has an idle thread of the same name beside each, with the usual slice.
    Some(slices.iter().filter(|&&slice| slice == 100_000).count())
}

#[test]
fn shards_ask_for_short_slices_unless_more_than_two_share_a_cpu() {
    let Some(([one, two], _)) = two_cpus() else {
        return;
    };
    let list = format!("{one},{two}");
    for (shards, options, expected) in [
        (2, ["--cpus", &list], 2),
        (4, ["--cpus", &list], 4),
        (5, ["--cpus", &list], 0),
        (1, ["-o", "no_pin"], 1),
    ] {
        let server = Server::start(shards, &[&["-v", "-v"], &options[..]].concat());
        if expected > 0 {
            eventually("it tells of slices", || {
                server.stderr_text().contains("slice")
            });
        }
        let Some(short) = short_slices(&server) else {
            return;
        };
        assert_eq!(short, expected, "{shards} shards, {options:?}");
    }
}

/// The second of two servers finds all CPUs claimed, or both do: that other servers run there changes nothing.
#[test]
fn shards_of_two_servers_that_share_cpus_ask_for_short_slices() {
    let count = std::thread::available_parallelism().unwrap().get();
    let servers = [(); 2].map(|()| Server::start(count, &["-v", "-v"]));
    for server in &servers {
        eventually("it tells of slices", || {
            server.stderr_text().contains("slice")
        });
        let Some(short) = short_slices(server) else {
            return;
        };
        assert_eq!(short, count);
    }
}

#[test]
fn descriptors_are_as_many_as_are_computed() {
    if binary().ends_with("memcached") {
        return;
    }
    for shards in [1, 4] {
        let server = Server::start(shards, &[]);
        let mut client = server.connect();
        let reserved = client.stat("reserved_fds");
        let open = fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
        let open = open.count() as u64;
        // One address, and this connection.
        let others = shards as u64 + 1;
        assert!(
            open <= reserved + others,
            "{open} are open, {reserved} and {others} are computed"
        );
        // Room for what comes for a moment, not for a second server.
        assert!(reserved <= 3 * open, "{open} are open, {reserved} computed");
    }
}
