//! Opens connections that were lost, on a thread of its own for each server: a worker never waits for a connect.

use super::config::FleetConfig;
use super::open::{Opener, openers};
use crate::error::{LoadError, Result};
use crate::worker::links::{Order, pause};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// Starts the threads and returns where orders go. They end when all senders are gone.
pub(super) fn start(config: &FleetConfig) -> Result<Sender<Order>> {
    let mut outlets = Vec::new();
    for server in 0..openers(config) {
        let (outlet, inbox) = channel();
        outlets.push(outlet);
        let opener = Opener::new(config, server);
        thread(&format!("dial-{server}"), move || dial(opener, &inbox))?;
    }
    let (orders, inbox) = channel::<Order>();
    thread("dial", move || {
        for order in inbox {
            let server = order.group.0 % outlets.len();
            // The threads live as long as this one.
            let _ = outlets[server].send(order);
        }
    })?;
    Ok(orders)
}

fn thread(name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map(drop)
        .map_err(|error| LoadError::failed("starting a thread", &error))
}

/// The life of a thread that opens connections to one server.
fn dial(mut opener: Opener, inbox: &Receiver<Order>) {
    let mut orders: Vec<(Instant, Order)> = Vec::new();
    let mut failures = 0;
    let mut not_before = Instant::now();
    loop {
        let next = orders.iter().map(|(at, _)| (*at).max(not_before)).min();
        let received = match next {
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => inbox.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        match received {
            Ok(order) => orders.push((Instant::now() + order.pause, order)),
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let now = Instant::now();
        if now < not_before {
            continue;
        }
        let Some(index) = orders.iter().position(|(at, _)| *at <= now) else {
            continue;
        };
        let (_, order) = orders.swap_remove(index);
        match opener.open(order.group) {
            Ok(opened) => {
                failures = 0;
                // A worker that has ended needs no connection.
                let _ = order.outlet.send((order.id, opened));
            }
            Err(_) => {
                failures += 1;
                not_before = Instant::now() + pause(failures).max(Duration::from_millis(1));
                orders.push((not_before, order));
            }
        }
    }
}
