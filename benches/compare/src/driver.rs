//! The measuring loop.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use crate::args::Args;
use crate::cpu::CpuTime;
use crate::keyspace::Keyspace;
use crate::replies::Replies;
use crate::report::Report;
use crate::requests::{Batches, Expected};

/// Bytes taken from a socket at once: a batch of 50 small values, a large part of a big one.
const RECEIVE_BYTES: usize = 256 * 1024;

/// Longest latency told apart, one minute.
const LATENCY_NS_MAX: u64 = 60_000_000_000;

/// Events taken from epoll at once.
const EVENTS_MAX: usize = 512;

/// One connection: at most one batch in flight.
struct Connection {
    stream: TcpStream,
    replies: Replies,
    expected: VecDeque<Expected>,
    out: Vec<u8>,
    sent: usize,
    begun: Instant,
}

/// Opens the connections and lets them be.
pub(crate) fn idle(args: &Args) -> io::Result<Report> {
    let streams = (0..args.connections)
        .map(|_| TcpStream::connect((args.host.as_str(), args.port)))
        .collect::<io::Result<Vec<_>>>()?;
    std::thread::sleep(Duration::from_secs_f64(args.warmup_seconds));
    let cpu = CpuTime::of(args.server_pid)?;
    let begun = Instant::now();
    std::thread::sleep(Duration::from_secs_f64(args.seconds));
    let report = Report {
        seconds: begun.elapsed().as_secs_f64(),
        cpu: CpuTime::of(args.server_pid)?.since(&cpu),
        ..Report::default()
    };
    drop(streams);
    Ok(report)
}

/// Runs requests over all connections for the asked time.
pub(crate) fn closed_loop(args: &Args) -> io::Result<Report> {
    let mut driver = Driver::new(args)?;
    driver.run_for(args.warmup_seconds)?;
    let before = driver.counts();
    driver.latency.reset();
    let cpu = CpuTime::of(args.server_pid)?;
    let begun = Instant::now();
    driver.run_for(args.seconds)?;
    let seconds = begun.elapsed().as_secs_f64();
    let cpu = CpuTime::of(args.server_pid)?.since(&cpu);
    let after = driver.counts();
    let micros = |quantile| driver.latency.value_at_quantile(quantile) as f64 / 1000.0;
    Ok(Report {
        seconds,
        cpu,
        requests: after.requests - before.requests,
        misses: after.misses - before.misses,
        p50_us: micros(0.50),
        p99_us: micros(0.99),
    })
}

struct Counts {
    requests: u64,
    misses: u64,
}

struct Driver {
    epoll: OwnedFd,
    connections: Vec<Connection>,
    batches: Batches,
    depth: u64,
    requests: u64,
    latency: Histogram<u64>,
    receive: Vec<u8>,
    events: Vec<epoll::Event>,
}

impl Driver {
    fn new(args: &Args) -> io::Result<Self> {
        let mut driver = Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            connections: Vec::with_capacity(args.connections),
            batches: Batches::new(args)?,
            depth: args.depth.into(),
            requests: 0,
            latency: Histogram::new_with_max(LATENCY_NS_MAX, 3).map_err(io::Error::other)?,
            receive: vec![0; RECEIVE_BYTES],
            events: Vec::with_capacity(EVENTS_MAX),
        };
        for index in 0..args.connections {
            let stream = TcpStream::connect((args.host.as_str(), args.port))?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            // Edge-triggered: one registration serves reading and the rare blocked write.
            let interest = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
            let data = epoll::EventData::new_u64(index as u64);
            epoll::add(&driver.epoll, &stream, data, interest)?;
            driver.connections.push(Connection {
                stream,
                replies: Replies::new(Keyspace::new(args)),
                expected: VecDeque::new(),
                out: Vec::new(),
                sent: 0,
                begun: Instant::now(),
            });
        }
        for connection in &mut driver.connections {
            connection.begin(&mut driver.batches)?;
        }
        Ok(driver)
    }

    fn counts(&self) -> Counts {
        Counts {
            requests: self.requests,
            misses: self.connections.iter().map(|c| c.replies.misses()).sum(),
        }
    }

    fn run_for(&mut self, seconds: f64) -> io::Result<()> {
        let end = Instant::now() + Duration::from_secs_f64(seconds);
        while Instant::now() < end {
            self.turn()?;
        }
        Ok(())
    }

    fn turn(&mut self) -> io::Result<()> {
        let timeout = Timespec {
            tv_sec: 1,
            tv_nsec: 0,
        };
        self.events.clear();
        epoll::wait(
            &self.epoll,
            spare_capacity(&mut self.events),
            Some(&timeout),
        )?;
        for event in &self.events {
            let flags = event.flags;
            let connection = &mut self.connections[event.data.u64() as usize];
            connection.send()?;
            if !flags.contains(epoll::EventFlags::IN) {
                continue;
            }
            if connection.receive(&mut self.receive)? {
                let elapsed = connection.begun.elapsed().as_nanos() as u64;
                self.latency.saturating_record(elapsed);
                self.requests += self.depth;
                connection.begin(&mut self.batches)?;
            }
        }
        Ok(())
    }
}

impl Connection {
    /// Starts the next batch.
    fn begin(&mut self, batches: &mut Batches) -> io::Result<()> {
        batches.next(&mut self.out, &mut self.expected);
        self.sent = 0;
        self.begun = Instant::now();
        self.send()
    }

    /// Sends what the socket takes.
    fn send(&mut self) -> io::Result<()> {
        while self.sent < self.out.len() {
            match self.stream.write(&self.out[self.sent..]) {
                Ok(sent) => self.sent += sent,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads and checks what has arrived; true when it completed the batch.
    ///
    /// A read that does not fill the buffer has emptied the socket, or the next edge will tell.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        loop {
            let length = match self.stream.read(buffer) {
                Ok(0) => return Err(io::Error::other("the server closed a connection")),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            };
            self.replies.feed(&buffer[..length], &mut self.expected)?;
            if self.expected.is_empty() {
                return Ok(true);
            }
            if length < buffer.len() {
                return Ok(false);
            }
        }
    }
}
