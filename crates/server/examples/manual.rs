//! Writes the manual page and the completions of shells, made of the same table as `-h`: packages bring them.
//!
//! ```text
//!   cargo run -p corecached --example manual -- FOLDER
//!       FOLDER/corecached.1, corecached.bash, _corecached (zsh), corecached.fish
//! ```

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap_complete::Shell;
use clap_mangen::Man;

const BEHIND_THE_OPTIONS: &str = r#".SH TOP
.B corecached top
.RI [ HOST:PORT ...]
shows what servers are doing, memcached's too, until
.B q
is pressed;
.B \-\-once
prints one snapshot as text,
.B \-\-page
with ADDR:PORT serves a page with graphs of the last hour,
.B \-\-interval
takes seconds, and
.B \-\-login
a file with user:password.
.SH SIGNALS
.TP
.B SIGTERM, SIGINT
The server ends; replies that are due are sent first, for two seconds at most.
.TP
.B SIGUSR1
The same, and the items of
.B \-e
are kept for the next start.
.TP
.B SIGHUP
Password files and certificates are read again; the old ones stay if the new ones are bad.
.SH SYSTEMD
With NOTIFY_SOCKET the server tells when it is ready (Type=notify). Sockets that are handed over by LISTEN_FDS take the place of
.BR \-l ", " \-p ", " \-U " and " \-s .
.SH EXIT STATUS
.TP
.B 0
An orderly end.
.TP
.B 64, 1
A bad option or value.
.TP
.B 67
The user of
.B \-u
does not exist.
.TP
.B 71
An address, a thread or the change of user cannot be had.
.TP
.B 70
A fault of the program.
.SH FILES
.TP
.I /etc/default/corecached
Options of the service, in the packages of Debian; /etc/sysconfig/corecached in others.
.SH SEE ALSO
.BR memcached (1),
whose options and protocol these are.
"#;

fn main() -> io::Result<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.ok_or_else(|| io::Error::other("say where to: manual FOLDER"))?;
    fs::create_dir_all(&folder)?;
    write_manual(&folder)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut command(), "corecached", &folder)?;
    }
    Ok(())
}

/// The options, with a name for the page that says more than the program's.
fn command() -> clap::Command {
    corecached::command_line().about("cache server that speaks memcached's protocol")
}

fn write_manual(folder: &Path) -> io::Result<()> {
    let man = Man::new(command())
        .section("1")
        .source(concat!("corecached ", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_options_section(&mut page)?;
    write_extended(&mut page)?;
    page.write_all(BEHIND_THE_OPTIONS.as_bytes())?;
    fs::write(folder.join("corecached.1"), page)
}

/// What `-h` says of `-o`, as it is.
fn write_extended(page: &mut Vec<u8>) -> io::Result<()> {
    writeln!(page, ".SH EXTENDED OPTIONS\n.nf")?;
    for line in corecached::extended_options().lines() {
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        // A line that begins with a dot or an apostrophe would be a request.
        writeln!(page, "\\&{line}")?;
    }
    writeln!(page, ".fi")
}
