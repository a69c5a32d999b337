//! A worker allocates nothing in steady state.
//!
//! The allocator of this test binary counts the allocations of one thread, named by its kernel thread id.

use crate::support::Memcached;
use crate::tls::{Certificates, Process, programs};
use corecached_testing::TellingAllocator;
use loadgen::fleet::Fleet;
use loadgen::fleet::config::FleetConfig;
use loadgen::host::allowed_cpus;
use loadgen::load::Load;
use loadgen::net::server::Server;
use loadgen::net::tls::TlsSettings;
use loadgen::target::{Endpoint, Router};
use loadgen::wire::protocol::Protocol;
use loadgen::worker::arrivals::ArrivalKind;
use loadgen::worker::phase::WaitPolicy;
use loadgen::workload::{Workload, WorkloadSpec};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: TellingAllocator = TellingAllocator::new(note);

/// The kernel's id of the thread whose allocations count; 0 for none.
static WATCHED: AtomicI32 = AtomicI32::new(0);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
/// One test at a time watches its worker.
static WATCHING: Mutex<()> = Mutex::new(());

fn note() {
    let watched = WATCHED.load(Ordering::Relaxed);
    if watched != 0 && rustix::thread::gettid().as_raw_nonzero().get() == watched {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    }
}

/// The kernel's id of the worker that this test started: the newest thread called `worker-0`.
fn worker_thread() -> i32 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let named = tasks.filter_map(|task| {
        let path = task.ok()?.path();
        let name = std::fs::read_to_string(path.join("comm")).ok()?;
        (name.trim() == "worker-0").then(|| path.file_name()?.to_str()?.parse::<i32>().ok())?
    });
    named.max().unwrap()
}

fn allocations(protocol: Protocol, rate: Option<f64>) -> u64 {
    let Some(server) = Memcached::start(&[]) else {
        return 0;
    };
    let plain = Server::plain(Endpoint::parse(&server.address).unwrap());
    allocations_with(plain, protocol, rate).0
}

/// The allocations of a worker in some windows, and the requests that were answered in them.
fn allocations_with(server: Server, protocol: Protocol, rate: Option<f64>) -> (u64, u64) {
    let _alone = WATCHING.lock().unwrap_or_else(PoisonError::into_inner);
    let spec = WorkloadSpec {
        mix: "get=50,multiget:10=10,set=10,delete=5,cas=5,incr=5,append=5,touch=5,gat=5"
            .parse()
            .unwrap(),
        keys: 2000,
        value_size: "10-2000".parse().unwrap(),
        look_aside: true,
        ..WorkloadSpec::default()
    };
    let config = FleetConfig {
        servers: vec![server],
        router: Router::Single,
        protocol,
        connections: 8,
        cpus: allowed_cpus().unwrap()[..1].to_vec(),
        depth_max: 64,
        wait: WaitPolicy::Hybrid,
        workload: Workload::new(spec).unwrap(),
    };
    let mut fleet = Fleet::start(&config).unwrap();
    fleet.preload(&mut |_| ()).unwrap();
    let load = Load {
        rate,
        arrivals: ArrivalKind::Poisson,
        depth: 16,
        in_flight_max: 1000,
        warm_up: Duration::from_millis(200),
        duration: Duration::from_millis(800),
        interval: Duration::from_millis(200),
    };
    fleet.run(&load, &mut |_| ()).unwrap();
    let thread = worker_thread();
    // From the first window on, so that what a phase allocates once when it is ordered does not count.
    let mut watching = false;
    let (mut counted, mut answered) = (0, 0);
    fleet
        .run(&load, &mut |window| {
            if watching {
                answered += window.totals.completed;
            } else {
                watching = true;
                ALLOCATIONS.store(0, Ordering::SeqCst);
                WATCHED.store(thread, Ordering::SeqCst);
            }
            counted = ALLOCATIONS.load(Ordering::SeqCst);
        })
        .unwrap();
    WATCHED.store(0, Ordering::SeqCst);
    (counted, answered)
}

#[test]
fn steady_state_allocates_nothing() {
    assert_eq!(
        allocations(Protocol::Text, Some(5_000.0)),
        0,
        "open loop, text"
    );
    assert_eq!(allocations(Protocol::Meta, None), 0, "closed loop, meta");
    assert_eq!(
        allocations(Protocol::Binary, None),
        0,
        "closed loop, binary"
    );
}

/// rustls makes each record in memory of its own before it copies it out. So a send costs allocations, and nothing else
/// does.
#[test]
fn a_send_over_tls_allocates_what_rustls_needs() {
    let certificates = Certificates::new();
    let settings = TlsSettings::load(None, true, None, None).unwrap();
    for program in programs() {
        let process = Process::start(&program, &certificates, 1, "");
        let server = Server::parse(&process.address, Some(&settings)).unwrap();
        for (protocol, rate) in [(Protocol::Text, Some(5_000.0)), (Protocol::Meta, None)] {
            let (allocations, answered) = allocations_with(server.clone(), protocol, rate);
            println!(
                "{}, {}: {allocations} allocations, {answered} requests",
                program.display(),
                protocol.name()
            );
            assert!(allocations <= 3 * answered);
        }
    }
}
