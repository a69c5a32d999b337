//! Tests of the end of a process. Each case runs in a process of its own: this test program, started again for one test
//! with the name of the case.

use std::process::Command;

use super::*;

const CASE: &str = "CORECACHED_TEST_CASE";

/// Runs a case, if this process has been started for one.
#[test]
fn case() {
    let Ok(case) = std::env::var(CASE) else {
        return;
    };
    end_on_panic();
    match case.as_str() {
        "thread" => {
            let thread = thread::Builder::new().name("helper".into());
            let started = thread.spawn(|| panic!("a\n  b: {}", 7));
            let _ = started.map(thread::JoinHandle::join);
        }
        "nameless" => drop(thread::spawn(|| [0][usize::from(is_true())]).join()),
        "many" => {
            let threads: Vec<_> = (0..64)
                .map(|number| thread::spawn(move || panic!("number {number}")))
                .collect();
            threads.into_iter().for_each(|thread| drop(thread.join()));
        }
        "twice" => {
            let _again = Again;
            panic!("once");
        }
        "caught" => drop(panic::catch_unwind(|| panic!("somebody would catch it"))),
        "not unwinding" => not_unwinding(),
        "failed" => fail("shard 3 cannot go on"),
        "expected" => {
            assert_eq!(
                catching(|| panic!("{}", "told")),
                Err::<(), _>("told".into())
            );
            assert_eq!(catching(|| 5), Ok(5));
            panic!("not expected any more");
        }
        _ => unreachable!("no such case"),
    }
    crate::process::say("it goes on");
}

fn is_true() -> bool {
    std::hint::black_box(true)
}

struct Again;

impl Drop for Again {
    fn drop(&mut self) {
        panic!("twice");
    }
}

extern "C" fn not_unwinding() {
    panic!("through C");
}

/// Runs a case; returns its exit status and its stderr.
fn run(case: &str, backtrace: &str) -> (Option<i32>, String) {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program)
        .args(["process::fatal::tests::case", "--exact", "--nocapture"])
        .env(CASE, case)
        .env("RUST_BACKTRACE", backtrace)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), said)
}

#[test]
fn a_panic_anywhere_ends_the_process_with_one_line() {
    for (case, words) in [
        ("thread", "corecached: thread helper panicked at "),
        ("nameless", "corecached: thread without a name panicked at "),
        ("many", ": number "),
        ("twice", ": once;"),
        ("caught", ": somebody would catch it;"),
        ("not unwinding", ": through C;"),
        (
            "failed",
            "corecached: shard 3 cannot go on; ending with status 70",
        ),
        ("expected", ": not expected any more;"),
    ] {
        let (code, said) = run(case, "0");
        assert_eq!(code, Some(STATUS), "{case}: {said}");
        assert!(said.contains(words), "{case}: {said}");
        assert_eq!(said.lines().count(), 1, "{case}: {said}");
    }
    assert!(
        run("thread", "0")
            .1
            .contains(": a b: 7; ending with status 70 (RUST_BACKTRACE=1 ")
    );
}

#[test]
fn the_backtrace_follows_on_request() {
    let (code, said) = run("thread", "1");
    assert_eq!(code, Some(STATUS), "{said}");
    assert!(
        said.lines().count() > 5 && said.contains("ending with status 70\n"),
        "{said}"
    );
}
