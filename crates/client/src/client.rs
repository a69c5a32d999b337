//! A blocking client of one server, several servers, or the shards of one server.
//!
//! ```text
//!   get(key) -> Router: which pool -> a connection of the pool -> call -> back into the pool
//!   get_many(keys) -> keys of each pool -> all requests are sent -> all answers are read -> in the order of the keys
//! ```

use crate::error::{Error, Result};
use crate::limits::KEYS_AT_ONCE;
use crate::pool::{Pool, Pooled, Target};
use crate::request::{self, GetMany, Request};
use crate::route::{Ketama, ShardMap};
use crate::verbs::keyed_verbs;
use crate::{Address, Config, Connection, Item};

/// Which pool serves a key.
#[derive(Clone, Debug)]
pub(crate) enum Router {
    Single,
    Ketama(Ketama),
    Shards(ShardMap),
}

impl Router {
    pub(crate) fn route(&self, key: &[u8]) -> usize {
        match self {
            Router::Single => 0,
            Router::Ketama(ring) => ring.server(key),
            Router::Shards(map) => map.shard(key),
        }
    }

    /// The ring over several servers, or none over one.
    pub(crate) fn over(servers: &[(Address, u32)]) -> Result<Self> {
        match servers {
            [] => Err(Error::Config("a client needs a server".to_owned())),
            [_] => Ok(Router::Single),
            _ if servers.iter().all(|(_, weight)| *weight == 0) => {
                Err(Error::Config("all servers have the weight 0".to_owned()))
            }
            _ => {
                let named = servers
                    .iter()
                    .map(|(address, weight)| (address.to_string(), *weight));
                Ok(Router::Ketama(Ketama::weighted(named)))
            }
        }
    }
}

/// The indices of `keys` by the pool that serves them.
pub(crate) fn split<K: AsRef<[u8]>>(router: &Router, pools: usize, keys: &[K]) -> Vec<Vec<usize>> {
    let mut parts = vec![Vec::new(); pools];
    for (index, key) in keys.iter().enumerate() {
        parts[router.route(key.as_ref())].push(index);
    }
    parts
}

/// Parses addresses, and gives each the weight 1.
pub(crate) fn alike<A>(servers: impl IntoIterator<Item = A>) -> Result<Vec<(Address, u32)>>
where
    A: TryInto<Address>,
    Error: From<A::Error>,
{
    let mut addresses = Vec::new();
    for server in servers {
        addresses.push((server.try_into()?, 1));
    }
    Ok(addresses)
}

/// A blocking client. Threads share it by reference; each request takes a connection of a pool for itself.
///
/// Connections are opened when they are first needed: making a client of servers that are not there is no error.
///
/// ```no_run
/// use corecached_client::{Client, Config};
/// use std::time::Duration;
///
/// let client = Client::connect(["cache1:11211", "cache2:11211"], Config::new())?;
/// client.set("user:7", "Ada", Duration::from_secs(300))?;
/// let found = client.get_many(&["user:7", "user:8"])?;
/// assert_eq!(found[0].as_ref().map(|item| &item.value[..]), Some(&b"Ada"[..]));
/// # Ok::<(), corecached_client::Error>(())
/// ```
#[derive(Debug)]
pub struct Client {
    pools: Vec<Pool>,
    router: Router,
}

impl Client {
    /// A client of one server, or of several equal servers, over which keys are spread as by libmemcached's weighted
    /// ketama.
    ///
    /// # Errors
    ///
    /// If there is no server, or an address cannot be parsed.
    pub fn connect<A>(servers: impl IntoIterator<Item = A>, config: Config) -> Result<Self>
    where
        A: TryInto<Address>,
        Error: From<A::Error>,
    {
        Self::weighted(alike(servers)?, config)
    }

    /// A client of servers of different sizes, each with its share of the keys.
    ///
    /// # Errors
    ///
    /// If there is no server with a weight above 0.
    pub fn weighted(servers: Vec<(Address, u32)>, config: Config) -> Result<Self> {
        let router = Router::over(&servers)?;
        let targets = servers
            .into_iter()
            .map(|(address, _)| Target::Server(address));
        Ok(Self::over(targets, router, &config))
    }

