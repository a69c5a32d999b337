//! The server processes that are compared: Debian's memcached, and ours.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The release whose differences `docs/differences.md` lists.
pub(crate) const REFERENCE_VERSION: &str = "1.6.18";

/// A server must answer this soon after its start.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// How many ports are tried.
const STARTS_MAX: usize = 5;

/// A running server; ended when dropped.
pub(crate) struct Peer {
    child: Child,
    address: SocketAddr,
}

impl Peer {
    /// The reference.
    pub(crate) fn memcached(options: &[&str]) -> Peer {
        let binary = std::env::var("MEMCACHED_BIN").unwrap_or_else(|_| "memcached".into());
        let peer = Peer::start(Command::new(binary).args(["-t", "2"]), options);
        let version = peer.version();
        assert!(
            version.contains(REFERENCE_VERSION),
            "the rules are for {REFERENCE_VERSION}, this is {version}"
        );
        peer
    }

    /// Ours, with that many shards.
    pub(crate) fn corecached(shards: usize, options: &[&str]) -> Peer {
        let binary = std::env::var("CORECACHED_BIN")
            .unwrap_or_else(|_| env!("CARGO_BIN_EXE_corecached").into());
        Peer::start(
            Command::new(binary).args(["-t", &shards.to_string()]),
            options,
        )
    }

    /// A port that was free may be the source of somebody's connection a moment later: then another one is tried.
    fn start(command: &mut Command, options: &[&str]) -> Peer {
        let fixed = ["-u", "root", "-l", "127.0.0.1", "-U", "0", "-m", "256"];
        command.args(fixed).args(options);
        let tries = (0..STARTS_MAX).map(|_| Peer::start_on(command, free_address()));
        let started = tries.flatten().next();
        started.unwrap_or_else(|| panic!("{command:?} ends at once"))
    }

    /// A server that listens on `address`; `None` if it ends instead.
    fn start_on(command: &mut Command, address: SocketAddr) -> Option<Peer> {
        // Of several ports the last one counts.
        let child = command
            .arg("-p")
            .arg(address.port().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut peer = Peer { child, address };
        peer.waits_for_clients().then_some(peer)
    }

    fn waits_for_clients(&mut self) -> bool {
        let end = Instant::now() + START_TIMEOUT;
        while TcpStream::connect(self.address).is_err() {
            if self.child.try_wait().expect("the child is ours").is_some() {
                return false;
            }
            assert!(Instant::now() < end, "no answer on {}", self.address);
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }

    fn version(&self) -> String {
        let mut stream = self.connect();
        stream.write_all(b"version\r\nquit\r\n").expect("it reads");
        let mut version = String::new();
        stream.read_to_string(&mut version).expect("it answers");
        version
    }

    /// A new connection, which gives up on a server that says nothing for long.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_nodelay(true).expect("a TCP socket");
        let timeout = Some(Duration::from_secs(10));
        stream.set_read_timeout(timeout).expect("a valid time");
        stream.set_write_timeout(timeout).expect("a valid time");
        stream
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> SocketAddr {
    let probe = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    probe.local_addr().expect("it is bound")
}
