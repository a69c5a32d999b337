//! Opens connections that were lost, on a thread of its own for each server: a worker never waits for a connect.

use super::FleetConfig;
use crate::error::{LoadError, Result};
use crate::net::connect::{ShardPorts, connect};
use crate::target::{Endpoint, GroupId, Router};
use crate::worker::links::{Order, pause};
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// The way in which the connections of a group are opened.
#[derive(Debug)]
pub(super) enum Opener {
    /// To a server.
    Server(Endpoint),
    /// To a shard of a server, chosen by the source port.
    Shard(Endpoint, ShardPorts),
}

impl Opener {
    /// The opener for server number `server` of `config`, or for all shards of its only server.
    pub(super) fn new(config: &FleetConfig, server: usize) -> Self {
        match &config.router {
            Router::Single => Self::Server(config.endpoints[0].clone()),
            Router::Ketama(_) => Self::Server(config.endpoints[server].clone()),
            Router::Shards(map) => {
                Self::Shard(config.endpoints[0].clone(), ShardPorts::new(map.shards()))
            }
        }
    }

    /// Opens a connection.
    pub(super) fn open(&mut self, group: GroupId) -> Result<OwnedFd> {
        match self {
            Self::Server(endpoint) => connect(endpoint),
            Self::Shard(endpoint, ports) => ports.connect(endpoint, group.0),
        }
    }
}

/// How many openers a configuration has: shards of one server share theirs.
pub(super) fn openers(config: &FleetConfig) -> usize {
    match &config.router {
        Router::Ketama(ring) => ring.servers(),
        Router::Single | Router::Shards(_) => 1,
    }
}

/// Starts the threads and returns where orders go. They end when all senders are gone.
pub(super) fn start(config: &FleetConfig) -> Result<Sender<Order>> {
    let mut outlets = Vec::new();
    for server in 0..openers(config) {
        let (outlet, inbox) = channel();
        outlets.push(outlet);
        let opener = Opener::new(config, server);
        thread(&format!("dial-{server}"), move || dial(opener, &inbox))?;
    }
    let (orders, inbox) = channel::<Order>();
    thread("dial", move || {
        for order in inbox {
            let server = order.group.0 % outlets.len();
            // The threads live as long as this one.
            let _ = outlets[server].send(order);
        }
    })?;
    Ok(orders)
}

fn thread(name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map(drop)
        .map_err(|error| LoadError::failed("starting a thread", &error))
}

/// The life of a thread that opens connections to one server.
fn dial(mut opener: Opener, inbox: &Receiver<Order>) {
    let mut orders: Vec<(Instant, Order)> = Vec::new();
    let mut failures = 0;
    let mut not_before = Instant::now();
    loop {
        let next = orders.iter().map(|(at, _)| (*at).max(not_before)).min();
        let received = match next {
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => inbox.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        match received {
            Ok(order) => orders.push((Instant::now() + order.pause, order)),
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let now = Instant::now();
        if now < not_before {
            continue;
        }
        let Some(index) = orders.iter().position(|(at, _)| *at <= now) else {
            continue;
        };
        let (_, order) = orders.swap_remove(index);
        match opener.open(order.group) {
            Ok(socket) => {
                failures = 0;
                // A worker that has ended needs no connection.
                let _ = order.outlet.send((order.id, socket));
            }
            Err(_) => {
                failures += 1;
                not_before = Instant::now() + pause(failures).max(Duration::from_millis(1));
                orders.push((not_before, order));
            }
        }
    }
}
