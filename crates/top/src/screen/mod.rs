//! The screen: draws what the stations send, until somebody presses q.
//!
//! ```text
//!   looks ---> app.rs (what is known of each server)  ---> draw.rs, panels.rs ---> terminal
//!   keys  --->
//! ```

mod app;
mod draw;
mod panels;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;
use std::{io, process, thread};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::args::Options;
use crate::station::{self, Look};
use app::App;

/// Time after which signals and looks are noticed, while no key is pressed.
const TURN: Duration = Duration::from_millis(100);

/// Shows the servers until a key or a signal ends it.
///
/// # Errors
/// If the terminal cannot be used, or is gone.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let is_to_end = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&is_to_end))?;
    }
    let (sender, looks) = mpsc::sync_channel(options.servers.len());
    station::watch(options, options.interval, &sender);
    let mut terminal = ratatui::try_init()?;
    thread::spawn(end_with_the_terminal);
    let shown = show(&mut terminal, App::new(options), &looks, &is_to_end);
    let restored = ratatui::try_restore();
    shown.and(restored)
}

/// Ends the process when the terminal is gone. From then on crossterm's `poll` reads the end of the input over and over
/// and does not return, so that nothing in the loop above can notice it.
fn end_with_the_terminal() {
    let stdin = io::stdin();
    // Without an event to wait for, only the end of the terminal is reported.
    let mut terminal = [PollFd::new(&stdin, PollFlags::empty())];
    loop {
        match poll(&mut terminal, None) {
            Err(Errno::INTR) => {}
            // A terminal that cannot be waited for is no reason to end; the keys do.
            Err(_) => return,
            Ok(_) => process::exit(1),
        }
    }
}

fn show(
    terminal: &mut DefaultTerminal,
    mut app: App,
    looks: &Receiver<(usize, Look)>,
    is_to_end: &AtomicBool,
) -> io::Result<()> {
    let mut is_changed = true;
    while !app.is_ended && !is_to_end.load(Ordering::Relaxed) {
        if is_changed {
            terminal.draw(|frame| draw::all(frame, &app))?;
        }
        is_changed = event::poll(TURN)?;
        // A new size, most of all, is an event that asks for nothing but to draw.
        if is_changed && let Event::Key(key) = event::read()? {
            app.press(key);
        }
        while let Ok((server, look)) = looks.try_recv() {
            app.take(server, look);
            is_changed = true;
        }
    }
    Ok(())
}
