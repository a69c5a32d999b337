//! The commands as a user sees them: options that make no sense, what is noted, what a comparison answers.

use crate::support::{ensure, json, loadgen, run_of, when_calm};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const SHORT: [&str; 6] = [
    "--duration",
    "400ms",
    "--warmup",
    "0s",
    "--no-preload",
    "--quiet",
];

type Statistics = dyn Fn(u64) -> String + Send + Sync;

/// A server that stores nothing and says of itself what a test likes: `statistics` gets the number of times it was
/// asked before. Its threads end with the test process.
fn telling(statistics: impl Fn(u64) -> String + Send + Sync + 'static) -> String {
    serving(Duration::ZERO, statistics)
}

/// A server like [`telling`] that takes `delay` for each get.
fn serving(delay: Duration, statistics: impl Fn(u64) -> String + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (asked, statistics): (_, Arc<Statistics>) = (Arc::default(), Arc::new(statistics));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (asked, statistics) = (Arc::clone(&asked), Arc::clone(&statistics));
            // A connection that ends is no failure of a test.
            std::thread::spawn(move || converse(stream, delay, &asked, &*statistics).ok());
        }
    });
    address
}

fn converse(
    stream: TcpStream,
    delay: Duration,
    asked: &AtomicU64,
    statistics: &Statistics,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        let mut words = line.trim_end().split(' ');
        let reply = match words.next() {
            Some("version") => "VERSION scripted\r\n".to_owned(),
            Some("stats") => statistics(asked.fetch_add(1, Ordering::Relaxed)),
            Some("set") => {
                let bytes: usize = words.nth(3).unwrap().parse().unwrap();
                reader.read_exact(&mut vec![0; bytes + 2])?;
                "STORED\r\n".to_owned()
            }
            _ => {
                std::thread::sleep(delay);
                "END\r\n".to_owned()
            }
        };
        writer.write_all(reply.as_bytes())?;
        line.clear();
    }
    Ok(())
}

#[test]
fn the_other_commands_refuse_what_cannot_be_measured() {
    let address = telling(|_| "END\r\n".to_owned());
    for arguments in [
        &["search", "--start", "0"][..],
        &["search", "--probe", "0"],
        &["search", "--precision", "0"],
        &["search", "--start", "10k", "--rate-max", "1k"],
        &["scan", "0..10k"],
        &["scan", "--step", "0"],
    ] {
        let output = loadgen(&[arguments, &["-s", &address, "--no-preload", "--quiet"]].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
    let tls = loadgen(&["run", "-s", "ssl://127.0.0.1:11211"]);
    assert_eq!(tls.status.code(), Some(2));
    let text = String::from_utf8_lossy(&tls.stderr);
    assert!(text.contains("with TLS write tls://HOST:PORT"), "{text}");
}

#[test]
fn a_rate_may_have_an_exponent() {
    when_calm(|| {
        let address = telling(|_| "END\r\n".to_owned());
        let rate = ["--rate", "1e3", "--mix", "get"];
        let target = ["run", "-s", &address];
        let (_, report) = json(&[&target[..], &rate, &SHORT[..5]].concat());
        let rate = run_of(report).rate;
        ensure(rate == Some(1000.0), || format!("{rate:?}"))
    });
}

#[test]
fn evictions_during_the_preload_are_noted() {
    let address = telling(|asked| format!("STAT evictions {}\r\nEND\r\n", 70 * asked));
    let run = ["run", "-s", &address, "--keys", "100", "--no-verify"];
    let more = [
        "--rate",
        "500",
        "--duration",
        "400ms",
        "--warmup",
        "0s",
        "--quiet",
    ];
    let output = loadgen(&[&run[..], &more].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("NOTE") && text.contains("evicted 70 items"),
        "{text}"
    );
}

#[test]
fn a_server_without_statistics_has_no_empty_line() {
    let address = telling(|_| "END\r\n".to_owned());
    let target = ["run", "-s", &address, "--rate", "500", "--mix", "get"];
    let output = loadgen(&[&target[..], &SHORT].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("client  ") && !text.contains("\nstats"),
        "{text}"
    );
    assert!(!text.contains("; \n") && !text.contains("0s-0s"), "{text}");
}

#[test]
fn the_preload_counts_every_key_however_fast_it_begins() {
    for _ in 0..5 {
        let address = telling(|_| "END\r\n".to_owned());
        let target = ["run", "-s", &address, "--keys", "100", "--no-verify"];
        let more = ["--rate", "500", "--duration", "100ms", "--warmup", "0s"];
        let (_, report) = json(&[&target[..], &more].concat());
        let preload = run_of(report).preload.unwrap();
        assert_eq!((preload.keys, preload.errors), (100, 0), "{preload:?}");
    }
}

#[test]
fn a_comparison_names_its_servers_and_fails_if_b_is_worse() {
    let quick = telling(|_| "END\r\n".to_owned());
    let slow = serving(Duration::from_millis(200), |_| "END\r\n".to_owned());
    let load = ["--rate", "60", "--mix", "get", "--no-preload"];
    let time = [
        "--duration",
        "700ms",
        "--warmup",
        "100ms",
        "--quiet",
        "--label-a",
        "old",
    ];
    let output = loadgen(&[&["compare", &quick, &slow], &load[..], &time].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(8), "{text}");
    assert!(
        text.contains("A is old") && text.contains(&format!("B is {slow}")),
        "{text}"
    );
    assert!(
        text.contains("B is worse") && !text.contains("requests/s "),
        "{text}"
    );
}
