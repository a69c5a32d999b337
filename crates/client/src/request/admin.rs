//! Requests about the server rather than about a key.

use super::frame::Frame;
use super::{Request, Shape, misplaced};
use crate::Protocol;
use crate::answer::Answer;
use crate::error::{Error, Result};
use crate::wire::text::ReplyMode;
use crate::wire::{binary, text};

/// Invalidates everything, now or after some seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flush {
    /// Seconds from now; `None` is now.
    pub delay_s: Option<u32>,
}

impl Request for Flush {
    type Output = ();

    fn key(&self) -> Option<&[u8]> {
        None
    }

    fn write(&self, frame: &mut Frame<'_>) -> Result<Shape> {
        let opaque = frame.opaque();
        match frame.protocol() {
            Protocol::Text | Protocol::Meta => {
                let delay = self.delay_s.map(i32::try_from).transpose();
                let delay = delay.map_err(|_| Error::Unsupported("so long a delay"))?;
                text::flush_all(frame.out(), delay, ReplyMode::Reply);
            }
            Protocol::Binary => {
                binary::flush(frame.out(), binary::Opcode::Flush, opaque, self.delay_s);
            }
        }
        Ok(Shape::One)
    }

    fn read(&self, answer: Answer) -> Result<()> {
        match answer {
            Answer::Done(_) => Ok(()),
            other => Err(misplaced("flush_all", &other)),
        }
    }
}

/// Asks for the server's version.
#[derive(Clone, Copy, Debug, Default)]
pub struct Version;

impl Request for Version {
    type Output = String;

    fn key(&self) -> Option<&[u8]> {
        None
    }

    fn write(&self, frame: &mut Frame<'_>) -> Result<Shape> {
        let opaque = frame.opaque();
        match frame.protocol() {
            Protocol::Text | Protocol::Meta => text::version(frame.out()),
            Protocol::Binary => binary::bare(frame.out(), binary::Opcode::Version, opaque),
        }
        Ok(Shape::One)
    }

    fn read(&self, answer: Answer) -> Result<String> {
        match answer {
            Answer::Version(version) => Ok(version),
            other => Err(misplaced("version", &other)),
        }
    }
}

/// Does nothing, and is answered after everything before it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Noop;

impl Request for Noop {
    type Output = ();

    fn key(&self) -> Option<&[u8]> {
        None
    }

    fn write(&self, frame: &mut Frame<'_>) -> Result<Shape> {
        let opaque = frame.opaque();
        match frame.protocol() {
            Protocol::Text | Protocol::Meta => text::meta_noop(frame.out()),
            Protocol::Binary => binary::bare(frame.out(), binary::Opcode::Noop, opaque),
        }
        Ok(Shape::One)
    }

    fn read(&self, answer: Answer) -> Result<()> {
        match answer {
            Answer::Done(_) => Ok(()),
            other => Err(misplaced("a no-op", &other)),
        }
    }
}

/// Asks for statistics: names and values in the server's order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats<'a> {
    /// The subcommand: `items`, `slabs`, `settings`, ...; empty for the general statistics.
    pub of: &'a str,
}

impl Request for Stats<'_> {
    type Output = Vec<(String, String)>;

    fn key(&self) -> Option<&[u8]> {
        None
    }

    fn write(&self, frame: &mut Frame<'_>) -> Result<Shape> {
        if self.of.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(Error::Unsupported(
                "control bytes in what statistics are of",
            ));
        }
        let opaque = frame.opaque();
        match frame.protocol() {
            Protocol::Text | Protocol::Meta => text::stats(frame.out(), self.of.as_bytes()),
            Protocol::Binary if self.of.is_empty() => {
                binary::bare(frame.out(), binary::Opcode::Stat, opaque);
            }
            Protocol::Binary => {
                binary::keyed(frame.out(), binary::Opcode::Stat, opaque, self.of, 0);
            }
        }
        Ok(Shape::One)
    }

    fn read(&self, answer: Answer) -> Result<Self::Output> {
        match answer {
            Answer::Stats(stats) => Ok(stats),
            // The answer to `stats reset`, and to a subcommand without statistics.
            Answer::Done(_) => Ok(Vec::new()),
            Answer::Values(hits) if hits.is_empty() => Ok(Vec::new()),
            other => Err(misplaced("stats", &other)),
        }
    }
}
