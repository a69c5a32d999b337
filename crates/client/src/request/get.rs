//! Fetching values.

use super::frame::{Frame, Meta};
use super::{Request, Shape, misplaced};
use crate::answer::{Answer, Hit};
use crate::error::{ProtocolError, Result, excerpt};
use crate::wire::{binary, text};
use crate::{Protocol, Ttl};
use bytes::Bytes;

/// A value and what is stored with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The value.
    pub value: Bytes,
    /// The client flags stored with the value: a number that the server keeps and does not look at.
    pub client_flags: u32,
    /// The cas unique, which changes with every store. It is there if it was asked for, or if the protocol always sends
    /// it.
    pub cas: Option<u64>,
}

impl Item {
    /// The value as text; `None` if it is not UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.value).ok()
    }

    pub(crate) fn of(hit: Hit) -> Self {
        Item {
            value: hit.value,
            client_flags: hit.attributes.client_flags.unwrap_or(0),
            cas: hit.attributes.cas,
        }
    }
}

/// Fetches the value of a key.
#[derive(Clone, Copy, Debug)]
pub struct Get<'a> {
    key: &'a [u8],
    with_cas: bool,
    touch: Option<Ttl>,
}

impl<'a> Get<'a> {
    /// Fetches the value of `key`.
    #[must_use]
    pub fn new<K: AsRef<[u8]> + ?Sized>(key: &'a K) -> Self {
        Get {
            key: key.as_ref(),
            with_cas: false,
            touch: None,
        }
    }

    /// Fetches the cas unique too.
    #[must_use]
    pub fn with_cas(mut self) -> Self {
        self.with_cas = true;
        self
    }

    /// Also lets the item live for `ttl` from now.
    #[must_use]
    pub fn touch(mut self, ttl: impl Into<Ttl>) -> Self {
        self.touch = Some(ttl.into());
        self
    }
}

impl Request for Get<'_> {
    type Output = Option<Item>;

    fn key(&self) -> Option<&[u8]> {
        Some(self.key)
    }

    fn write(&self, frame: &mut Frame<'_>) -> Result<Shape> {
        frame.check(self.key)?;
        let opaque = frame.opaque();
        match frame.protocol() {
            Protocol::Text => {
                let out = frame.out();
                match (self.touch, self.with_cas) {
                    (None, false) => text::get(out, self.key),
                    (None, true) => text::gets(out, self.key),
                    (Some(ttl), false) => text::gat(out, ttl.wire(), [self.key]),
                    (Some(ttl), true) => text::gats(out, ttl.wire(), [self.key]),
                }
            }
            Protocol::Meta => {
                let mut command = frame.meta(Meta::Get, self.key, opaque)?;
                command = command.letter(b'v').letter(b'f');
                if self.with_cas {
                    command = command.letter(b'c');
                }
                if let Some(ttl) = self.touch {
                    command = command.number(b'T', ttl.wire());
                }
                command.end();
            }
            Protocol::Binary => match self.touch {
                None => binary::keyed(frame.out(), binary::Opcode::Get, opaque, self.key, 0),
                Some(ttl) => {
                    let exptime = ttl.wire() as u32;
                    binary::touch(frame.out(), binary::Opcode::Gat, opaque, self.key, exptime);
                }
            },
        }
        Ok(Shape::One)
    }

    fn read(&self, answer: Answer) -> Result<Option<Item>> {
        match answer {
            Answer::Values(mut hits) if hits.len() <= 1 => match hits.pop() {
                Some(hit) => {
                    if let Some(key) = &hit.key
                        && key[..] != *self.key
                    {
                        return Err(other_key(key));
                    }
                    Ok(Some(Item::of(hit)))
                }
                None => Ok(None),
            },
            Answer::Miss => Ok(None),
            other => Err(misplaced("get", &other)),
        }
    }
}

