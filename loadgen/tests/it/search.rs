//! `loadgen search`, over sockets, finds the capacity of a server whose queue is known.
//!
//! ```text
//!   connections -> a reader each -> one queue, in the order of arrival -> one worker, SERVICE for each -> replies
//! ```
//!
//! With Poisson arrivals this is the queue M/D/1. The worker keeps a timeline: a reply is due SERVICE after the reply
//! before it, or after its request came if that was later. A worker that wakes up late answers late and catches up, so
//! the capacity does not depend on how well the machine sleeps.

use crate::support::{CALM_TRIES, ensure, json, when_calm_within};
use loadgen::report::model::Body;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SERVICE: Duration = Duration::from_micros(500);
/// The objective: 90% of the requests are answered within this time.
const LIMIT: Duration = Duration::from_millis(3);
const QUANTILE: f64 = 0.9;
/// How far the answer may be from the truth. The interval that the search is asked for is half as wide, and a reply
/// that comes 0.2 ms late moves the edge by 1%.
const TOLERANCE: f64 = 0.1;

/// A connection's side for replies, which its reader and the worker share.
type Replies = Arc<Mutex<TcpStream>>;

/// A get that has come.
struct Arrived {
    at: Instant,
    replies: Replies,
}

/// Starts the server; its threads end with the test process.
fn start_queue() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (queue, inbox) = channel();
    std::thread::spawn(move || serve(&inbox));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let queue = queue.clone();
            // A connection that ends is no failure of a test.
            std::thread::spawn(move || read(stream, &queue).ok());
        }
    });
    address
}

fn read(stream: TcpStream, queue: &Sender<Arrived>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let replies: Replies = Arc::new(Mutex::new(stream.try_clone()?));
    for line in BufReader::new(stream).lines() {
        let at = Instant::now();
        let replies = Arc::clone(&replies);
        match line?.as_str() {
            "version" => reply(&replies, "VERSION queue\r\n")?,
            "stats" => reply(&replies, "END\r\n")?,
            _ => queue.send(Arrived { at, replies }).unwrap(),
        }
    }
    Ok(())
}

fn reply(replies: &Replies, line: &str) -> std::io::Result<()> {
    replies.lock().unwrap().write_all(line.as_bytes())
}

/// The one worker.
fn serve(inbox: &Receiver<Arrived>) {
    let mut free = Instant::now();
    for request in inbox {
        free = free.max(request.at) + SERVICE;
        std::thread::sleep(free.saturating_duration_since(Instant::now()));
        // The client may have closed the connection.
        reply(&request.replies, "END\r\n").ok();
    }
}

/// The share of requests above the limit at a rate, from the same queue in virtual time.
fn share_above(rate: f64) -> f64 {
    const REQUESTS: u32 = 300_000;
    let mut rng = SmallRng::seed_from_u64(7);
    let (mut now_s, mut free_s, mut above) = (0.0f64, 0.0f64, 0);
    for _ in 0..REQUESTS {
        now_s -= (1.0 - rng.random::<f64>()).ln() / rate;
        free_s = now_s.max(free_s) + SERVICE.as_secs_f64();
        above += u32::from(free_s - now_s > LIMIT.as_secs_f64());
    }
    f64::from(above) / f64::from(REQUESTS)
}

/// The highest rate that keeps the objective.
fn truth() -> f64 {
    let (mut low, mut high) = (0.1, 1.0 / SERVICE.as_secs_f64());
    for _ in 0..20 {
        let middle = (low + high) / 2.0;
        if share_above(middle) > 1.0 - QUANTILE {
            high = middle;
        } else {
            low = middle;
        }
    }
    low
}

#[test]
#[ignore = "needs two CPUs that nobody else uses for some minutes; the simulated search of the library's tests needs none"]
fn the_capacity_of_a_queue_is_found() {
    let truth = truth();
    assert!((1400.0..1900.0).contains(&truth), "M/D/1: {truth}");
    when_calm_within(CALM_TRIES, || find_capacity(truth));
}

fn find_capacity(truth: f64) -> Result<(), String> {
    let address = start_queue();
    let target = ["search", "-s", &address, "--no-preload", "--no-verify"];
    let load = ["--mix", "get", "--start", "1k", "--slo", "p90<3ms"];
    let plan = ["--probe", "600ms", "--warmup", "300ms", "--repeats", "6"];
    let more = ["--repeats-max", "16", "--precision", "5%"];
    let (exit, report) = json(&[&target[..], &load, &plan, &more].concat());
    let Body::Search { search } = report.body else {
        panic!("not a search");
    };
    println!("truth {truth:.0}/s; {}", report.headline);
    let found = search.capacity;
    let is_near = |capacity: f64| (capacity / truth - 1.0).abs() < TOLERANCE;
    ensure(found.is_some_and(is_near), || {
        format!("found {found:?}, the truth is {truth:.0}/s")
    })?;
    assert_eq!(exit, 0);
    assert!(report.headline.contains("requests/s"));
    Ok(())
}
