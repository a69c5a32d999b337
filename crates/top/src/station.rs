//! The look at one server, again and again, each time over the same connection if it still stands.
//!
//! ```text
//!   look() -- connected? --no--> connect, authenticate
//!               |
//!           stats, stats shards, stats latency, stats hotkeys    (those it has refused are not asked again)
//!               |
//!           View, or why there is none: the connection is given up, and the next look connects
//! ```

use std::collections::HashSet;
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::{Duration, Instant};

use corecached_client::request::{Password, Stats};
use corecached_client::{Address, Connection, Error, Protocol, Session, Socket};

use crate::args::Options;
use crate::bounded::{Bounded, REPLY_BYTES_MAX, REPLY_TIME_MAX};
use crate::escape::printable;
use crate::snapshot::{Pairs, Snapshot};
use crate::view::View;

/// The result of a look: the figures, or a sentence that says why there are none.
pub(crate) type Look = Result<Box<View>, String>;

/// The part that looks at one server.
pub(crate) struct Station {
    address: Address,
    login: Option<(String, String)>,
    connection: Option<Connection<Bounded>>,
    /// Subcommands that this connection's server has refused.
    refused: HashSet<&'static str>,
    /// The last look and when it was.
    before: Option<(Snapshot, Instant)>,
}

impl Station {
    pub(crate) fn new(address: Address, options: &Options) -> Self {
        Self {
            address,
            login: options.login.clone(),
            connection: None,
            refused: HashSet::new(),
            before: None,
        }
    }

    /// Looks at the server now.
    pub(crate) fn look(&mut self) -> Look {
        match self.snapshot() {
            Ok(now) => Ok(Box::new(self.compare(now))),
            Err(error) => {
                self.connection = None;
                self.before = None;
                Err(printable(&error.to_string()))
            }
        }
    }

    fn compare(&mut self, now: Snapshot) -> View {
        let at = Instant::now();
        let before = self.before.as_ref();
        let apart = before.map_or(Duration::ZERO, |(_, then)| at - *then);
        let view = View::of(&now, before.map(|(snapshot, _)| snapshot), apart);
        self.before = Some((now, at));
        view
    }

    fn snapshot(&mut self) -> Result<Snapshot, Error> {
        if self.connection.is_none() {
            self.connection = Some(self.connect()?);
            self.refused.clear();
        }
        let mut snapshot = Snapshot::default();
        let general = self.ask("")?.filter(|pairs| !pairs.is_empty());
        snapshot.take_general(general.ok_or_else(no_statistics)?);
        snapshot.take_shards(self.ask("shards")?.unwrap_or_default());
        snapshot.take_latency(self.ask("latency")?.unwrap_or_default());
        snapshot.take_hot_keys(self.ask("hotkeys")?.unwrap_or_default());
        Ok(snapshot)
    }

    fn connect(&self) -> Result<Connection<Bounded>, Error> {
        let socket = Socket::open(&self.address, REPLY_TIME_MAX)?;
        let session = Session::new(Protocol::Text, REPLY_BYTES_MAX);
        let mut connection = Connection::over(Bounded::new(socket), session);
        if let Some((user, password)) = &self.login {
            connection.call(&Password { user, password })?;
        }
        Ok(connection)
    }

    /// The statistics of a subcommand; `None` if the server does not have it.
    fn ask(&mut self, of: &'static str) -> Result<Option<Pairs>, Error> {
        if self.refused.contains(of) {
            return Ok(None);
        }
        let Some(connection) = &mut self.connection else {
            return Err(Error::Closed);
        };
        connection.stream().begin();
        match connection.call(&Stats { of }) {
            Ok(pairs) => Ok(Some(pairs)),
            Err(Error::Client(_) | Error::Server(_)) if !of.is_empty() => {
                self.refused.insert(of);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

fn no_statistics() -> Error {
    Error::Config("the server has no statistics".to_owned())
}

/// Starts a thread for each server, which looks at it every `interval` and sends what it has found with the server's
/// number. The threads end when nobody receives any more.
pub(crate) fn watch(options: &Options, interval: Duration, looks: &SyncSender<(usize, Look)>) {
    for (number, address) in options.servers.iter().enumerate() {
        let mut station = Station::new(address.clone(), options);
        let looks = looks.clone();
        thread::spawn(move || {
            let mut due = Instant::now();
            while looks.send((number, station.look())).is_ok() {
                // After a look that took long, no looks are made up for.
                due = (due + interval).max(Instant::now());
                thread::sleep(due - Instant::now().min(due));
            }
        });
    }
}