fn other_key(key: &[u8]) -> crate::Error {
    ProtocolError::Shifted(format!("the value of {}", excerpt(key))).into()
}

/// Fetches the values of several keys in one round trip. The output has one place for each key, in the same order.
#[derive(Clone, Copy, Debug)]
pub struct GetMany<'a, K> {
    keys: &'a [K],
    with_cas: bool,
}

impl<'a, K: AsRef<[u8]>> GetMany<'a, K> {
    /// Fetches the values of `keys`.
    #[must_use]
    pub fn new(keys: &'a [K]) -> Self {
        GetMany {
            keys,
            with_cas: false,
        }
    }

    /// Fetches the cas uniques too.
    #[must_use]
    pub fn with_cas(mut self) -> Self {
        self.with_cas = true;
        self
    }

    fn write_meta(&self, frame: &mut Frame<'_>) -> Result<()> {
        let first = frame.opaque();
        for (index, key) in self.keys.iter().enumerate() {
            let opaque = first.wrapping_add(index as u32);
            let command = frame.meta(Meta::Get, key.as_ref(), opaque)?;
            let command = command.letter(b'v').letter(b'f').letter(b'q');
            if self.with_cas {
                command.letter(b'c').end();
            } else {
                command.end();
            }
        }
        text::meta_noop(frame.out());
        Ok(())
    }

    fn write_binary(&self, frame: &mut Frame<'_>) -> Result<()> {
        let first = frame.opaque();
        let opcode = binary::Opcode::GetQ;
        for (index, key) in self.keys.iter().enumerate() {
            frame.check(key.as_ref())?;
            let opaque = first.wrapping_add(index as u32);
            binary::keyed(frame.out(), opcode, opaque, key.as_ref(), 0);
        }
        let last = first.wrapping_add(self.keys.len() as u32);
        binary::bare(frame.out(), binary::Opcode::Noop, last);
        Ok(())
    }
}

impl<K: AsRef<[u8]>> Request for GetMany<'_, K> {
    type Output = Vec<Option<Item>>;

    fn key(&self) -> Option<&[u8]> {
        self.keys.first().map(AsRef::as_ref)
    }

    fn write(&self, frame: &mut Frame<'_>) -> Result<Shape> {
        if self.keys.is_empty() {
            return Ok(Shape::Nothing);
        }
        match frame.protocol() {
            Protocol::Text => {
                for key in self.keys {
                    frame.check(key.as_ref())?;
                }
                let keys = self.keys.iter().map(AsRef::<[u8]>::as_ref);
                if self.with_cas {
                    text::multi_gets(frame.out(), keys);
                } else {
                    text::multi_get(frame.out(), keys);
                }
                return Ok(Shape::One);
            }
            Protocol::Meta => self.write_meta(frame)?,
            Protocol::Binary => self.write_binary(frame)?,
        }
        Ok(Shape::UntilNoop(self.keys.len()))
    }

    fn read(&self, answer: Answer) -> Result<Vec<Option<Item>>> {
        let Answer::Values(hits) = answer else {
            return Err(misplaced("a get of several keys", &answer));
        };
        let mut items: Vec<Option<Item>> = Vec::new();
        items.resize_with(self.keys.len(), || None);
        let mut next = 0;
        for hit in hits {
            let index = match (&hit.key, hit.index) {
                (_, Some(index)) => index,
                // Without an opaque the hits come in the order of the keys, and the misses between them are left out.
                (Some(named), None) => {
                    let mut rest = self.keys[next..].iter();
                    let skipped = rest
                        .position(|key| key.as_ref() == &named[..])
                        .ok_or_else(|| other_key(named))?;
                    next += skipped + 1;
                    next - 1
                }
                (None, None) => return Err(other_key(b"no key")),
            };
            match items.get_mut(index) {
                Some(place @ None) => *place = Some(Item::of(hit)),
                _ => return Err(other_key(b"a key that was answered before")),
            }
        }
        Ok(items)
    }
}
