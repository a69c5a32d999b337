//! Leases: of all clients that miss a key, or find it stale, one is told to fetch it anew.
//!
//! ```text
//!   mg k v f c N30 R10
//!     miss                       -> an empty item is made, W          Lease::Won   (others: Z, empty: Lease::Wait)
//!     hit, less than 10 s left   -> value, W once, then Z             Lease::Won with the old value, then Lease::Hit
//!     hit, marked stale by md I  -> value, X W once, then X Z         Lease::Won with the old value, then Lease::Hit
//!     hit                        -> value                             Lease::Hit
//!   ms k 5 C<cas of the lease>   -> stored, unless somebody else has stored meanwhile
//! ```

use super::frame::{Frame, Meta};
use super::get::Item;
use super::{Request, Shape, misplaced};
use crate::Ttl;
use crate::answer::{Answer, Attributes, Hit};
use crate::error::Result;
use bytes::Bytes;

/// Asks about an item with the flags of a meta get. The output is `None` for a miss.
///
/// This request can be sent on connections of both line protocols, [`Protocol::Text`](crate::Protocol::Text) included.
#[derive(Clone, Copy, Debug)]
pub struct MetaGet<'a> {
    key: &'a [u8],
    letters: &'a str,
    touch: Option<Ttl>,
    vivify: Option<Ttl>,
    recache_below_s: Option<u32>,
}

/// The item that a meta get has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaItem {
    /// The value, if it was asked for.
    pub value: Option<Bytes>,
    /// The attributes that were asked for.
    pub attributes: Attributes,
}

impl<'a> MetaGet<'a> {
    /// Asks whether `key` is there, and for nothing else.
    #[must_use]
    pub fn new<K: AsRef<[u8]> + ?Sized>(key: &'a K) -> Self {
        MetaGet {
            key: key.as_ref(),
            letters: "",
            touch: None,
            vivify: None,
            recache_below_s: None,
        }
    }

    /// Asks for the attributes of these letters: `v` value, `f` client flags, `c` cas unique, `t` time to live, `s`
    /// length, `h` fetched before, `l` idle time. With `u` the request does not count as an access. Other letters are
    /// left out.
    #[must_use]
    pub fn with(mut self, letters: &'a str) -> Self {
        self.letters = letters;
        self
    }

    /// Lets the item live for `ttl` from now.
    #[must_use]
    pub fn touch(mut self, ttl: impl Into<Ttl>) -> Self {
        self.touch = Some(ttl.into());
        self
    }

    /// On a miss makes an empty item that lives for the given time, and tells this client that it has won.
    #[must_use]
    pub fn vivify(mut self, ttl: impl Into<Ttl>) -> Self {
        self.vivify = Some(ttl.into());
        self
    }

    /// Tells one client that it has won as soon as the item has less than this many seconds to live.
    #[must_use]
    pub fn recache_below(mut self, seconds: u32) -> Self {
        self.recache_below_s = Some(seconds);
        self
    }

    fn found(hit: Hit) -> MetaItem {
        MetaItem {
            value: Some(hit.value),
            attributes: hit.attributes,
        }
    }
}

impl Request for MetaGet<'_> {
    type Output = Option<MetaItem>;

    fn key(&self) -> Option<&[u8]> {
        Some(self.key)
    }

    fn write(&self, frame: &mut Frame<'_>) -> Result<Shape> {
        let opaque = frame.opaque();
        let mut command = frame.meta(Meta::Get, self.key, opaque)?;
        for letter in b"vfctshlu" {
            if self.letters.as_bytes().contains(letter) {
                command = command.letter(*letter);
            }
        }
        if let Some(ttl) = self.vivify {
            command = command.number(b'N', ttl.wire());
        }
        if let Some(seconds) = self.recache_below_s {
            command = command.number(b'R', i32::try_from(seconds).unwrap_or(i32::MAX));
        }
        if let Some(ttl) = self.touch {
            command = command.number(b'T', ttl.wire());
        }
        command.end();
        Ok(Shape::One)
    }

    fn read(&self, answer: Answer) -> Result<Option<MetaItem>> {
        match answer {
            Answer::Values(mut hits) if hits.len() == 1 => Ok(hits.pop().map(Self::found)),
            Answer::Done(attributes) => Ok(Some(MetaItem {
                value: None,
                attributes,
            })),
            Answer::Miss => Ok(None),
            other => Err(misplaced("mg", &other)),
        }
    }
}