    /// A client of one corecached server, which asks the shard of each key directly: no request goes from one of the
    /// server's cores to another. The server must have a shard port (`-o shard_port=N`).
    ///
    /// # Errors
    ///
    /// If the server cannot be reached, or has no shards.
    pub fn shard_aware<A>(server: A, config: Config) -> Result<Self>
    where
        A: TryInto<Address>,
        Error: From<A::Error>,
    {
        let address = server.try_into()?;
        let stats = Connection::open_at(&address, &config)?.stats("shards")?;
        let (map, address) = shards_of(&address, &stats)?;
        let targets =
            (0..map.shards()).map(|shard| Target::shard(address.clone(), shard, map.shards()));
        Ok(Self::over(targets, Router::Shards(map), &config))
    }

    fn over(targets: impl Iterator<Item = Target>, router: Router, config: &Config) -> Self {
        Client {
            pools: targets
                .map(|target| Pool::new(target, config.clone()))
                .collect(),
            router,
        }
    }

    /// Sends a request to the server of its key, and waits for its outcome. A request without a key goes to the first
    /// server.
    ///
    /// # Errors
    ///
    /// As [`Error`] says.
    pub fn call<R: Request + ?Sized>(&self, request: &R) -> Result<R::Output> {
        let pool = request.key().map_or(0, |key| self.router.route(key));
        self.pools[pool].take()?.connection()?.call(request)
    }

    /// Sends a request to every server (or every shard), and returns each outcome with the server's address.
    pub fn call_all<R: Request + ?Sized>(&self, request: &R) -> Vec<(Address, Result<R::Output>)> {
        let call = |pool: &Pool| pool.take()?.connection()?.call(request);
        self.pools
            .iter()
            .map(|pool| (pool.address().clone(), call(pool)))
            .collect()
    }

    /// The values of several keys, in the order of the keys. All servers are asked at the same time, each with one
    /// request for all of its keys (with more than 100 keys, one request for each 100).
    ///
    /// # Errors
    ///
    /// As [`Error`] says, if any of the servers fails; a miss is no error.
    pub fn get_many<K: AsRef<[u8]>>(&self, keys: &[K]) -> Result<Vec<Option<Item>>> {
        let mut items: Vec<Option<Item>> = Vec::new();
        items.resize_with(keys.len(), || None);
        let parts = split(&self.router, self.pools.len(), keys);
        let rounds = parts.iter().map(|part| part.len().div_ceil(KEYS_AT_ONCE));
        for round in 0..rounds.max().unwrap_or(0) {
            let chunks = parts
                .iter()
                .map(|part| part.chunks(KEYS_AT_ONCE).nth(round));
            let asked = self.ask_all(keys, chunks)?;
            for (mut pooled, indices, keys) in asked {
                let connection = pooled.connection()?;
                let answer = connection.receive()?;
                let found = connection.outcome(&GetMany::new(&keys), answer)?;
                for (index, item) in indices.iter().zip(found) {
                    items[*index] = item;
                }
            }
        }
        Ok(items)
    }

    /// Asks each pool for its keys, without waiting.
    fn ask_all<'c, 'k, K: AsRef<[u8]>>(
        &'c self,
        keys: &'k [K],
        chunks: impl Iterator<Item = Option<&'k [usize]>>,
    ) -> Result<Vec<Asked<'c, 'k>>> {
        let mut asked = Vec::new();
        for (pool, indices) in self.pools.iter().zip(chunks) {
            let Some(indices) = indices else { continue };
            let keys: Vec<&[u8]> = indices.iter().map(|&index| keys[index].as_ref()).collect();
            let mut pooled = pool.take()?;
            let connection = pooled.connection()?;
            connection.begin()?;
            connection.send(&GetMany::new(&keys))?;
            asked.push((pooled, indices, keys));
        }
        Ok(asked)
    }

    /// Invalidates everything on every server.
    ///
    /// # Errors
    ///
    /// The error of the first server that fails; the others have been asked.
    pub fn flush_all(&self) -> Result<()> {
        let outcomes = self.call_all(&request::Flush::default());
        outcomes.into_iter().try_for_each(|(_, outcome)| outcome)
    }

    keyed_verbs!(self: [&self] [] []);
}

/// A connection that was asked, the indices of the keys that it was asked for, and these keys.
type Asked<'c, 'k> = (Pooled<'c>, &'k [usize], Vec<&'k [u8]>);

/// The map of a server's shards, and the address at which the shards are reached.
pub(crate) fn shards_of(
    address: &Address,
    stats: &[(String, String)],
) -> Result<(ShardMap, Address)> {
    if address.host().is_none() {
        let why = "a Unix socket has no source port, which chooses the shard";
        return Err(Error::Config(why.to_owned()));
    }
    let map = ShardMap::from_stats(stats).map_err(|why| Error::Config(why.to_string()))?;
    Ok((map, address.at_port(map.port())))
}
