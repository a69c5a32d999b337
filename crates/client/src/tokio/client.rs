//! An async client of one server, several servers, or the shards of one server.
//!
//! ```text
//!   get(key) -> Router: which pool -> a connection of the pool -> call -> back into the pool
//!   get_many(keys) -> keys of each pool -> all requests are sent -> all answers are read -> in the order of the keys
//! ```

use super::connection::Connection;
use super::pool::{Pool, Pooled};
use crate::client::{Router, alike, shards_of, split};
use crate::error::{Error, Result};
use crate::limits::KEYS_AT_ONCE;
use crate::pool::Target;
use crate::request::{self, GetMany, Request};
use crate::verbs::keyed_verbs;
use crate::{Address, Config, Item};

/// An async client. Tasks share it by reference or in an `Arc`; each request takes a connection of a pool for itself.
///
/// Connections are opened when they are first needed: making a client of servers that are not there is no error.
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
    pub async fn shard_aware<A>(server: A, config: Config) -> Result<Self>
    where
        A: TryInto<Address>,
        Error: From<A::Error>,
    {
        let address = server.try_into()?;
        let mut connection = Connection::open_at(&address, None, &config).await?;
        let (map, address) = shards_of(&address, &connection.stats("shards").await?)?;
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
    pub async fn call<R: Request + ?Sized>(&self, request: &R) -> Result<R::Output> {
        let pool = request.key().map_or(0, |key| self.router.route(key));
        self.pools[pool]
            .take()
            .await?
            .connection()?
            .call(request)
            .await
    }

    /// Sends a request to every server (or every shard), one after the other, and returns each outcome with the
    /// server's address.
    pub async fn call_all<R: Request + ?Sized>(
        &self,
        request: &R,
    ) -> Vec<(Address, Result<R::Output>)> {
        let mut outcomes = Vec::with_capacity(self.pools.len());
        for pool in &self.pools {
            let outcome = async { pool.take().await?.connection()?.call(request).await };
            outcomes.push((pool.address().clone(), outcome.await));
        }
        outcomes
    }

    /// The values of several keys, in the order of the keys. All servers are asked at the same time, each with one
    /// request for all of its keys (with more than 100 keys, one request for each 100).
    ///
    /// # Errors
    ///
    /// As [`Error`] says, if any of the servers fails; a miss is no error.
    pub async fn get_many<K: AsRef<[u8]>>(&self, keys: &[K]) -> Result<Vec<Option<Item>>> {
        let mut items: Vec<Option<Item>> = Vec::new();
        items.resize_with(keys.len(), || None);
        let parts = split(&self.router, self.pools.len(), keys);
        let rounds = parts.iter().map(|part| part.len().div_ceil(KEYS_AT_ONCE));
        for round in 0..rounds.max().unwrap_or(0) {
            let chunks = parts
                .iter()
                .map(|part| part.chunks(KEYS_AT_ONCE).nth(round));
            let asked = self.ask_all(keys, chunks).await?;
            for (mut pooled, indices, keys) in asked {
                let connection = pooled.connection()?;
                let answer = connection.receive().await?;
                let found = connection.outcome(&GetMany::new(&keys), answer)?;
                for (index, item) in indices.iter().zip(found) {
                    items[*index] = item;
                }
            }
        }
        Ok(items)
    }

    /// Asks each pool for its keys, without waiting for answers.
    async fn ask_all<'c, 'k, K: AsRef<[u8]>>(
        &'c self,
        keys: &'k [K],
        chunks: impl Iterator<Item = Option<&'k [usize]>>,
    ) -> Result<Vec<Asked<'c, 'k>>> {
        let mut asked = Vec::new();
        for (pool, indices) in self.pools.iter().zip(chunks) {
            let Some(indices) = indices else { continue };
            let keys: Vec<&[u8]> = indices.iter().map(|&index| keys[index].as_ref()).collect();
            let mut pooled = pool.take().await?;
            let connection = pooled.connection()?;
            connection.begin()?;
            connection.send(&GetMany::new(&keys)).await?;
            asked.push((pooled, indices, keys));
        }
        Ok(asked)
    }

    /// Invalidates everything on every server.
    ///
    /// # Errors
    ///
    /// The error of the first server that fails; the others have been asked.
    pub async fn flush_all(&self) -> Result<()> {
        let outcomes = self.call_all(&request::Flush::default()).await;
        outcomes.into_iter().try_for_each(|(_, outcome)| outcome)
    }

    keyed_verbs!(self: [&self] [async] [.await]);
}

/// A connection that was asked, the indices of the keys that it was asked for, and these keys.
type Asked<'c, 'k> = (Pooled<'c>, &'k [usize], Vec<&'k [u8]>);
