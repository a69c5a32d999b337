//! Changing an item without sending a value: delete, touch, incr and decr.

use super::frame::{Frame, Meta};
use super::{Request, Shape, misplaced};
use crate::answer::Answer;
use crate::error::{Error, Result};
use crate::wire::meta::Flag;
use crate::wire::text::ReplyMode;
use crate::wire::{binary, text};
use crate::{Protocol, Ttl};

/// Deletes an item. The output says whether the item was there.
#[derive(Clone, Copy, Debug)]
pub struct Delete<'a> {
    key: &'a [u8],
}

impl<'a> Delete<'a> {
    /// Deletes the item of `key`.
    #[must_use]
    pub fn new<K: AsRef<[u8]> + ?Sized>(key: &'a K) -> Self {
        Delete { key: key.as_ref() }
    }
}

impl Request for Delete<'_> {
    type Output = bool;

    fn key(&self) -> Option<&[u8]> {
        Some(self.key)
    }

    fn write(&self, frame: &mut Frame<'_>) -> Result<Shape> {
        frame.check(self.key)?;
        let opaque = frame.opaque();
        match frame.protocol() {
            Protocol::Text => text::delete(frame.out(), self.key, ReplyMode::Reply),
            Protocol::Meta => frame.meta(Meta::Delete, self.key, opaque)?.end(),
            Protocol::Binary => {
                binary::keyed(frame.out(), binary::Opcode::Delete, opaque, self.key, 0);
            }
        }
        Ok(Shape::One)
    }

    fn read(&self, answer: Answer) -> Result<bool> {
        there("delete", &answer)
    }
}

/// Lets an item live for a time from now. The output says whether the item was there.
#[derive(Clone, Copy, Debug)]
pub struct Touch<'a> {
    key: &'a [u8],
    ttl: Ttl,
}

impl<'a> Touch<'a> {
    /// Lets the item of `key` live for `ttl` from now.
    #[must_use]
    pub fn new<K: AsRef<[u8]> + ?Sized>(key: &'a K, ttl: impl Into<Ttl>) -> Self {
        Touch {
            key: key.as_ref(),
            ttl: ttl.into(),
        }
    }
}

impl Request for Touch<'_> {
    type Output = bool;

    fn key(&self) -> Option<&[u8]> {
        Some(self.key)
    }

    fn write(&self, frame: &mut Frame<'_>) -> Result<Shape> {
        frame.check(self.key)?;
        let (opaque, exptime) = (frame.opaque(), self.ttl.wire());
        match frame.protocol() {
            Protocol::Text => text::touch(frame.out(), self.key, exptime, ReplyMode::Reply),
            Protocol::Meta => frame
                .meta(Meta::Get, self.key, opaque)?
                .number(b'T', exptime)
                .end(),
            Protocol::Binary => {
                let opcode = binary::Opcode::Touch;
                binary::touch(frame.out(), opcode, opaque, self.key, exptime as u32);
            }
        }
        Ok(Shape::One)
    }

    fn read(&self, answer: Answer) -> Result<bool> {
        there("touch", &answer)
    }
}

fn there(request: &str, answer: &Answer) -> Result<bool> {
    match answer {
        Answer::Done(_) => Ok(true),
        Answer::Miss => Ok(false),
        other => Err(misplaced(request, other)),
    }
}

/// Adds to a number, or subtracts from it. The output is the new number, or `None` if there is no item.
///
/// Additions wrap around at 2^64; subtractions stop at 0.
#[derive(Clone, Copy, Debug)]
pub struct Arith<'a> {
    key: &'a [u8],
    is_incr: bool,
    delta: u64,
    create: Option<(u64, Ttl)>,
}

impl<'a> Arith<'a> {
    /// Adds `delta` to the number of `key`.
    #[must_use]
    pub fn incr<K: AsRef<[u8]> + ?Sized>(key: &'a K, delta: u64) -> Self {
        Arith {
            key: key.as_ref(),
            is_incr: true,
            delta,
            create: None,
        }
    }

    /// Subtracts `delta` from the number of `key`.
    #[must_use]
    pub fn decr<K: AsRef<[u8]> + ?Sized>(key: &'a K, delta: u64) -> Self {
        Arith {
            is_incr: false,
            ..Self::incr(key, delta)
        }
    }

    /// Stores `initial`, unchanged, if there is no number yet. The text protocol cannot express this.
    #[must_use]
    pub fn or_create(mut self, initial: u64, ttl: impl Into<Ttl>) -> Self {
        self.create = Some((initial, ttl.into()));
        self
    }

    fn write_meta(&self, frame: &mut Frame<'_>) -> Result<()> {
        let opaque = frame.opaque();
        let mut command = frame.meta(Meta::Arith, self.key, opaque)?.letter(b'v');
        if !self.is_incr {
            command = command.flag(Flag {
                letter: b'M',
                argument: b"D",
            });
        }
        command = command.number(b'D', self.delta);
        if let Some((initial, ttl)) = self.create {
            command = command.number(b'N', ttl.wire()).number(b'J', initial);
        }
        command.end();
        Ok(())
    }
}

impl Request for Arith<'_> {
    type Output = Option<u64>;

    fn key(&self) -> Option<&[u8]> {
        Some(self.key)
    }

    fn write(&self, frame: &mut Frame<'_>) -> Result<Shape> {
        frame.check(self.key)?;
        let opaque = frame.opaque();
        match (frame.protocol(), self.is_incr) {
            (Protocol::Text, _) if self.create.is_some() => {
                return Err(Error::Unsupported("incr or decr that creates"));
            }
            (Protocol::Text, true) => {
                text::incr(frame.out(), self.key, self.delta, ReplyMode::Reply);
            }
            (Protocol::Text, false) => {
                text::decr(frame.out(), self.key, self.delta, ReplyMode::Reply);
            }
            (Protocol::Meta, _) => self.write_meta(frame)?,
            (Protocol::Binary, is_incr) => {
                let opcode = if is_incr {
                    binary::Opcode::Incr
                } else {
                    binary::Opcode::Decr
                };
                let create = self
                    .create
                    .map(|(initial, ttl)| (initial, ttl.wire() as u32));
                binary::arith(frame.out(), opcode, opaque, self.key, self.delta, create);
            }
        }
        Ok(Shape::One)
    }

    fn read(&self, answer: Answer) -> Result<Option<u64>> {
        match answer {
            Answer::Number(number) => Ok(Some(number)),
            Answer::Values(hits) if hits.len() == 1 => {
                let text = str::from_utf8(&hits[0].value).ok();
                let number = text.and_then(|text| text.trim_end().parse().ok());
                number
                    .map(Some)
                    .ok_or_else(|| misplaced("incr or decr", &Answer::Values(hits)))
            }
            Answer::Miss => Ok(None),
            other => Err(misplaced("incr or decr", &other)),
        }
    }
}
