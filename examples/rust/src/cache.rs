//! A cache for an application that goes on without it: what fails is a miss.
//!
//! ```text
//!   application --> Cache --> corecached_client::Client --> server
//!                     |         a pool; a server that cannot be reached is left alone for PAUSE
//!                     '-- an error is what a miss would be, and is counted
//! ```

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use corecached_client::{Client, Config, Stored, Ttl};

use crate::stage::Result;

/// Long enough for a busy machine that runs tests. In production a fifth of a second is more usual: a read of the
/// database is the other choice.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How long the server is left alone after it could not be reached.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// After this time the client asks again.
pub(crate) const PAUSE: Duration = Duration::from_millis(600);

/// The commands that the patterns need. None of them fails because of the server.
pub(crate) struct Cache {
    pub(crate) client: Client,
    errors: AtomicUsize,
}

impl Cache {
    pub(crate) fn new(address: SocketAddr) -> Result<Cache> {
        let config = Config::new()
            .connect_timeout(TIMEOUT)
            .timeout(TIMEOUT)
            .retry_after(RETRY_AFTER);
        let client = Client::connect([address], config)?;
        Ok(Cache {
            client,
            errors: AtomicUsize::new(0),
        })
    }

    /// The outcome, or `None` if the server could not be asked.
    pub(crate) fn asked<T>(&self, outcome: corecached_client::Result<T>) -> Option<T> {
        if outcome.is_err() {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
        outcome.ok()
    }

    pub(crate) fn errors(&self) -> usize {
        self.errors.load(Ordering::Relaxed)
    }

    pub(crate) fn get(&self, key: &str) -> Option<String> {
        let item = self.asked(self.client.get(key)).flatten()?;
        Some(item.text()?.to_owned())
    }

    /// The value and its cas unique.
    pub(crate) fn gets(&self, key: &str) -> Option<(String, u64)> {
        let item = self.asked(self.client.gets(key)).flatten()?;
        Some((item.text()?.to_owned(), item.cas?))
    }

    /// A value for each key, in order.
    pub(crate) fn get_many(&self, keys: &[String]) -> Vec<Option<String>> {
        let Some(items) = self.asked(self.client.get_many(keys)) else {
            return vec![None; keys.len()];
        };
        let text = |item: Option<corecached_client::Item>| Some(item?.text()?.to_owned());
        items.into_iter().map(text).collect()
    }

    pub(crate) fn set(&self, key: &str, value: &str, ttl: Ttl) -> bool {
        self.asked(self.client.set(key, value, ttl)).is_some()
    }

    pub(crate) fn add(&self, key: &str, value: &str, ttl: Ttl) -> bool {
        self.asked(self.client.add(key, value, ttl)) == Some(true)
    }

    pub(crate) fn cas(&self, key: &str, value: &str, ttl: Ttl, unique: u64) -> bool {
        self.asked(self.client.cas(key, value, ttl, unique)) == Some(Stored::Stored)
    }

    /// Whether it was there; `None` if the server could not be asked.
    pub(crate) fn delete(&self, key: &str) -> Option<bool> {
        self.asked(self.client.delete(key))
    }

    pub(crate) fn incr(&self, key: &str, by: u64) -> Option<u64> {
        self.asked(self.client.incr(key, by)).flatten()
    }

    pub(crate) fn decr(&self, key: &str, by: u64) -> Option<u64> {
        self.asked(self.client.decr(key, by)).flatten()
    }

    pub(crate) fn touch(&self, key: &str, ttl: Ttl) -> bool {
        self.asked(self.client.touch(key, ttl)) == Some(true)
    }
}
