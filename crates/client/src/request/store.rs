//! Storing values.

use super::frame::{Frame, Meta};
use super::{Request, Shape, StoreVerb, misplaced};
use crate::answer::Answer;
use crate::error::{Error, Result};
use crate::wire::meta::Flag;
use crate::wire::{binary, text};
use crate::{Protocol, Ttl};

/// The outcome of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stored {
    /// The value is stored.
    Stored,
    /// The condition does not hold: the key of an add is there; the key of a replace, append or prepend is not there.
    NotStored,
    /// Of a cas: another client has stored in between.
    Exists,
    /// Of a cas: the key is not there.
    NotFound,
}

impl Stored {
    /// Whether the value is stored.
    #[must_use]
    pub fn is_stored(self) -> bool {
        self == Stored::Stored
    }
}

/// Stores a value.
#[derive(Clone, Copy, Debug)]
pub struct Store<'a> {
    verb: StoreVerb,
    key: &'a [u8],
    value: &'a [u8],
    client_flags: u32,
    ttl: Ttl,
    cas: u64,
    is_answered: bool,
}

impl<'a> Store<'a> {
    /// Stores `value` under `key`, if the verb's condition holds. The item never expires unless [`Store::ttl`] says so.
    #[must_use]
    pub fn new<K, V>(verb: StoreVerb, key: &'a K, value: &'a V) -> Self
    where
        K: AsRef<[u8]> + ?Sized,
        V: AsRef<[u8]> + ?Sized,
    {
        Store {
            verb,
            key: key.as_ref(),
            value: value.as_ref(),
            client_flags: 0,
            ttl: Ttl::NEVER,
            cas: 0,
            is_answered: true,
        }
    }

    /// Stores only if the item's cas unique is still `cas`.
    #[must_use]
    pub fn cas<K, V>(key: &'a K, value: &'a V, cas: u64) -> Self
    where
        K: AsRef<[u8]> + ?Sized,
        V: AsRef<[u8]> + ?Sized,
    {
        Store {
            cas,
            ..Self::new(StoreVerb::Cas, key, value)
        }
    }

    /// Sets how long the item lives.
    #[must_use]
    pub fn ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        self.ttl = ttl.into();
        self
    }

    /// Sets the client flags: a number that is kept with the value.
    #[must_use]
    pub fn client_flags(mut self, client_flags: u32) -> Self {
        self.client_flags = client_flags;
        self
    }

    /// Asks for no answer, in the text protocol only: the client never learns whether the value was stored.
    #[must_use]
    pub fn unanswered(mut self) -> Self {
        self.is_answered = false;
        self
    }

    fn write_meta(&self, frame: &mut Frame<'_>) -> Result<()> {
        let opaque = frame.opaque();
        let mut command = frame.meta(Meta::Set(self.value.len()), self.key, opaque)?;
        let mode = match self.verb {
            StoreVerb::Set | StoreVerb::Cas => None,
            StoreVerb::Add => Some(b"E"),
            StoreVerb::Replace => Some(b"R"),
            StoreVerb::Append => Some(b"A"),
            StoreVerb::Prepend => Some(b"P"),
        };
        if let Some(argument) = mode {
            command = command.flag(Flag {
                letter: b'M',
                argument,
            });
        }
        if self.client_flags != 0 {
            command = command.number(b'F', self.client_flags);
        }
        if self.ttl != Ttl::NEVER {
            command = command.number(b'T', self.ttl.wire());
        }
        if self.verb == StoreVerb::Cas {
            command = command.number(b'C', self.cas);
        }
        command.end_with_value(self.value);
        Ok(())
    }

    fn write_binary(&self, frame: &mut Frame<'_>) {
        use binary::Opcode;
        let opaque = frame.opaque();
        let (opcode, joins) = match self.verb {
            StoreVerb::Set | StoreVerb::Cas => (Opcode::Set, false),
            StoreVerb::Add => (Opcode::Add, false),
            StoreVerb::Replace => (Opcode::Replace, false),
            StoreVerb::Append => (Opcode::Append, true),
            StoreVerb::Prepend => (Opcode::Prepend, true),
        };
        if joins {
            binary::with_value(frame.out(), opcode, opaque, self.key, 0, self.value);
        } else {
            let extras = (self.client_flags, self.ttl.wire() as u32, self.cas);
            binary::store(frame.out(), opcode, opaque, self.key, extras, self.value);
        }
    }
}

impl Request for Store<'_> {
    type Output = Stored;

    fn key(&self) -> Option<&[u8]> {
        Some(self.key)
    }

    fn write(&self, frame: &mut Frame<'_>) -> Result<Shape> {
        frame.check(self.key)?;
        if !self.is_answered && frame.protocol() != Protocol::Text {
            return Err(Error::Unsupported("a store without an answer"));
        }
        if self.value.len() > text::VALUE_BYTES_MAX {
            return Err(Error::Unsupported("a value of 2 GiB and more"));
        }
        match frame.protocol() {
            Protocol::Text => {
                let store = text::Store {
                    verb: self.verb,
                    client_flags: self.client_flags,
                    exptime: self.ttl.wire(),
                    cas: self.cas,
                    noreply: !self.is_answered,
                };
                text::store(frame.out(), self.key, &store, self.value);
            }
            Protocol::Meta => self.write_meta(frame)?,
            Protocol::Binary => self.write_binary(frame),
        }
        Ok(if self.is_answered {
            Shape::One
        } else {
            Shape::Nothing
        })
    }

    fn read(&self, answer: Answer) -> Result<Stored> {
        match answer {
            Answer::Done(_) => Ok(Stored::Stored),
            // The binary protocol answers replace, append and prepend of a missing item with this status.
            Answer::Miss if self.verb != StoreVerb::Cas => Ok(Stored::NotStored),
            Answer::NotStored => Ok(Stored::NotStored),
            Answer::Exists => Ok(Stored::Exists),
            Answer::Miss => Ok(Stored::NotFound),
            other => Err(misplaced("a store", &other)),
        }
    }
}
