//! Parking: no wake-up is lost, whatever wakes the reactor.

use std::io::Write;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use corecached_reactor::{
    DoorbellTarget, Event, Outgoing, Reactor, ReactorConfig, Token, Waker, WhenIdle, Window,
    runtime,
};

use super::common::{
    Random, connection, default_config, ends_within, in_runtime, listen, opened, reactor, within,
};

const WINDOW: Duration = Duration::from_micros(200);
const RUN: Duration = Duration::from_secs(2);
/// The least number of exchanges; there are more unless a starved machine takes too long for these.
const EXCHANGES_MIN: u64 = 100;

fn config() -> ReactorConfig {
    ReactorConfig {
        short_window: WINDOW,
        long_window: 3 * WINDOW,
        ..default_config()
    }
}

/// One tick of a shard that parks after a quiet window; counts how often it parked.
struct Loop {
    reactor: Reactor,
    events: Vec<Event>,
    was_quiet: bool,
    parks: u64,
    turns: u64,
}

impl Loop {
    fn new(reactor: Reactor) -> Self {
        Self {
            reactor,
            events: Vec::new(),
            was_quiet: false,
            parks: 0,
            turns: 0,
        }
    }

    async fn tick(&mut self, mut handle: impl FnMut(&mut Reactor, Event)) {
        self.turns += 1;
        self.reactor.set_window(match self.turns % 5 < 2 {
            true => Window::Short,
            false => Window::Long,
        });
        self.reactor
            .turn(WhenIdle::Sleep, &mut self.events)
            .unwrap();
        let (mut has_ended, mut is_quiet) = (false, true);
        for event in self.events.drain(..) {
            if matches!(event, Event::WindowEnded { .. }) {
                has_ended = true;
            } else {
                is_quiet = false;
                handle(&mut self.reactor, event);
            }
        }
        self.was_quiet &= is_quiet;
        if has_ended && std::mem::replace(&mut self.was_quiet, true) {
            self.parks += 1;
            self.reactor.park().await.unwrap();
        }
    }
}

/// Pauses that end before, at and after the moment the other side parks.
fn pause(random: &mut Random) {
    match random.below(4) {
        0 => std::thread::yield_now(),
        _ => std::thread::sleep(Duration::from_micros(random.below(700))),
    }
}

/// A peer writes one byte, and waits for the answer before the next: a lost wake-up would hang.
#[test]
fn answers_every_byte_over_a_socket() {
    let (exchanges, parks) = within(60, || {
        let (own, peer) = connection(&listen());
        let client = std::thread::spawn(move || ping(peer));
        let parks = in_runtime(move || answer(own));
        (client.join().unwrap(), parks)
    });
    println!("{exchanges} exchanges, parked {parks} times");
    assert!(parks > 10);
}

fn ping(mut peer: TcpStream) -> u64 {
    let (start, mut random, mut count) = (Instant::now(), Random(77), 0);
    let mut reply = [0];
    while start.elapsed() < RUN || count <= EXCHANGES_MIN {
        peer.write_all(b"?").unwrap();
        std::io::Read::read_exact(&mut peer, &mut reply).unwrap();
        count += 1;
        pause(&mut random);
    }
    count
}

async fn answer(own: OwnedFd) -> u64 {
    let mut shard = Loop::new(reactor(&config()));
    let mut own = shard.reactor.open(own, Token(1));
    shard.reactor.recv(&own);
    let mut is_open = true;
    while is_open {
        let is_open = &mut is_open;
        let own = &mut own;
        shard
            .tick(|reactor, event| match event {
                Event::Received { buf, .. } => {
                    let mut bytes = reactor.take_buffer();
                    bytes.extend_from_slice(reactor.bytes(&buf));
                    reactor.recycle(buf);
                    reactor.send(own, Outgoing::from(bytes));
                }
                Event::Eof { .. } => *is_open = false,
                other => panic!("{other:?}"),
            })
            .await;
    }
    shard.parks
}

/// Shared counters of an asking and an answering thread: how often the one asked, and how often the other answered.
#[derive(Default)]
struct Score {
    asked: AtomicU64,
    answered: AtomicU64,
}

