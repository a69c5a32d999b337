//! `corecached top`: what one or several caches are doing, in a terminal or as text. memcached's, too, as far as it
//! tells.
//!
//! ```text
//!   args.rs --> Options
//!                 |            a thread for each server
//!                 |   station.rs: connects, asks, connects again
//!                 |      bounded.rs   the socket: so many bytes and so long for each reply
//!                 |      snapshot.rs  what `stats` and its subcommands said
//!                 |      view.rs      two snapshots --> rates
//!                 |            |
//!                 |            v  Report, by a channel
//!                 '--> screen/ (ratatui)    or    once.rs (`--once`)    or    page/ (`--page`: the last hour, by HTTP)
//!                         units.rs: figures to text    escape.rs: text of servers to printable text
//! ```
//!
//! Nothing a server sends is trusted: replies are bounded in bytes and in time, what cannot be read is left out, and
//! control characters do not reach the terminal. A figure that a server does not tell is a dash, never a zero.

#![forbid(unsafe_code)]

mod args;
mod bounded;
mod escape;
mod once;
mod page;
mod screen;
mod snapshot;
mod station;
mod units;
mod view;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use args::{Parsed, Refused};

/// Exit code when a server could not be asked (`--once`), or the terminal cannot be used.
const EXIT_FAILURE: u8 = 1;
/// Exit code of bad arguments: EX_USAGE of sysexits.h.
const EXIT_USAGE: u8 = 64;

/// The command line, for the manual and the completions of shells.
#[must_use]
pub fn command_line() -> clap::Command {
    args::command()
}

/// Runs `corecached top` with the arguments that follow the word `top`.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let options = match args::parse(arguments) {
        Ok(Parsed::Run(options)) => options,
        Ok(Parsed::Print(text)) => {
            // A reader that has seen enough (`| head -1`) closes the pipe, which is no failure.
            let _ = io::stdout().write_all(text.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(Refused(message)) => {
            complain(&message);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    if options.once {
        let (text, all_are_up) = once::run(&options);
        let _ = io::stdout().write_all(text.as_bytes());
        return if all_are_up {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(EXIT_FAILURE)
        };
    }
    if let Some(address) = options.page {
        let why = page::run(&options, address);
        complain(&format!("--page {address}: {why}"));
        return ExitCode::from(EXIT_FAILURE);
    }
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        complain("this is no terminal; --once prints the figures as text");
        return ExitCode::from(EXIT_FAILURE);
    }
    match screen::run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("the terminal cannot be used: {error}"));
            ExitCode::from(EXIT_FAILURE)
        }
    }
}

fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "corecached top: {message}");
}
