//! Connections to one server, kept for later. This pool differs from the blocking pool in that tasks wait, not threads.
//!
//! ```text
//!   a permit of the semaphore  -->  an idle connection, or a new one  -->  use  -->  back
//! ```

use super::connection::Connection;
use super::socket::within;
use crate::error::{Doing, Error, Result};
use crate::pool::{Outage, Target, lock};
use crate::{Address, Config};
use std::sync::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};

#[derive(Debug, Default)]
struct State {
    idle: Vec<Connection>,
    outage: Option<Outage>,
}

/// Connections to one server.
#[derive(Debug)]
pub(super) struct Pool {
    target: Target,
    config: Config,
    places: Semaphore,
    state: Mutex<State>,
}

impl Pool {
    pub(super) fn new(target: Target, config: Config) -> Self {
        Pool {
            target,
            places: Semaphore::new(config.connections_max.min(Semaphore::MAX_PERMITS)),
            config,
            state: Mutex::default(),
        }
    }

    pub(super) fn address(&self) -> &Address {
        self.target.address()
    }

    /// A connection that is ready.
    pub(super) async fn take(&self) -> Result<Pooled<'_>> {
        let place = within(self.config.read_timeout, Doing::Pool, self.places.acquire()).await?;
        // The semaphore is never closed.
        let place = place.map_err(|_| Error::Closed)?;
        if let Some(connection) = self.idle()? {
            return Ok(Pooled {
                pool: self,
                connection: Some(connection),
                _place: place,
            });
        }
        let ports = self.target.source_ports();
        let opened = Connection::open_at(self.address(), ports, &self.config).await;
        let outage = opened
            .as_ref()
            .err()
            .and_then(|error| Outage::of(error, self.config.retry_after));
        lock(&self.state).outage = outage;
        Ok(Pooled {
            pool: self,
            connection: Some(opened?),
            _place: place,
        })
    }

    /// An idle connection that can be used; an error while the server is left alone.
    fn idle(&self) -> Result<Option<Connection>> {
        let mut state = lock(&self.state);
        while let Some(connection) = state.idle.pop() {
            if connection.is_reusable() {
                return Ok(Some(connection));
            }
        }
        match state.outage.as_ref().and_then(Outage::error) {
            Some(error) => Err(error),
            None => Ok(None),
        }
    }
}

/// A connection of a pool, which goes back to it.
#[derive(Debug)]
pub(super) struct Pooled<'p> {
    pool: &'p Pool,
    connection: Option<Connection>,
    _place: SemaphorePermit<'p>,
}

impl Pooled<'_> {
    pub(super) fn connection(&mut self) -> Result<&mut Connection> {
        self.connection.as_mut().ok_or(Error::Closed)
    }
}

impl Drop for Pooled<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.pool.state);
        if let Some(connection) = self.connection.take()
            && connection.is_idle()
            && state.idle.len() < self.pool.config.idle_max
        {
            state.idle.push(connection);
        }
    }
}