/// Answers until the asker says it is done (`u64::MAX`); `is_ring` tells the events that count.
async fn answer_score(reactor: Reactor, score: Arc<Score>, is_ring: fn(&Event) -> bool) -> u64 {
    let mut shard = Loop::new(reactor);
    loop {
        shard
            .tick(|_, event| assert!(is_ring(&event), "{event:?}"))
            .await;
        let asked = score.asked.load(Ordering::Acquire);
        if asked == u64::MAX {
            return shard.parks;
        }
        score.answered.store(asked, Ordering::Release);
    }
}

/// Asks, rings and waits for the answer: a lost ring would hang.
fn ask(score: &Score, mut ring: impl FnMut()) -> u64 {
    let (start, mut random) = (Instant::now(), Random(99));
    let mut count = 0;
    while start.elapsed() < RUN || count <= EXCHANGES_MIN {
        count += 1;
        score.asked.store(count, Ordering::Release);
        ring();
        while score.answered.load(Ordering::Acquire) != count {
            std::thread::sleep(Duration::from_micros(10));
        }
        pause(&mut random);
    }
    score.asked.store(u64::MAX, Ordering::Release);
    ring();
    count
}

#[test]
fn every_doorbell_of_a_peer_ring_is_heard() {
    let (rings, parks) = within(60, || {
        let score = Arc::new(Score::default());
        let (send, receive) = std::sync::mpsc::channel::<DoorbellTarget>();
        let theirs = Arc::clone(&score);
        let sleeper = std::thread::spawn(move || {
            in_runtime(move || async move {
                let reactor = reactor(&config());
                send.send(reactor.doorbell_target()).unwrap();
                answer_score(reactor, theirs, |event| matches!(event, Event::Doorbell)).await
            })
        });
        let target = receive.recv().unwrap();
        let mut own = reactor(&ReactorConfig {
            short_window: Duration::ZERO,
            ..config()
        });
        let mut events = Vec::new();
        let rings = ask(&score, || {
            own.doorbell(&target);
            own.turn(WhenIdle::Return, &mut events).unwrap();
        });
        assert!(events.is_empty(), "{events:?}");
        (rings, sleeper.join().unwrap())
    });
    println!("{rings} doorbells, parked {parks} times");
    assert!(parks > 10);
}

#[test]
fn every_wake_of_a_thread_is_heard() {
    let (wakes, parks) = within(60, || {
        let score = Arc::new(Score::default());
        let (send, receive) = std::sync::mpsc::channel::<Waker>();
        let theirs = Arc::clone(&score);
        let sleeper = std::thread::spawn(move || {
            in_runtime(move || async move {
                let reactor = reactor(&config());
                send.send(reactor.waker()).unwrap();
                answer_score(reactor, theirs, |event| matches!(event, Event::Wake)).await
            })
        });
        let waker = receive.recv().unwrap();
        let wakes = ask(&score, || waker.wake());
        (wakes, sleeper.join().unwrap())
    });
    println!("{wakes} wakes, parked {parks} times");
    assert!(parks > 10);
}

#[test]
fn other_tasks_run_while_parked() {
    within(30, || {
        in_runtime(|| async {
            let mut reactor = reactor(&config());
            let waker = reactor.waker();
            runtime::spawn("timer", 100, async move {
                runtime::sleep(Duration::from_millis(30)).await;
                waker.wake();
            });
            let begun = Instant::now();
            reactor.park().await.unwrap();
            assert!(begun.elapsed() >= Duration::from_millis(30));
            let mut events = Vec::new();
            reactor.turn(WhenIdle::Return, &mut events).unwrap();
            assert!(matches!(events[..], [Event::Wake]), "{events:?}");
        });
    });
}

#[test]
fn a_park_that_is_given_up_leaves_a_working_reactor() {
    within(30, || {
        in_runtime(|| async {
            let mut reactor = reactor(&config());
            for _ in 0..5 {
                assert!(!ends_within(Duration::from_millis(5), reactor.park()).await);
                reactor.waker().wake();
                let mut events = Vec::new();
                reactor.turn(WhenIdle::Sleep, &mut events).unwrap();
                assert!(matches!(events[..], [Event::Wake]), "{events:?}");
            }
        });
    });
}

#[test]
fn a_doorbell_to_a_reactor_that_is_gone_is_ignored() {
    let mut own = reactor(&config());
    let gone = reactor(&config()).doorbell_target();
    own.doorbell(&gone);
    let mut events = Vec::new();
    own.turn(WhenIdle::Return, &mut events).unwrap();
    assert!(events.is_empty(), "{events:?}");
}

