//! Tests that cannot run on this machine say so by name: `scripts/test` counts them apart and lists them at its end.

use std::fs::OpenOptions;
use std::io::Write;

/// The file that the names go to, a line each.
const LIST: &str = "SKIPPED_TESTS";

/// Says that the test of this thread does not test anything here, and why.
pub(crate) fn skipped(why: &str) {
    let test = std::thread::current();
    let line = format!(
        "{}: {}",
        test.name().unwrap_or("a test"),
        why.replace('\n', " ")
    );
    println!("skipped: {line}");
    if let Some(path) = std::env::var_os(LIST) {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let mut file = file.expect("the list of skipped tests can be written");
        writeln!(file, "{line}").expect("the list of skipped tests can be written");
    }
}
