//! Opens connections: all of a fleet's at its start, and single ones later.

use super::config::FleetConfig;
use crate::error::Result;
use crate::net::connect::{ShardPorts, connect};
use crate::net::handshake::Opened;
use crate::net::server::Server;
use crate::target::{GroupId, Router};

/// The way in which the connections of a group are opened.
#[derive(Debug)]
pub(super) enum Opener {
    /// To a server.
    Server(Server),
    /// To a shard of a server, chosen by the source port.
    Shard(Server, ShardPorts),
}

impl Opener {
    /// The opener for server number `server` of `config`, or for all shards of its only server.
    pub(super) fn new(config: &FleetConfig, server: usize) -> Self {
        match &config.router {
            Router::Single => Self::Server(config.servers[0].clone()),
            Router::Ketama(_) => Self::Server(config.servers[server].clone()),
            Router::Shards(map) => {
                Self::Shard(config.servers[0].clone(), ShardPorts::new(map.shards()))
            }
        }
    }

    /// Opens a connection.
    pub(super) fn open(&mut self, group: GroupId) -> Result<Opened> {
        match self {
            Self::Server(server) => connect(server),
            Self::Shard(server, ports) => ports.connect(server, group.0),
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

/// The connections of a worker.
pub(super) type Share = Vec<(Opened, GroupId)>;

/// Opens `connections` connections, and deals them out to the workers.
pub(super) fn open_all(config: &FleetConfig, connections: usize) -> Result<Vec<Share>> {
    let (workers, groups) = (config.cpus.len(), config.router.groups());
    let openers = openers(config);
    let mut openers: Vec<Opener> = (0..openers)
        .map(|server| Opener::new(config, server))
        .collect();
    let servers = openers.len();
    let mut shares: Vec<Share> = (0..workers).map(|_| Vec::new()).collect();
    for index in 0..connections {
        let group = GroupId((index / workers) % groups);
        let opened = openers[group.0 % servers].open(group)?;
        shares[index % workers].push((opened, group));
    }
    Ok(shares)
}