#[test]
fn a_batched_turn_gathers_and_does_not_wait_for_more_than_there_is() {
    within(30, || {
        let listener = listen();
        let mut reactor = reactor(&ReactorConfig {
            short_window: Duration::ZERO,
            ..config()
        });
        let connections: Vec<_> = (0..8)
            .map(|token| opened(&mut reactor, &listener, token))
            .collect();
        for (own, _) in &connections {
            reactor.recv(own);
        }
        let mut events = Vec::new();
        reactor.turn(WhenIdle::Return, &mut events).unwrap();
        for (_, peer) in &connections {
            let mut peer = peer;
            peer.write_all(b"x").unwrap();
        }
        let start = Instant::now();
        while events.len() < connections.len() {
            reactor.turn_batched(20_000, 64, &mut events).unwrap();
        }
        assert!(start.elapsed() < Duration::from_secs(20));
    });
}

#[test]
fn a_reactor_that_never_waits_has_windows_of_the_length_that_is_wanted() {
    within(60, || {
        let mut reactor = reactor(&ReactorConfig {
            long_window: Duration::from_secs(3600),
            ..config()
        });
        let mut events = Vec::new();
        for _ in 0..3 {
            reactor.set_window(Window::Long);
            for _ in 0..10 {
                reactor.turn(WhenIdle::Return, &mut events).unwrap();
            }
            reactor.set_window(Window::Short);
            events.clear();
            while !events
                .iter()
                .any(|event| matches!(event, Event::WindowEnded { .. }))
            {
                reactor.turn(WhenIdle::Return, &mut events).unwrap();
            }
        }
    });
}

#[test]
fn a_window_takes_as_long_as_is_wanted_from_the_next_turn_on() {
    within(60, || {
        let mut reactor = reactor(&ReactorConfig {
            long_window: Duration::from_secs(3600),
            ..config()
        });
        let waker = reactor.waker();
        let mut wait = |window| {
            reactor.set_window(window);
            let mut events = Vec::new();
            reactor.turn(WhenIdle::Sleep, &mut events).unwrap();
            events
        };
        for _ in 0..3 {
            while !matches!(wait(Window::Short)[..], [Event::WindowEnded { .. }]) {}
            // The short timer may fire until it is removed. After that only the wake ends a wait.
            let mut has_ended = true;
            while has_ended {
                let waker = waker.clone();
                let other = std::thread::spawn(move || {
                    std::thread::sleep(50 * WINDOW);
                    waker.wake();
                });
                let mut events = Vec::new();
                while !events.iter().any(|event| matches!(event, Event::Wake)) {
                    events.extend(wait(Window::Long));
                }
                other.join().unwrap();
                has_ended = events
                    .iter()
                    .any(|event| matches!(event, Event::WindowEnded { .. }));
            }
        }
    });
}

/// Turns until a window has ended; `choose` says which length to want before each turn. Returns the window.
fn next_window(reactor: &mut Reactor, mut choose: impl FnMut() -> Window) -> Window {
    let mut events = Vec::new();
    loop {
        reactor.set_window(choose());
        reactor.turn(WhenIdle::Return, &mut events).unwrap();
        match events.pop() {
            None => {}
            Some(Event::WindowEnded { window }) => return window,
            Some(other) => panic!("{other:?}"),
        }
    }
}

/// Only one of the two windows ever ends: the other takes an hour.
fn one_ends(ends: Window, after: Duration) -> ReactorConfig {
    let hour = Duration::from_secs(3600);
    let (short, long) = match ends {
        Window::Short => (after, hour),
        Window::Long => (hour, after),
    };
    ReactorConfig {
        short_window: short,
        long_window: long,
        ..config()
    }
}

#[test]
fn an_end_says_which_window_has_ended() {
    within(60, || {
        for window in [Window::Short, Window::Long] {
            let mut reactor = reactor(&one_ends(window, WINDOW));
            for _ in 0..3 {
                assert_eq!(next_window(&mut reactor, || window), window);
            }
        }
    });
}

