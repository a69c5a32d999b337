//! The loop over all connections, on the thread of its caller.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::connection::{Connection, Course};
use crate::{Answer, Request};

/// Connections at once. A newcomer beyond them takes the place of the first that has been answered and has not closed,
/// or else of the one that was there first: so no crowd keeps newcomers out, whatever it waits for.
pub const CONNECTIONS_MAX: usize = 32;
/// Pause after a connection could not be accepted, for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves for ever; returns why it cannot. `site` finds the answer to a request: while it does, all clients wait.
pub fn serve(listener: &TcpListener, site: impl FnMut(&Request<'_>) -> Answer) -> io::Error {
    match try_serve(listener, site) {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

/// What has no value.
enum Never {}

fn try_serve(
    listener: &TcpListener,
    mut site: impl FnMut(&Request<'_>) -> Answer,
) -> io::Result<Never> {
    listener.set_nonblocking(true)?;
    let is_local = listener.local_addr()?.ip().is_loopback();
    let mut connections: Vec<Connection> = Vec::with_capacity(CONNECTIONS_MAX);
    let mut pause_until = None;
    loop {
        let is_accepting = pause_until.is_none_or(|until| until <= Instant::now());
        let deadlines = connections.iter().map(Connection::deadline);
        let next = deadlines.chain(pause_until.filter(|_| !is_accepting)).min();
        let (ready, newcomers) = wait(listener, is_accepting, &connections, next)?;
        let mut ready = ready.into_iter();
        let now = Instant::now();
        connections.retain_mut(|connection| {
            let course = match ready.next() {
                Some(true) => connection.go_on(is_local, &mut site),
                // A client that was ready when its time was over has not been slow: the server was.
                _ if connection.deadline() <= now => connection.expire(),
                _ => Course::Waits,
            };
            course == Course::Waits
        });
        if newcomers {
            let accepted = accept(listener, &mut connections);
            pause_until = accepted.err().map(|_| Instant::now() + PAUSE);
        }
    }
}

/// Waits until something can go on, or until `next`: returns for each connection whether it can, and whether there are
/// newcomers.
fn wait(
    listener: &TcpListener,
    is_accepting: bool,
    connections: &[Connection],
    next: Option<Instant>,
) -> io::Result<(Vec<bool>, bool)> {
    let of_connections = connections.iter();
    let mut polled: Vec<_> = of_connections
        .map(|connection| PollFd::new(connection.stream(), connection.awaited()))
        .collect();
    if is_accepting {
        polled.push(PollFd::new(listener, PollFlags::IN));
    }
    let timeout = next.map(|next| {
        let left = next.saturating_duration_since(Instant::now());
        Timespec {
            // Deadlines are seconds away.
            tv_sec: left.as_secs() as i64,
            tv_nsec: i64::from(left.subsec_nanos()),
        }
    });
    match poll(&mut polled, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let mut ready: Vec<bool> = polled.iter().map(|it| !it.revents().is_empty()).collect();
    let newcomers = is_accepting && ready.pop() == Some(true);
    Ok((ready, newcomers))
}

/// Accepts everybody who waits, or as many as there are places.
///
/// # Errors
///
/// If there is no descriptor or memory for a connection.
fn accept(listener: &TcpListener, connections: &mut Vec<Connection>) -> io::Result<()> {
    for _ in 0..CONNECTIONS_MAX {
        match listener.accept() {
            Ok((stream, _)) => admit(stream, connections),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            // The client has gone before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn admit(stream: TcpStream, connections: &mut Vec<Connection>) {
    if connections.len() == CONNECTIONS_MAX {
        // They are in the order in which they came. No more than there are places come between two looks at all of
        // them, so that a newcomer is looked at before it has to go.
        let answered = connections.iter().position(Connection::is_answered);
        connections.remove(answered.unwrap_or(0));
    }
    // A socket that takes no options is of no use.
    connections.extend(Connection::new(stream));
}

#[cfg(test)]
mod tests;