/// The outcome of a request for a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lease {
    /// The value. It may be stale while another client fetches it anew.
    Hit {
        /// The value.
        item: Item,
        /// Whether the item has been invalidated.
        is_stale: bool,
    },
    /// This client is the one to fetch the value, and to store it with the token.
    Won {
        /// The token for the store of the fetched value.
        token: LeaseToken,
        /// The value that is to be replaced, if there is one.
        old: Option<Item>,
    },
    /// Another client is fetching the value, and there is none yet.
    Wait,
}

/// The right to fill a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseToken {
    pub(crate) cas: u64,
}

impl LeaseToken {
    /// The cas unique that the store of the fetched value must compare with.
    #[must_use]
    pub const fn cas(self) -> u64 {
        self.cas
    }
}

/// Fetches a value, or the right to fill it.
#[derive(Clone, Copy, Debug)]
pub struct TakeLease<'a> {
    get: MetaGet<'a>,
}

impl<'a> TakeLease<'a> {
    /// Fetches the value of `key`. On a miss one client wins, and has the time `patience` to fill it; after that the
    /// next one wins.
    #[must_use]
    pub fn new<K: AsRef<[u8]> + ?Sized>(key: &'a K, patience: impl Into<Ttl>) -> Self {
        TakeLease {
            get: MetaGet::new(key).with("vfc").vivify(patience),
        }
    }

    /// Lets one client win already when the item has less than this many seconds to live.
    #[must_use]
    pub fn recache_below(mut self, seconds: u32) -> Self {
        self.get = self.get.recache_below(seconds);
        self
    }
}

impl Request for TakeLease<'_> {
    type Output = Lease;

    fn key(&self) -> Option<&[u8]> {
        self.get.key()
    }

    fn write(&self, frame: &mut Frame<'_>) -> Result<Shape> {
        self.get.write(frame)
    }

    fn read(&self, answer: Answer) -> Result<Lease> {
        let found = match answer {
            Answer::Values(mut hits) if hits.len() == 1 => hits.pop(),
            other => return Err(misplaced("mg", &other)),
        };
        let Some(hit) = found else {
            return Ok(Lease::Wait);
        };
        let attributes = hit.attributes;
        let is_filled = !hit.value.is_empty();
        Ok(if attributes.won {
            Lease::Won {
                token: LeaseToken {
                    cas: attributes.cas.unwrap_or(0),
                },
                old: is_filled.then(|| Item::of(hit)),
            }
        } else if attributes.taken && !is_filled {
            Lease::Wait
        } else {
            Lease::Hit {
                item: Item::of(hit),
                is_stale: attributes.stale,
            }
        })
    }
}

/// Marks an item as stale: clients still get the item, and one of them is told to fetch it anew. The output says
/// whether the item was there.
#[derive(Clone, Copy, Debug)]
pub struct Invalidate<'a> {
    key: &'a [u8],
    ttl: Option<Ttl>,
}

impl<'a> Invalidate<'a> {
    /// Marks the item of `key` as stale.
    #[must_use]
    pub fn new<K: AsRef<[u8]> + ?Sized>(key: &'a K) -> Self {
        Invalidate {
            key: key.as_ref(),
            ttl: None,
        }
    }

    /// Lets the stale item live for this time from now; without this call it lives as long as it would have.
    #[must_use]
    pub fn ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        self.ttl = Some(ttl.into());
        self
    }
}

impl Request for Invalidate<'_> {
    type Output = bool;

    fn key(&self) -> Option<&[u8]> {
        Some(self.key)
    }

    fn write(&self, frame: &mut Frame<'_>) -> Result<Shape> {
        let opaque = frame.opaque();
        let mut command = frame.meta(Meta::Delete, self.key, opaque)?.letter(b'I');
        if let Some(ttl) = self.ttl {
            command = command.number(b'T', ttl.wire());
        }
        command.end();
        Ok(Shape::One)
    }

    fn read(&self, answer: Answer) -> Result<bool> {
        match answer {
            Answer::Done(_) => Ok(true),
            Answer::Miss => Ok(false),
            other => Err(misplaced("md", &other)),
        }
    }
}
