//! An idle reactor costs nothing.

use std::time::Duration;

use corecached_reactor::{Event, Token, WhenIdle};

use super::common::{connection, default_config, in_runtime, listen, reactor};

const IDLE: Duration = Duration::from_secs(2);

/// CPU time of this process in microseconds.
fn cpu_usec() -> i64 {
    // SAFETY: zeroes are a valid `rusage`, which the call fills.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_SELF, &raw mut usage), 0);
        usage
    };
    let usec = |time: libc::timeval| time.tv_sec * 1_000_000 + time.tv_usec;
    usec(usage.ru_utime) + usec(usage.ru_stime)
}

#[test]
fn a_parked_reactor_uses_no_cpu() {
    super::accept::in_child("idle::a_parked_reactor_child");
}

#[test]
#[ignore = "run in a process of its own by a_parked_reactor_uses_no_cpu"]
fn a_parked_reactor_child() {
    let listener = listen();
    let (own, peers): (Vec<_>, Vec<_>) = (0..100).map(|_| connection(&listener)).unzip();
    let work = move || async move {
        let mut reactor = reactor(&default_config());
        let own: Vec<_> = (0..)
            .zip(own)
            .map(|(token, fd)| reactor.open(fd, Token(token)))
            .collect();
        own.iter().for_each(|stream| reactor.recv(stream));
        let mut events = Vec::new();
        while !events
            .iter()
            .any(|event| matches!(event, Event::Eof { .. }))
        {
            events.clear();
            reactor.turn(WhenIdle::Sleep, &mut events).unwrap();
            if matches!(events[..], [Event::WindowEnded { .. }]) {
                reactor.park().await.unwrap();
            }
        }
    };
    let thread = std::thread::spawn(move || in_runtime(work));
    std::thread::sleep(Duration::from_millis(200));
    // On a starved machine the beginning takes longer; a reactor that never rests fails all three times.
    let rests = (0..3).any(|_| {
        let before = cpu_usec();
        std::thread::sleep(IDLE);
        let used = cpu_usec() - before;
        println!("{used} us of CPU in {IDLE:?} with 100 idle connections");
        used < 10_000
    });
    drop(peers);
    thread.join().unwrap();
    assert!(rests, "10 ms of CPU and more each time");
}
