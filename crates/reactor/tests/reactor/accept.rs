//! Accepting: many, stopping, and running out of descriptors.

use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::time::{Duration, Instant};

use corecached_reactor::{Event, ReactorConfig, Token};

use super::common::{listen, poll, reactor, run_until, shared, small, within};

/// Runs an ignored test of this binary in a process of its own: for limits and counts that belong to a process.
pub(crate) fn in_child(test: &str) {
    let program = std::env::current_exe().unwrap();
    let (_, module) = module_path!().split_once("::").unwrap();
    let (driver, _) = module.split_once("::").unwrap();
    let test = format!("{driver}::{test}");
    let output = Command::new(program)
        .args(["--exact", "--ignored", &test])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}

#[test]
fn accepts_until_told_to_stop_and_again() {
    within(30, || {
        let mut reactor = reactor(&small());
        let listener = listen();
        let address = listener.local_addr().unwrap();
        reactor.accept(&shared(&listener), Token(5));
        let peers: Vec<_> = (0..100)
            .map(|_| TcpStream::connect(address).unwrap())
            .collect();
        let mut accepted = Vec::new();
        run_until(&mut reactor, |_, event| {
            if let Event::Accepted {
                token: Token(5),
                fd,
            } = event
            {
                accepted.push(fd);
            }
            accepted.len() == peers.len()
        });
        reactor.stop_accept(Token(5));
        assert!(poll(&mut reactor).is_empty());
        let _waiting = TcpStream::connect(address).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        assert!(poll(&mut reactor).is_empty());
        reactor.accept(&shared(&listener), Token(5));
        run_until(&mut reactor, |_, event| {
            matches!(event, Event::Accepted { .. })
        });
    });
}

#[test]
fn running_out_of_descriptors_is_survived_without_spinning() {
    in_child("accept::out_of_descriptors_child");
}

fn limit_descriptors(count: u64) {
    let limit = libc::rlimit {
        rlim_cur: count,
        rlim_max: count,
    };
    // SAFETY: reads a live `rlimit`.
    let result = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    assert_eq!(result, 0);
}

#[test]
#[ignore = "run in a process of its own by running_out_of_descriptors_is_survived_without_spinning"]
fn out_of_descriptors_child() {
    const RETRY: Duration = Duration::from_millis(20);
    within(30, || {
        let config = ReactorConfig {
            accept_retry: RETRY,
            ..small()
        };
        let mut reactor = reactor(&config);
        let listener = listen();
        let own = shared(&listener);
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let hoard: Vec<_> = std::iter::repeat_with(|| peer.try_clone().unwrap())
            .take(30)
            .collect();
        limit_descriptors(peer.as_raw_fd() as u64 + 1);
        reactor.accept(&own, Token(1));
        let start = Instant::now();
        let mut failures = 0;
        run_until(&mut reactor, |_, event| {
            if let Event::AcceptFailed {
                token: Token(1),
                errno,
            } = event
            {
                assert_eq!(errno, libc::EMFILE);
                failures += 1;
            }
            failures > 1 && start.elapsed() > Duration::from_millis(300)
        });
        let passed = start.elapsed();
        assert!(
            failures <= passed.as_millis() / RETRY.as_millis() + 1,
            "{failures} attempts in {passed:?}"
        );
        drop(hoard);
        let spare = std::fs::File::open("/dev/null");
        assert!(spare.is_err(), "the limit is in force");
        drop(peer);
        run_until(&mut reactor, |_, event| {
            matches!(event, Event::Accepted { .. })
        });
    });
}
