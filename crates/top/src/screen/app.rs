//! What the screen knows: the last look at each server, the history of its requests, and which server is chosen.

use std::collections::VecDeque;
use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::args::Options;
use crate::escape::printable;
use crate::station::Look;
use crate::view::View;

/// Looks that the graph of requests goes back: more than a terminal has columns.
const HISTORY_MAX: usize = 512;

/// Everything that is shown.
pub(super) struct App {
    pub(super) servers: Vec<Server>,
    /// The server whose details are shown.
    pub(super) chosen: usize,
    pub(super) interval: Duration,
    pub(super) is_ended: bool,
}

/// What is known of a server.
pub(super) struct Server {
    pub(super) name: String,
    pub(super) link: Link,
    /// Requests in a second at each look, the newest last.
    pub(super) history: VecDeque<u64>,
}

/// Whether a server answers.
pub(super) enum Link {
    /// No look has come yet.
    Waiting,
    Up(Box<View>),
    /// It has not answered at so many looks in a row, and why.
    Gone {
        looks: u64,
        why: String,
    },
}

impl Server {
    /// The figures, while the server answers.
    pub(super) fn view(&self) -> Option<&View> {
        match &self.link {
            Link::Up(view) => Some(view),
            _ => None,
        }
    }
}

impl App {
    pub(super) fn new(options: &Options) -> Self {
        let server = |address: &corecached_client::Address| Server {
            name: printable(&address.to_string()),
            link: Link::Waiting,
            history: VecDeque::new(),
        };
        Self {
            servers: options.servers.iter().map(server).collect(),
            chosen: 0,
            interval: options.interval,
            is_ended: false,
        }
    }

    /// Takes the look at the server with this number.
    pub(super) fn take(&mut self, number: usize, look: Look) {
        let Some(server) = self.servers.get_mut(number) else {
            return;
        };
        let requests = look.as_ref().ok().and_then(|view| view.requests());
        server.history.push_back(requests.unwrap_or(0.0) as u64);
        if server.history.len() > HISTORY_MAX {
            server.history.pop_front();
        }
        server.link = match (look, &server.link) {
            (Ok(view), _) => Link::Up(view),
            (Err(why), Link::Gone { looks, .. }) => Link::Gone {
                looks: looks + 1,
                why,
            },
            (Err(why), _) => Link::Gone { looks: 1, why },
        };
    }

    /// Does what a key asks for.
    pub(super) fn press(&mut self, key: KeyEvent) {
        if key.kind == KeyEventKind::Release {
            return;
        }
        let last = self.servers.len() - 1;
        match key.code {
            KeyCode::Char('q' | 'Q') | KeyCode::Esc => self.is_ended = true,
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                self.is_ended = true;
            }
            KeyCode::Up | KeyCode::Char('k') => self.chosen = self.chosen.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.chosen = (self.chosen + 1).min(last),
            KeyCode::Tab => self.chosen = (self.chosen + 1) % self.servers.len(),
            KeyCode::Home => self.chosen = 0,
            KeyCode::End => self.chosen = last,
            _ => {}
        }
    }
}
