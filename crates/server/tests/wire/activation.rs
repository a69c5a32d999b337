//! Under a supervisor as systemd is: sockets that were opened before the server is started, and what the supervisor is
//! told.
//!
//! ```text
//!   test: binds TCP and a unix socket --> sh: LISTEN_PID=$$, descriptors 3 and 4, exec server
//!         binds a datagram socket <------ READY=1, STOPPING=1
//! ```

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::faults::eventually;
use crate::server::{binary, free_port};

const PATIENCE: Duration = Duration::from_secs(60);

/// What systemd would hold: the sockets, and the place where it is told.
struct Supervisor {
    folder: PathBuf,
    tcp: TcpListener,
    unix: UnixListener,
    told: UnixDatagram,
}

impl Supervisor {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("corecached-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        // As a supervisor that polls would have it.
        tcp.set_nonblocking(true).unwrap();
        let told = UnixDatagram::bind(folder.join("notify")).unwrap();
        told.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            tcp,
            unix: UnixListener::bind(folder.join("cache.sock")).unwrap(),
            told,
            folder,
        }
    }

    /// The shell has the sockets as its input and output, and passes them on where systemd would put them.
    fn start(&self, options: &[&str]) -> Running {
        let script =
            "LISTEN_PID=$$ LISTEN_FDS=2 exec \"$0\" \"$@\" 3<&0 4<&1 </dev/null >/dev/null";
        let mut command = Command::new("sh");
        command.args(["-c", script, &binary(), "-t", "2"]);
        if geteuid().is_root() {
            command.args(["-u", "root"]);
        }
        let tcp: OwnedFd = self.tcp.try_clone().unwrap().into();
        let unix: OwnedFd = self.unix.try_clone().unwrap().into();
        command
            .args(options)
            .env("NOTIFY_SOCKET", self.folder.join("notify"))
            .stdin(Stdio::from(tcp))
            .stdout(Stdio::from(unix))
            .stderr(Stdio::piped());
        Running(command.spawn().unwrap())
    }

    fn next_word(&self) -> String {
        let mut bytes = [0; 256];
        let length = self.told.recv(&mut bytes).expect("the supervisor is told");
        String::from_utf8_lossy(&bytes[..length]).trim().to_owned()
    }

    fn tcp_client(&self) -> TcpStream {
        let client = TcpStream::connect(self.tcp.local_addr().unwrap()).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client
    }

    fn unix_client(&self) -> UnixStream {
        let client = UnixStream::connect(self.folder.join("cache.sock")).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A server that is killed when the test ends.
struct Running(Child);

impl Running {
    /// Ends it by SIGTERM. What it has said.
    fn end(&mut self) -> String {
        kill_process(Pid::from_child(&self.0), Signal::TERM).unwrap();
        assert_eq!(self.0.wait().unwrap().code(), Some(0));
        let mut text = String::new();
        let stderr = self.0.stderr.as_mut().expect("it was piped");
        stderr.read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ask(stream: &mut (impl Read + Write), request: &str, reply: &str) {
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = vec![0; reply.len()];
    stream.read_exact(&mut bytes).expect("an answer");
    assert_eq!(String::from_utf8_lossy(&bytes), reply);
}

fn is_other_server() -> bool {
    binary().ends_with("memcached")
}

#[test]
fn sockets_that_are_handed_over_are_served() {
    if is_other_server() {
        return;
    }
    let supervisor = Supervisor::new("handed-over");
    // What the command line says of addresses does not count.
    let mut server = supervisor.start(&["-p", "1", "-U", "1"]);
    assert_eq!(supervisor.next_word(), "READY=1");
    for turn in 0..8 {
        let request = format!("set key{turn} 0 0 1\r\n{turn}\r\n");
        ask(&mut supervisor.tcp_client(), &request, "STORED\r\n");
        let reply = format!("VALUE key{turn} 0 1\r\n{turn}\r\nEND\r\n");
        ask(
            &mut supervisor.unix_client(),
            &format!("get key{turn}\r\n"),
            &reply,
        );
    }
    let said = server.end();
    let port = supervisor.tcp.local_addr().unwrap();
    assert!(
        said.contains(&format!("ready on {port}, a unix socket")),
        "{said}"
    );
    assert!(!said.contains("loopback only"), "{said}");
    assert_eq!(supervisor.next_word(), "STOPPING=1");
}

#[test]
fn clients_wait_while_the_server_is_restarted() {
    if is_other_server() {
        return;
    }
    let supervisor = Supervisor::new("restarted");
    let mut server = supervisor.start(&[]);
    assert_eq!(supervisor.next_word(), "READY=1");
    ask(&mut supervisor.tcp_client(), "mn\r\n", "MN\r\n");
    server.end();
    assert_eq!(supervisor.next_word(), "STOPPING=1");
    let (mut tcp, mut unix) = (supervisor.tcp_client(), supervisor.unix_client());
    let _next = supervisor.start(&[]);
    ask(&mut tcp, "mn\r\n", "MN\r\n");
    ask(&mut unix, "mn\r\n", "MN\r\n");
    assert_eq!(supervisor.next_word(), "READY=1");
}

#[test]
fn what_is_no_listening_socket_is_refused() {
    if is_other_server() {
        return;
    }
    let supervisor = Supervisor::new("refused");
    let script = "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" 3<&0";
    let connection: OwnedFd = supervisor.tcp_client().into();
    let output = Command::new("sh")
        .args(["-c", script, &binary()])
        .stdin(Stdio::from(connection))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(71));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("descriptor 3") && said.contains("not a listening socket"),
        "{said}"
    );
}

/// memcached does not read these variables, whatever they are.
#[test]
fn variables_that_name_no_socket_are_told_and_left_alone() {
    for number in ["", "x", "-1", "1"] {
        let port = free_port();
        let script = format!("LISTEN_PID=$$ LISTEN_FDS={number} exec \"$0\" \"$@\" 3>&-");
        let mut command = Command::new("sh");
        command.args(["-c", &script, &binary(), "-t", "1", "-l", "127.0.0.1"]);
        if geteuid().is_root() {
            command.args(["-u", "root"]);
        }
        let command = command.args(["-p", &port.to_string()]);
        let mut running = Running(command.stderr(Stdio::piped()).spawn().unwrap());
        eventually("it listens", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        let said = running.end();
        assert!(is_other_server() || said.contains("LISTEN_FDS"), "{said}");
    }
}