/// A timer that began anew with each change of mind would never fire.
#[test]
fn a_window_ends_although_another_length_is_wanted_in_each_turn() {
    within(60, || {
        for first in [Window::Short, Window::Long] {
            let mut reactor = reactor(&one_ends(Window::Short, Duration::from_millis(300)));
            let mut wanted = first;
            let ended = next_window(&mut reactor, || {
                let other = match wanted {
                    Window::Short => Window::Long,
                    Window::Long => Window::Short,
                };
                std::mem::replace(&mut wanted, other)
            });
            assert_eq!(ended, Window::Short);
        }
    });
}

/// Neither the first window nor a later one.
#[test]
fn a_short_window_is_not_made_longer() {
    within(60, || {
        let mut reactor = reactor(&one_ends(Window::Short, Duration::from_millis(20)));
        for _ in 0..4 {
            let mut wanted = std::iter::once(Window::Short).chain(std::iter::repeat(Window::Long));
            let ended = next_window(&mut reactor, || wanted.next().unwrap());
            assert_eq!(ended, Window::Short);
        }
    });
}

/// The kernel does not find a timer that is firing, and does not remove it.
#[test]
fn a_timer_that_fires_while_it_is_removed_is_removed_later() {
    within(60, || {
        in_runtime(|| async {
            let mut reactor = reactor(&ReactorConfig {
                short_window: Duration::from_micros(20),
                long_window: Duration::from_micros(30),
                ..config()
            });
            let mut events = Vec::new();
            for round in 0..20_000 {
                reactor.set_window(match round % 2 {
                    0 => Window::Short,
                    _ => Window::Long,
                });
                reactor.turn(WhenIdle::Sleep, &mut events).unwrap();
                events.clear();
            }
            let mut has_slept = false;
            for _ in 0..100 {
                has_slept |= !ends_within(Duration::from_millis(5), reactor.park()).await;
            }
            assert!(has_slept, "the timer is never over");
        });
    });
}

/// The events of a turn that waits for nothing.
fn events_of(reactor: &mut Reactor) -> Vec<Event> {
    let mut events = Vec::new();
    reactor.turn(WhenIdle::Return, &mut events).unwrap();
    events
}

#[test]
fn a_park_of_limited_length_ends_by_itself_and_no_event_tells() {
    const LENGTH: Duration = Duration::from_millis(20);
    within(30, || {
        in_runtime(|| async {
            let mut reactor = reactor(&config());
            for _ in 0..5 {
                let begun = Instant::now();
                reactor.park_for(LENGTH).await.unwrap();
                assert!(begun.elapsed() >= LENGTH, "{:?}", begun.elapsed());
                assert!(!reactor.has_events());
            }
            let events = events_of(&mut reactor);
            let is_window = |event: &Event| matches!(event, Event::WindowEnded { .. });
            assert!(events.iter().all(is_window), "{events:?}");
        });
    });
}

/// The alarm of a park that has ended early neither keeps a later one too long nor ends it each time.
#[test]
fn a_park_that_ends_early_does_not_matter_to_the_next() {
    const SHORT: Duration = Duration::from_millis(20);
    within(60, || {
        in_runtime(|| async {
            let mut reactor = reactor(&config());
            for long in [Duration::from_secs(3600), Duration::MAX, SHORT] {
                reactor.waker().wake();
                reactor.park_for(long).await.unwrap();
                reactor.park_for(long).await.unwrap();
                let events = events_of(&mut reactor);
                assert!(matches!(events[..], [Event::Wake]), "{events:?}");
                // It may end with an alarm that was set before, but not for ever.
                let begun = Instant::now();
                while begun.elapsed() < SHORT {
                    reactor.park_for(SHORT).await.unwrap();
                }
                assert!(!ends_within(SHORT, reactor.park()).await);
            }
        });
    });
}

#[test]
fn what_comes_ends_a_park_of_limited_length() {
    within(30, || {
        in_runtime(|| async {
            let mut reactor = reactor(&config());
            for _ in 0..5 {
                let waker = reactor.waker();
                let sender = std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_millis(10));
                    waker.wake();
                });
                while !reactor.has_events() {
                    reactor.park_for(Duration::from_secs(3600)).await.unwrap();
                }
                let events = events_of(&mut reactor);
                assert!(matches!(events[..], [Event::Wake]), "{events:?}");
                sender.join().unwrap();
            }
        });
    });
}
