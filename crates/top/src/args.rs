//! The command line of `corecached top`.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use clap::builder::ValueParser;
use clap::error::{ContextKind, ErrorKind};
use clap::{Arg, ArgAction, Command};
use corecached_client::{Address, DEFAULT_PORT};

/// Servers that are watched at most: each has a thread.
const SERVERS_MAX: usize = 64;
/// Bounds of `--interval`, in seconds.
const INTERVAL_MIN_S: f64 = 0.1;
const INTERVAL_MAX_S: f64 = 3600.0;
/// Most bytes of a password file that are read.
const LOGIN_BYTES_MAX: u64 = 4096;

/// What the command line asks for.
#[derive(Debug)]
pub(crate) struct Options {
    /// The servers, in the order of the command line; at least one.
    pub(crate) servers: Vec<Address>,
    /// Time between two looks at a server.
    pub(crate) interval: Duration,
    /// One snapshot as text, in place of the screen.
    pub(crate) once: bool,
    /// Where a page is served in place of the screen.
    pub(crate) page: Option<SocketAddr>,
    /// User and password for servers with `-Y`.
    pub(crate) login: Option<(String, String)>,
}

/// A command line that was understood.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// Watch these servers.
    Run(Options),
    /// Print this text and end.
    Print(String),
}

/// Why a command line is refused, in a sentence for its author.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) String);

pub(crate) fn command() -> Command {
    Command::new("top")
        .bin_name("corecached top")
        .about("Shows what caches are doing: rates, hits, latency, shards, hot keys, memory")
        .after_help("Keys: q ends, the arrow keys choose a server.")
        .arg(
            Arg::new("servers")
                .value_name("HOST:PORT")
                .num_args(0..)
                .value_parser(ValueParser::string())
                .help("Servers, or unix:PATH of their sockets [default: 127.0.0.1:11211]"),
        )
        .arg(
            Arg::new("interval")
                .short('i')
                .long("interval")
                .value_name("SECONDS")
                .default_value("1")
                .value_parser(ValueParser::string())
                .help("Time between two looks, from 0.1 to 3600"),
        )
        .arg(
            Arg::new("once")
                .long("once")
                .action(ArgAction::SetTrue)
                .help("Print one snapshot as text: a server, a name and a figure on each line"),
        )
        .arg(
            Arg::new("page")
                .long("page")
                .value_name("ADDR:PORT")
                .conflicts_with_all(["once", "interval"])
                .value_parser(ValueParser::string())
                .help("Serve a page with graphs of the last hour by HTTP"),
        )
        .arg(
            Arg::new("login")
                .long("login")
                .value_name("FILE")
                .value_parser(ValueParser::path_buf())
                .help("File with user:password, for servers with -Y"),
        )
}

/// Reads the arguments that follow the word `top`.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Parsed, Refused> {
    let argv = std::iter::once(OsString::from("corecached top")).chain(arguments);
    let matches = match command().try_get_matches_from(argv) {
        Ok(matches) => matches,
        Err(error) if error.kind() == ErrorKind::DisplayHelp => {
            return Ok(Parsed::Print(error.to_string()));
        }
        Err(error) => return Err(explain(&error)),
    };
    let named = matches.get_many::<String>("servers");
    let servers = servers(named.into_iter().flatten())?;
    let interval = matches.get_one::<String>("interval");
    let page = matches.get_one::<String>("page");
    let login = matches
        .get_one::<std::path::PathBuf>("login")
        .map(|path| login(path))
        .transpose()?;
    Ok(Parsed::Run(Options {
        servers,
        interval: interval.map_or(Ok(Duration::from_secs(1)), |text| seconds(text))?,
        once: matches.get_flag("once"),
        page: page.map(|text| page_address(text)).transpose()?,
        login,
    }))
}

