//! Connections to one server, kept for later.
//!
//! ```text
//!   take: an idle one, the last used first --> use --> give back, if nothing is outstanding on it
//!         else a new one, if fewer than connections_max are in use
//!         else wait, at most for the read timeout
//! ```
//!
//! A connection that the server has closed meanwhile, or on which the server has sent something unasked, is dropped
//! instead of being used again. After a failed connect the server is left alone for `retry_after`: requests fail at
//! once.

use crate::connection::Connection;
use crate::error::{Doing, Error, Result};
use crate::{Address, Config, SourcePorts};
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The target of a pool's connections.
#[derive(Debug)]
pub(crate) enum Target {
    /// To a server.
    Server(Address),
    /// To a shard of a server, which the source port chooses.
    Shard {
        address: Address,
        shard: usize,
        ports: Mutex<SourcePorts>,
    },
}

impl Target {
    pub(crate) fn shard(address: Address, shard: usize, shards: usize) -> Self {
        Target::Shard {
            address,
            shard,
            ports: Mutex::new(SourcePorts::new(shards)),
        }
    }

    pub(crate) fn address(&self) -> &Address {
        match self {
            Target::Server(address) | Target::Shard { address, .. } => address,
        }
    }

    /// The source ports to try; `None` if any will do. Each call begins behind the first port of the call before.
    pub(crate) fn source_ports(&self) -> Option<Vec<u16>> {
        match self {
            Target::Server(_) => None,
            Target::Shard { shard, ports, .. } => {
                let mut ports = lock(ports);
                let first = ports.of(*shard).next();
                let rest: Vec<u16> = ports.clone().of(*shard).collect();
                Some(first.into_iter().chain(rest).collect())
            }
        }
    }
}

/// Locks a mutex, even if a thread panicked while holding it: the values behind the mutexes of this crate are
/// consistent between any two statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A failed connect: when it failed, and why.
#[derive(Debug)]
pub(crate) struct Outage {
    until: Instant,
    kind: io::ErrorKind,
    text: String,
}

impl Outage {
    /// The outage that begins with `error`; `None` if the server was reached.
    pub(crate) fn of(error: &Error, pause: Duration) -> Option<Self> {
        let kind = match error {
            Error::Io(error) => error.kind(),
            Error::Timeout(_) => io::ErrorKind::TimedOut,
            _ => return None,
        };
        Some(Outage {
            until: Instant::now() + pause,
            kind,
            text: error.to_string(),
        })
    }

    /// The error for requests during the outage; `None` once the outage is over.
    pub(crate) fn error(&self) -> Option<Error> {
        (Instant::now() < self.until).then(|| {
            let text = format!("left alone for a moment since {}", self.text);
            Error::Io(io::Error::new(self.kind, text))
        })
    }
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Connection>,
    in_use: usize,
    outage: Option<Outage>,
}

/// Connections to one server.
#[derive(Debug)]
pub(crate) struct Pool {
    target: Target,
    config: Config,
    state: Mutex<State>,
    given_back: Condvar,
}

impl Pool {
    pub(crate) fn new(target: Target, config: Config) -> Self {
        Pool {
            target,
            config,
            state: Mutex::default(),
            given_back: Condvar::new(),
        }
    }

    pub(crate) fn address(&self) -> &Address {
        self.target.address()
    }

    /// A connection that is ready.
    pub(crate) fn take(&self) -> Result<Pooled<'_>> {
        let mut state = self.wait_for_a_place()?;
        state.in_use += 1;
        // From here on the place is given back by `Drop`, also after an error.
        let mut pooled = Pooled {
            pool: self,
            connection: None,
        };
        while let Some(connection) = state.idle.pop() {
            if connection.is_reusable() {
                pooled.connection = Some(connection);
                return Ok(pooled);
            }
        }
        if let Some(error) = state.outage.as_ref().and_then(Outage::error) {
            drop(state);
            return Err(error);
        }
        drop(state);
        let opened = self.open();
        let outage = opened
            .as_ref()
            .err()
            .and_then(|error| Outage::of(error, self.config.retry_after));
        lock(&self.state).outage = outage;
        pooled.connection = Some(opened?);
        Ok(pooled)
    }

    fn wait_for_a_place(&self) -> Result<MutexGuard<'_, State>> {
        let state = lock(&self.state);
        let full = |state: &mut State| state.in_use >= self.config.connections_max;
        let waited = self
            .given_back
            .wait_timeout_while(state, self.config.read_timeout, full);
        let (state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() && state.in_use >= self.config.connections_max {
            return Err(Error::Timeout(Doing::Pool));
        }
        Ok(state)
    }

    fn open(&self) -> Result<Connection> {
        match self.target.source_ports() {
            None => Connection::open_at(self.address(), &self.config),
            Some(ports) => Connection::open_from(self.address(), ports.into_iter(), &self.config),
        }
    }
}

/// A connection of a pool, which goes back to it.
#[derive(Debug)]
pub(crate) struct Pooled<'p> {
    pool: &'p Pool,
    connection: Option<Connection>,
}

impl Pooled<'_> {
    pub(crate) fn connection(&mut self) -> Result<&mut Connection> {
        self.connection.as_mut().ok_or(Error::Closed)
    }
}

impl Drop for Pooled<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.pool.state);
        state.in_use -= 1;
        if let Some(connection) = self.connection.take()
            && connection.is_idle()
            && state.idle.len() < self.pool.config.idle_max
        {
            state.idle.push(connection);
        }
        drop(state);
        self.pool.given_back.notify_one();
    }
}
