//! The server under test: a process of our own, ended with the round.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::client::{Client, Protocol};
use crate::setup::{Address, Setup};

/// It has so long to listen, and to end when asked.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: Address,
    socket_path: Option<PathBuf>,
}

impl Server {
    pub(crate) fn start(binary: &Path, setup: &Setup) -> io::Result<Server> {
        let mut command = Command::new(binary);
        command.args(setup.options()).args(["-u", "root"]);
        let address = if setup.unix {
            let name = format!("corecached-soak-{}-{}.sock", std::process::id(), setup.seed);
            Address::Unix(std::env::temp_dir().join(name))
        } else {
            Address::Tcp(Setup::free_address()?)
        };
        let socket_path = match &address {
            Address::Tcp(address) => {
                command.args(["-l", "127.0.0.1", "-p", &address.port().to_string()]);
                None
            }
            Address::Unix(path) => {
                command.arg("-s").arg(path);
                Some(path.clone())
            }
        };
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let mut server = Server {
            child,
            address,
            socket_path,
        };
        server.wait_until_it_listens()?;
        Ok(server)
    }

    fn wait_until_it_listens(&mut self) -> io::Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            match Client::open(&self.address, Protocol::Text) {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > end => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!(
                    "the server ended at its start: {status}"
                )));
            }
        }
    }

    /// Its process id, for signals of the operator.
    pub(crate) fn process(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// The most memory that it ever had, in bytes; 0 if the kernel does not say.
    pub(crate) fn resident_bytes_max(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kb = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kb.unwrap_or(0) * 1024
    }

    /// Whether it has ended by itself, which it never may.
    pub(crate) fn has_ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok().flatten()?;
        Some(format!(
            "the server ended in the middle of the round: {status}"
        ))
    }

    /// Ends it; it has to end with status 0.
    pub(crate) fn end(mut self) -> Result<(), String> {
        kill_process(self.process(), Signal::TERM).map_err(|error| error.to_string())?;
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(10)),
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => {
                    return Err(format!("the server ended with {status} after SIGTERM"));
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        Err("the server does not end after SIGTERM".to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(path) = &self.socket_path {
            let _ = std::fs::remove_file(path);
        }
    }
}
