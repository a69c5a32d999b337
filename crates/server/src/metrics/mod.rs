//! `-o metrics`: the statistics for Prometheus, and whether the server is well, by HTTP.
//!
//! ```text
//!   GET /metrics --+   thread "metrics"     Control::Report, one for each shard
//!   GET /healthz --+-> collect.rs --------------------------------------------> shards, in their next turn
//!                         |   <------------------------------ ShardReport ------'
//!                         v
//!                      page.rs: stats/*.rs --> Pairs --> rows of the tables --> families --> text
//!                               latency.rs: durations --> histograms ----'
//! ```
//!
//! What is told is what `stats` and its subcommands tell: their names and values are translated by tables, so that the
//! two cannot differ. Nothing here is on a shard's path: a scrape costs each shard one message, which it answers while
//! it has its engine in hand anyway.

mod collect;
mod families;
mod latency;
mod page;
mod tables;

#[cfg(test)]
mod tests;

use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use corecached_http::{Answer, Request, serve};

use crate::error::StartError;
use crate::process;
use crate::shared::Shared;

use collect::{Collected, Collector, Missing};
use families::Format;
use page::Page;

/// Begins to answer on `listener`, on a thread of its own. Until the shards serve, it says that they do not answer.
///
/// # Errors
/// If the thread cannot be started.
pub(crate) fn start(listener: TcpListener, shared: &Arc<Shared>) -> Result<(), StartError> {
    let mut site = Site::new(Arc::clone(shared));
    let serving = move || {
        let why = serve(&listener, |request| site.answer(request));
        process::fail(format_args!("-o metrics cannot go on: {why}"));
    };
    let thread = thread::Builder::new().name("metrics".into());
    let (io, shards) = (shared.globals.config.driver(), shared.route.len());
    let started = thread.spawn(serving);
    started.map_err(|error| StartError::thread(io, shards, error))?;
    Ok(())
}

/// What there is to ask for.
struct Site {
    shared: Arc<Shared>,
    collector: Collector,
    page: Page,
}

impl Site {
    fn new(shared: Arc<Shared>) -> Site {
        Site {
            collector: Collector::new(Arc::clone(&shared)),
            page: Page::new(),
            shared,
        }
    }

    fn answer(&mut self, request: &Request<'_>) -> Answer {
        match request.path() {
            "/metrics" => match self.collector.collect() {
                Ok(Collected { shards, .. }) => {
                    let format = Format::wanted(request.header("accept"));
                    let text = self.page.render(&self.shared, &shards, format);
                    Answer::ok(format.media_type(), text)
                }
                Err(missing) => unavailable(&missing),
            },
            "/healthz" => match self.collector.collect() {
                Ok(Collected { late, .. }) => {
                    let late = match late.is_empty() {
                        true => String::new(),
                        false => format!("{late}\n"),
                    };
                    Answer::ok("text/plain; charset=utf-8", format!("ok\n{late}"))
                }
                Err(missing) => unavailable(&missing),
            },
            _ => Answer::refusal("404 Not Found", "There are /metrics and /healthz."),
        }
    }
}

fn unavailable(missing: &Missing) -> Answer {
    Answer::refusal("503 Service Unavailable", missing.to_string())
}
