//! `--page`: the figures and graphs of the last hour in a browser, for a screen on the wall, or a server far away.
//!
//! ```text
//!   stations --looks, every INTERVAL--> Board (one for each server: the figures of now, and an hour of points)
//!                                         |
//!   browser --GET /---------------> page.html
//!           --GET /top.json?server=N------'       corecached-http: one request, one answer
//! ```
//!
//! The history is a ring of fixed size here, not in the browser: whoever opens the page sees the last hour at once.

mod board;
mod history;
mod json;

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::args::Options;
use crate::escape::printable;
use crate::station;
use board::Board;
use corecached_http::{Answer, Request, serve};
use history::INTERVAL;

/// The page, with everything in it.
const PAGE: &str = include_str!("page.html");

/// The page may load what it has in itself, and ask this server; nothing else, whatever a key is called.
const POLICY: &str = "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; \
                      script-src 'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'\r\n";

/// What is served.
struct Shown {
    names: Vec<String>,
    boards: Mutex<Vec<Board>>,
}

/// Serves the page until the process ends; returns why it cannot.
pub(crate) fn run(options: &Options, address: SocketAddr) -> io::Error {
    match listen(options, address) {
        Ok((listener, shown)) => serve(&listener, |request| shown.answer(request)),
        Err(error) => error,
    }
}

/// Listens, says where, and begins to look at the servers.
fn listen(options: &Options, address: SocketAddr) -> io::Result<(TcpListener, Arc<Shown>)> {
    let listener = TcpListener::bind(address)?;
    let place = listener.local_addr()?;
    let _ = writeln!(
        io::stderr(),
        "corecached top: the page is at http://{place}/"
    );
    let names = options.servers.iter().map(|it| printable(&it.to_string()));
    let shown = Arc::new(Shown {
        names: names.collect(),
        boards: Mutex::new(options.servers.iter().map(|_| Board::default()).collect()),
    });
    let (sender, looks) = mpsc::sync_channel(options.servers.len());
    station::watch(options, INTERVAL, &sender);
    let taken = Arc::clone(&shown);
    thread::spawn(move || {
        for (server, look) in looks {
            if let Some(board) = lock(&taken.boards).get_mut(server) {
                board.take(look, unix_seconds());
            }
        }
    });
    Ok((listener, shown))
}

/// A thread that has panicked leaves boards that can be shown all the same.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unix_seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

impl Shown {
    fn answer(&self, request: &Request<'_>) -> Answer {
        let answer = match request.path() {
            "/" => Answer::ok("text/html; charset=utf-8", PAGE),
            "/top.json" => match self.figures(request.target) {
                Some(json) => Answer::ok("application/json", json),
                None => Answer::refusal("404 Not Found", "No server has that number."),
            },
            _ => Answer::refusal("404 Not Found", "There is only the page, which is /."),
        };
        answer.with_headers(POLICY)
    }

    /// The figures of the server that the query of a target names, or of the first.
    fn figures(&self, target: &str) -> Option<String> {
        let (_, query) = target.split_once('?').unwrap_or((target, ""));
        let number = match query.strip_prefix("server=") {
            Some(number) => number.parse::<usize>().ok()?,
            None => 0,
        };
        Some(lock(&self.boards).get(number)?.json(&self.names))
    }
}
