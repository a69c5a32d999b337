//! Messages on stderr, and their level: `-v` sets the level at the start, the command `verbosity` while the server
//! runs. With `-o log=json` each line is a JSON object.
//!
//! ```text
//!   tracing's macros --> Threshold --+--> fmt's layer, or JsonLines --> stderr.rs
//!   say, say_warning, ... (always) --+--> as it is, or JsonLine ------> stderr.rs
//! ```

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::{Layer, Registry, fmt};

use super::json::JsonLine;
use super::stderr;

/// The target of messages that are written whatever the level is: `-o slow_us` has asked for them.
pub(crate) const SLOW_LOG: &str = "slow";

/// Whether each line is a JSON object.
static AS_JSON: AtomicBool = AtomicBool::new(false);

static LEVEL: OnceLock<Handle<Threshold, Registry>> = OnceLock::new();

/// Lets messages up to a level pass, and those of the slow log.
#[derive(Clone, Copy, Debug)]
struct Threshold(LevelFilter);

impl<S: Subscriber> Layer<S> for Threshold {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target() == SLOW_LOG || metadata.level() <= &self.0
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0.max(LevelFilter::WARN))
    }
}

/// Writes events as JSON.
struct JsonLines;

impl<S: Subscriber> Layer<S> for JsonLines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = JsonLine::begin(event.metadata().level());
        event.record(&mut line);
        write(&line.end());
    }
}

/// Has all lines from now on written as JSON. Lines before that, about the command line, are text.
pub(crate) fn write_json() {
    AS_JSON.store(true, Ordering::Relaxed);
}

/// Writes a message that is shown whatever the level is.
pub(crate) fn say(message: impl Display) {
    tell(Level::INFO, message);
}

/// As [`say`], for what an administrator should change.
pub(crate) fn say_warning(message: impl Display) {
    tell(Level::WARN, message);
}

/// As [`say`], for the reason why the process ends.
pub(crate) fn say_error(message: impl Display) {
    tell(Level::ERROR, message);
}

/// Writes a message of `-vv`.
pub(crate) fn say_verbose(message: impl Display) {
    tell(Level::DEBUG, message);
}

fn tell(level: Level, message: impl Display) {
    write(&line(level, message));
}

fn line(level: Level, message: impl Display) -> String {
    match AS_JSON.load(Ordering::Relaxed) {
        true => JsonLine::begin(level).message(message).end(),
        false => format!("{message}\n"),
    }
}

fn write(line: &str) {
    stderr::write(line.as_bytes(), lost);
}

/// The line that tells of messages that were lost because nobody read them.
fn lost(count: u64) -> String {
    line(
        Level::WARN,
        format_args!("corecached: messages lost, as standard error was full: {count}"),
    )
}

/// Where tracing's layer writes: each write is a whole message.
struct Stderr;

impl Write for Stderr {
    fn write(&mut self, message: &[u8]) -> io::Result<usize> {
        stderr::write(message, lost);
        Ok(message.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The number of `-v`. Every request looks at it; asking the subscriber took a seventh of a pipelined get.
static VERBOSITY: AtomicU8 = AtomicU8::new(0);

/// Whether requests and replies are shown, as `-vv` asks for.
#[inline]
pub(crate) fn is_verbose() -> bool {
    VERBOSITY.load(Ordering::Relaxed) >= 2
}

/// The level that this many `-v` ask for.
fn level(verbosity: u8) -> LevelFilter {
    match verbosity {
        0 => LevelFilter::ERROR,
        1 => LevelFilter::WARN,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    }
}

/// Starts to write events to stderr. A second call only sets the level.
pub(super) fn start(verbosity: u8) {
    VERBOSITY.store(verbosity, Ordering::Relaxed);
    let (filter, handle) = reload::Layer::new(Threshold(level(verbosity)));
    let output: Box<dyn Layer<Registry> + Send + Sync> = match AS_JSON.load(Ordering::Relaxed) {
        true => Box::new(JsonLines),
        false => Box::new(text()),
    };
    let subscriber = Registry::default().with(filter.and_then(output));
    match tracing::subscriber::set_global_default(subscriber) {
        // Nothing else sets LEVEL: there is one global subscriber, and it is ours.
        Ok(()) => drop(LEVEL.set(handle)),
        Err(_) => set_verbosity(verbosity),
    }
}

fn text() -> impl Layer<Registry> {
    fmt::layer()
        .with_writer(|| Stderr)
        // The complaint about a message that cannot be formatted would wait for the reader of stderr.
        .log_internal_errors(false)
        .with_target(false)
        .compact()
}

/// Changes the level of messages.
pub(crate) fn set_verbosity(verbosity: u8) {
    VERBOSITY.store(verbosity, Ordering::Relaxed);
    if let Some(handle) = LEVEL.get() {
        // This fails only if the subscriber is gone, and then there is nothing to set.
        let _ = handle.modify(|filter| *filter = Threshold(level(verbosity)));
    }
}
