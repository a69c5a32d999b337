//! Text, JSON, CSV, interval log and page say the same, to the digit, also of replies that come after the last window.

use crate::bed::Bed;
use crate::support::{loadgen, run_of, temporary};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use loadgen::report::model::{Latency, RunResult};
use loadgen::units::format_latency;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Files of one run.
struct Files {
    text: String,
    run: RunResult,
    csv: String,
    hdr: Vec<Histogram<u64>>,
    html: String,
}

/// A run during whose last part the server stands still; it goes on after the last window, or never.
fn run(goes_on: bool, name: &str) -> Files {
    let bed = Arc::new(Bed::honest());
    let stopper = Arc::clone(&bed);
    let thread = std::thread::spawn(move || {
        stopper.wait_for_gets(600);
        stopper.pause();
        if goes_on {
            std::thread::sleep(Duration::from_millis(900));
            stopper.resume();
        }
    });
    let run = name;
    let names = ["json", "csv", "hdr", "html"];
    let paths: Vec<_> = names
        .iter()
        .map(|name| temporary(&format!("outputs-{run}.{name}")))
        .collect();
    let mut arguments = vec!["run", "-s", &bed.address, "-r", "500", "-d", "1500ms", "-q"];
    arguments.extend(["--keys", "100", "--mix", "get", "--warmup", "0s"]);
    arguments.extend(["--interval", "200ms"]);
    let options: Vec<String> = names.iter().map(|name| format!("--{name}")).collect();
    for (option, path) in options.iter().zip(&paths) {
        arguments.extend([option.as_str(), path.to_str().unwrap()]);
    }
    let output = loadgen(&arguments);
    thread.join().unwrap();
    bed.resume();
    let read = |index: usize| std::fs::read_to_string(&paths[index]).unwrap();
    let files = Files {
        text: String::from_utf8(output.stdout).unwrap(),
        run: run_of(serde_json::from_str(&read(0)).unwrap()),
        csv: read(1),
        hdr: histograms(&paths[2]),
        html: read(3),
    };
    paths
        .iter()
        .for_each(|path| std::fs::remove_file(path).unwrap());
    files
}

/// The histograms of an interval log.
fn histograms(path: &Path) -> Vec<Histogram<u64>> {
    let log = std::fs::read(path).unwrap();
    let mut deserializer = Deserializer::new();
    IntervalLogIterator::new(&log)
        .filter_map(|entry| match entry.unwrap() {
            LogEntry::Interval(interval) => {
                let bytes = base64(interval.encoded_histogram());
                Some(deserializer.deserialize(&mut bytes.as_slice()).unwrap())
            }
            _ => None,
        })
        .collect()
}

fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0u32, 0);
    for digit in text.bytes().filter(|byte| *byte != b'=') {
        let value = DIGITS.iter().position(|known| *known == digit).unwrap();
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

fn percentiles(histogram: &Histogram<u64>) -> Vec<Option<u64>> {
    let at = |quantile| (!histogram.is_empty()).then(|| histogram.value_at_quantile(quantile));
    let mut all: Vec<Option<u64>> = [0.5, 0.99, 0.999].into_iter().map(at).collect();
    all.push((!histogram.is_empty()).then(|| histogram.max()));
    all
}

fn of_report(latency: &Latency) -> Vec<Option<u64>> {
    vec![
        latency.p50_ns,
        latency.p99_ns,
        latency.p999_ns,
        latency.max_ns,
    ]
}

fn all_agree(files: &Files) {
    let response = &files.run.all.response;
    let mut sum = Histogram::<u64>::new_with_bounds(1, 100_000_000_000, 3).unwrap();
    files
        .hdr
        .iter()
        .for_each(|histogram| sum.add(histogram).unwrap());
    assert_eq!(sum.len(), response.count, "the log holds every request");
    assert_eq!(percentiles(&sum), of_report(response));

    let rows: Vec<Vec<&str>> = files
        .csv
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect())
        .collect();
    assert_eq!(rows.len(), files.run.series.len());
    assert_eq!(rows.len(), files.hdr.len());
    for ((row, point), histogram) in rows.iter().zip(&files.run.series).zip(&files.hdr) {
        let cells: Vec<Option<u64>> = row[4..8].iter().map(|cell| cell.parse().ok()).collect();
        assert_eq!(cells, percentiles(histogram));
        let points = [point.p50_ns, point.p99_ns, point.p999_ns, point.max_ns];
        assert_eq!(cells, points);
        assert_eq!(row[13], point.responses.to_string());
        assert_eq!(point.responses, histogram.len());
    }
    let no_reply: u64 = files.run.series.iter().map(|point| point.no_reply).sum();
    assert_eq!(no_reply, files.run.all.no_reply);

    let words: Vec<String> = of_report(response)
        .into_iter()
        .map(format_latency)
        .collect();
    for words in &words {
        assert!(files.text.contains(words), "{words} in {}", files.text);
        assert!(files.html.contains(words), "{words} in the page");
    }
}

/// The contents of each output of a run whose last replies come after its last window.
pub(crate) struct Holdings {
    /// Requests in the report, the log and the time series.
    pub(crate) requests: [u64; 3],
    /// The 99th percentile in the report and the log.
    pub(crate) p99_ns: [u64; 2],
}

pub(crate) fn holdings() -> Holdings {
    let files = run(true, "holdings");
    let mut sum = Histogram::<u64>::new_with_bounds(1, 100_000_000_000, 3).unwrap();
    files
        .hdr
        .iter()
        .for_each(|histogram| sum.add(histogram).unwrap());
    let rows = files.csv.lines().skip(1);
    let responses = rows.map(|row| row.split(',').nth(13).unwrap().parse::<u64>().unwrap());
    let response = &files.run.all.response;
    Holdings {
        requests: [response.count, sum.len(), responses.sum()],
        p99_ns: [response.p99_ns.unwrap(), sum.value_at_quantile(0.99)],
    }
}

#[test]
fn replies_after_the_last_window_are_in_every_output() {
    let files = run(true, "late");
    assert_eq!(files.run.all.no_reply, 0, "{:?}", files.run.verdict);
    let last = files.run.series.last().unwrap();
    assert!(
        last.responses > 0,
        "due in the last window, answered after it"
    );
    all_agree(&files);
}

#[test]
fn requests_without_a_reply_are_in_every_output() {
    let files = run(false, "never");
    assert!(files.run.all.no_reply > 20, "{:?}", files.run.verdict);
    assert!(files.text.contains("LOST"));
    assert!(files.html.contains("LOST"));
    all_agree(&files);
}
