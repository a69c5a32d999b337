//! Code that the tests share: connected sockets, a loop that collects events, a watchdog, random numbers.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::time::Duration;

use corecached_reactor::runtime::{self, Runtime};
use corecached_reactor::{Event, Io, Reactor, ReactorConfig, Stream, Token, WhenIdle};

/// The driver that the tests run over: the one that a module above is called after.
pub(crate) fn driver() -> Io {
    match module_path!().contains("::epoll::") {
        true => Io::Epoll,
        false => Io::Uring,
    }
}

/// The defaults of this driver.
pub(crate) fn default_config() -> ReactorConfig {
    ReactorConfig {
        io: driver(),
        ..ReactorConfig::default()
    }
}

/// Runs `work` on a thread of its own in the runtime that goes with the driver, as a shard does.
pub(crate) fn in_runtime<T, F>(work: impl FnOnce() -> F + Send + 'static) -> T
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let thread = std::thread::spawn(move || Runtime::new(driver()).unwrap().run(work()));
    match thread.join() {
        Ok(output) => output,
        Err(payload) => std::panic::resume_unwind(payload),
    }
}

/// Gives `work` up after `time`; true if it has ended before.
pub(crate) async fn ends_within(time: Duration, work: impl Future) -> bool {
    let (mut work, mut time) = (pin!(work), pin!(runtime::sleep(time)));
    poll_fn(|context| {
        if work.as_mut().poll(context).is_ready() {
            return Poll::Ready(true);
        }
        time.as_mut().poll(context).map(|()| false)
    })
    .await
}

/// Small queues, so that the tests also pass through what large ones hide.
pub(crate) fn small() -> ReactorConfig {
    ReactorConfig {
        entries: 8,
        completion_entries: 16,
        buffers: 16,
        buffer_bytes: 1024,
        ..default_config()
    }
}

pub(crate) fn reactor(config: &ReactorConfig) -> Reactor {
    match Reactor::new(config) {
        Ok(reactor) => reactor,
        Err(error) => panic!("{error}"),
    }
}

pub(crate) fn listen() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

/// A socket in the form in which the reactor shares it.
pub(crate) fn shared(socket: &impl AsFd) -> Arc<OwnedFd> {
    Arc::new(socket.as_fd().try_clone_to_owned().unwrap())
}

/// A connection: the reactor's end and the peer's.
pub(crate) fn connection(listener: &TcpListener) -> (OwnedFd, TcpStream) {
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (own, _) = listener.accept().unwrap();
    own.set_nodelay(true).unwrap();
    peer.set_nodelay(true).unwrap();
    (own.into(), peer)
}

/// A connection in the reactor's care.
pub(crate) fn opened(
    reactor: &mut Reactor,
    listener: &TcpListener,
    token: u64,
) -> (Stream, TcpStream) {
    let (own, peer) = connection(listener);
    (reactor.open(own, Token(token)), peer)
}

/// Closes connections, so that their peers see the end.
pub(crate) fn hang_up(reactor: &mut Reactor, streams: impl IntoIterator<Item = Stream>) {
    streams.into_iter().for_each(|stream| reactor.close(stream));
    reactor.turn(WhenIdle::Return, &mut Vec::new()).unwrap();
}

/// The events of one turn, without those for the passing of time.
pub(crate) fn poll(reactor: &mut Reactor) -> Vec<Event> {
    let mut events = Vec::new();
    reactor.turn(WhenIdle::Return, &mut events).unwrap();
    events.retain(|event| !matches!(event, Event::WindowEnded { .. }));
    events
}

/// Waits for events and passes each to `handle` until it returns true.
pub(crate) fn run_until(
    reactor: &mut Reactor,
    mut handle: impl FnMut(&mut Reactor, Event) -> bool,
) {
    let mut events = Vec::new();
    loop {
        reactor.turn(WhenIdle::Sleep, &mut events).unwrap();
        let mut is_done = false;
        for event in events.drain(..) {
            is_done |= handle(reactor, event);
        }
        if is_done {
            return;
        }
    }
}

/// Runs `work` on a thread of its own and fails if it takes longer than `seconds`.
pub(crate) fn within<T: Send + 'static>(
    seconds: u64,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (done, result) = mpsc::channel();
    let worker = std::thread::spawn(move || {
        let _ = done.send(work());
    });
    match result.recv_timeout(Duration::from_secs(seconds)) {
        Ok(value) => value,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("hangs: not finished after {seconds} s"),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            std::panic::resume_unwind(worker.join().unwrap_err())
        }
    }
}

/// True for the errors that mean "not now".
pub(crate) fn would_block(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// A xorshift generator: repeatable, its seed is in the test.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// The bytes a connection with this seed carries: position-dependent, so that loss and disorder show.
pub(crate) fn pattern(seed: usize, len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| ((seed * 31 + at) ^ (at >> 8)) as u8)
        .collect()
}
