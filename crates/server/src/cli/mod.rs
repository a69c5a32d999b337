//! The command line: memcached's letters, long names, defaults, messages and exit codes.
//!
//! ```text
//!   argv --options.rs (clap)--> matches --apply.rs, extended/ (-o), address.rs (-l)--> draft --check.rs--> Config
//!                                  '-- -h, -V, -i: text.rs, printed, exit 0
//! ```
//!
//! memcached reads numbers with `atoi`: `-m 64m` is 64 there, and here. A word without any digit is 0 for both, with a
//! warning here; only `-p abc`, which would mean no port at all, is refused.
//!
//! Options of features that do not exist here are refused (`unsupported.rs`), so that nobody relies on a feature that
//! is missing. Options that have no meaning here are accepted; `-v` reports them.

mod address;
mod apply;
mod auth;
mod check;
mod draft;
mod error;
mod extended;
mod flash;
mod number;
mod options;
mod ssl;
mod text;
mod unsupported;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::base::config::Config;
use auth::SaslEnvironment;
use draft::Draft;
use error::CliError;

/// The options as clap knows them.
pub(crate) fn command() -> clap::Command {
    options::command()
}

/// The list of `-o`'s values in the help.
pub(crate) fn extended_options() -> &'static str {
    text::HELP_EXTENDED.trim_start_matches('\n')
}

/// The request of a command line.
#[derive(Debug)]
enum Request {
    /// Start the server.
    Run(Box<Draft>),
    /// Print this text and end.
    Print(String),
}

/// The settings of this process's command line and environment, or the code to exit with. All messages have been
/// printed when this returns.
pub(crate) fn parse_or_exit() -> Result<Config, ExitCode> {
    let port_file = std::env::var_os("MEMCACHED_PORT_FILENAME");
    let parsed = parse(std::env::args_os()).and_then(|request| match request {
        Request::Run(mut draft) => {
            SaslEnvironment::of_process().complete(&mut draft.config)?;
            Ok(Request::Run(draft))
        }
        print => Ok(print),
    });
    match parsed {
        Ok(Request::Run(draft)) => {
            say_about(&draft);
            Ok(Config {
                port_file,
                ..draft.config
            })
        }
        Ok(Request::Print(text)) => {
            // A reader that has seen enough (`| head -1`) closes the pipe, which is not a failure.
            let _ = io::stdout().write_all(text.as_bytes());
            Err(ExitCode::SUCCESS)
        }
        Err(error) => {
            crate::process::say_error(&error);
            Err(ExitCode::from(error.code))
        }
    }
}

fn say_about(draft: &Draft) {
    if draft.config.log_json {
        crate::process::write_json();
    }
    for warning in &draft.warnings {
        crate::process::say_warning(warning);
    }
    if draft.config.verbosity > 0 {
        for note in &draft.notes {
            crate::process::say(note);
        }
    }
}

/// Reads a command line, whose first word is the program's name.
fn parse(args: impl IntoIterator<Item = impl Into<OsString>>) -> Result<Request, CliError> {
    let mut command = options::command();
    let args = args.into_iter().map(Into::into);
    let args = args.map(options::without_ignored_value);
    let matches = command
        .try_get_matches_from_mut(args)
        .map_err(|error| options::explain(&error))?;
    if matches.get_flag("help") {
        return Ok(Request::Print(text::help(&mut command)));
    }
    if matches.get_flag("version") {
        return Ok(Request::Print(text::version()));
    }
    if matches.get_flag("license") {
        return Ok(Request::Print(text::license()));
    }
    let mut draft = Draft::default();
    apply::all(&matches, &mut draft)?;
    check::all(&mut draft)?;
    Ok(Request::Run(Box::new(draft)))
}