fn servers<'a>(named: impl Iterator<Item = &'a String>) -> Result<Vec<Address>, Refused> {
    let servers = named
        .map(|text| {
            text.parse::<Address>()
                .map_err(|why| Refused(format!("{why}")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    if servers.len() > SERVERS_MAX {
        let count = servers.len();
        return Err(Refused(format!(
            "{count} servers are too many: {SERVERS_MAX} at most"
        )));
    }
    if servers.is_empty() {
        return Ok(vec![Address::tcp("127.0.0.1", DEFAULT_PORT)]);
    }
    Ok(servers)
}

fn seconds(text: &str) -> Result<Duration, Refused> {
    let refused = || {
        Refused(format!(
            "--interval {text}: seconds are expected, from {INTERVAL_MIN_S} to {INTERVAL_MAX_S}"
        ))
    };
    let seconds: f64 = text.parse().map_err(|_| refused())?;
    if !(INTERVAL_MIN_S..=INTERVAL_MAX_S).contains(&seconds) {
        return Err(refused());
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn page_address(text: &str) -> Result<SocketAddr, Refused> {
    let refused = |_| {
        Refused(format!(
            "--page {text}: an address and a port are expected, as 127.0.0.1:8080"
        ))
    };
    text.parse().map_err(refused)
}

/// The first line of a password file that is neither empty nor a comment.
fn login(path: &Path) -> Result<(String, String), Refused> {
    let shown = path.display();
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(LOGIN_BYTES_MAX).read_to_string(&mut text))
        .map_err(|why| Refused(format!("--login {shown}: {why}")))?;
    let line = text
        .lines()
        .find(|line| !line.is_empty() && !line.starts_with('#'));
    match line.and_then(|line| line.split_once(':')) {
        Some((user, password)) if !user.is_empty() && !password.is_empty() => {
            Ok((user.to_owned(), password.to_owned()))
        }
        _ => Err(Refused(format!(
            "--login {shown}: a line user:password is expected"
        ))),
    }
}

/// clap's finding in one sentence.
fn explain(error: &clap::Error) -> Refused {
    let of = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    let argument = of(ContextKind::InvalidArg);
    let name = argument.split(' ').next().unwrap_or_default();
    Refused(match error.kind() {
        ErrorKind::UnknownArgument => {
            format!("there is no option {name}; corecached top --help lists them")
        }
        ErrorKind::InvalidValue => format!("{name} needs a value"),
        ErrorKind::ArgumentConflict => {
            let prior = of(ContextKind::PriorArg);
            match prior.split(' ').next().unwrap_or_default() {
                prior if prior == name => format!("{name} is given twice"),
                prior => format!("{name} and {prior} exclude each other"),
            }
        }
        ErrorKind::TooManyValues => format!("{name} takes no value"),
        _ => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            first.trim_start_matches("error: ").to_owned()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Options, String> {
        match parse(arguments.iter().map(OsString::from)) {
            Ok(Parsed::Run(options)) => Ok(options),
            Ok(Parsed::Print(text)) => Err(text),
            Err(Refused(message)) => Err(message),
        }
    }

    #[test]
    fn without_arguments_it_is_the_local_server_each_second() {
        let options = parsed(&[]).unwrap();
        assert_eq!(options.servers, [Address::tcp("127.0.0.1", 11211)]);
        assert_eq!(options.interval, Duration::from_secs(1));
        assert!(!options.once);
    }

    #[test]
    fn servers_and_options_come_in_any_order() {
        let options = parsed(&["a:1", "--once", "unix:/s", "-i", "0.5", "[::1]"]).unwrap();
        let shown: Vec<_> = options.servers.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["a:1", "unix:/s", "[::1]:11211"]);
        assert_eq!(options.interval, Duration::from_millis(500));
        assert!(options.once);
    }

    #[test]
    fn bad_arguments_are_answered_with_a_sentence() {
        for (arguments, message) in [
            (
                &["host:x"][..],
                "'host:x' is no address: HOST:PORT or unix:PATH",
            ),
            (
                &["--interval", "0"],
                "--interval 0: seconds are expected, from 0.1 to 3600",
            ),
            (
                &["--interval", "nan"],
                "--interval nan: seconds are expected, from 0.1 to 3600",
            ),
            (&["--interval"], "--interval needs a value"),
            (&["--once=1"], "--once takes no value"),
            (&["--once", "--once"], "--once is given twice"),
            (
                &["--page", "80"],
                "--page 80: an address and a port are expected, as 127.0.0.1:8080",
            ),
            (
                &["--page", "[::1]:80", "--once"],
                "--page and --once exclude each other",
            ),
            (
                &["-x"],
                "there is no option -x; corecached top --help lists them",
            ),
            (
                &["--login", "/nowhere"],
                "--login /nowhere: No such file or directory (os error 2)",
            ),
        ] {
            assert_eq!(parsed(arguments).unwrap_err(), message, "{arguments:?}");
        }
        let many = vec!["a"; SERVERS_MAX + 1];
        assert_eq!(
            parsed(&many).unwrap_err(),
            "65 servers are too many: 64 at most"
        );
    }

    #[test]
    fn the_help_names_every_option() {
        let help = parsed(&["--help"]).unwrap_err();
        for word in [
            "HOST:PORT",
            "--interval",
            "--once",
            "--page",
            "--login",
            "11211",
        ] {
            assert!(help.contains(word), "{word}: {help}");
        }
    }
}
