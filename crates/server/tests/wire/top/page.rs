//! `corecached top --page`: the page and its figures by HTTP.

use std::io::{self, BufRead, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{text, top};
use crate::server::{Server, binary};

/// `corecached top --page`, and where the page is.
struct Page {
    child: Child,
    address: SocketAddr,
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Page {
    fn start(servers: &[&str]) -> Self {
        let mut command = Command::new(binary());
        command.args(["top", "--page", "127.0.0.1:0"]).args(servers);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let stderr = child.stderr.as_mut().unwrap();
        io::BufReader::new(stderr).read_line(&mut line).unwrap();
        let address = line.trim_end().trim_end_matches('/').rsplit('/').next();
        let address = address.unwrap().parse().unwrap();
        Self { child, address }
    }

    fn get(&self, target: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let address = self.address;
        write!(stream, "GET {target} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

#[test]
fn the_page_and_its_figures_are_served_while_others_hold_connections() {
    let server = Server::start(3, &["-m", "64"]);
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let page = Page::start(&[&server.address().to_string(), &gone.to_string()]);
    let _idle: Vec<_> = (0..10)
        .map(|_| TcpStream::connect(page.address).unwrap())
        .collect();
    let html = page.get("/");
    assert!(
        html.starts_with("HTTP/1.1 200 OK\r\n") && html.ends_with("</html>\n"),
        "{html}"
    );
    assert!(
        html.contains("Content-Security-Policy: default-src 'none'"),
        "{html}"
    );
    let end = Instant::now() + Duration::from_secs(60);
    let json = loop {
        let json = page.get("/top.json?server=0");
        if json.contains("corecached ") {
            break json;
        }
        assert!(Instant::now() < end, "no look: {json}");
        thread::sleep(Duration::from_millis(50));
    };
    for part in [
        "\"gone\":null",
        "\"shards\":[{",
        "\"series\":{",
        "\"bytes_max\":67108864",
    ] {
        assert!(json.contains(part), "{part}: {json}");
    }
    while !page
        .get("/top.json?server=1")
        .contains("\"gone\":\"the connection failed")
    {
        assert!(Instant::now() < end, "the server that is gone is not told");
        thread::sleep(Duration::from_millis(50));
    }
    for target in ["/top.json?server=2", "/top.json?server=x", "/metrics"] {
        assert!(page.get(target).starts_with("HTTP/1.1 404 "), "{target}");
    }
}

#[test]
fn a_request_for_the_page_has_an_end_in_bytes_and_in_time() {
    let page = Page::start(&["127.0.0.1:1"]);
    let mut endless = TcpStream::connect(page.address).unwrap();
    let mut sent = 0_usize;
    while endless.write_all(&[b'x'; 1000]).is_ok() {
        sent += 1000;
        assert!(sent < 64 << 20, "it reads for ever");
    }
    let mut silent = TcpStream::connect(page.address).unwrap();
    silent
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut told = String::new();
    let ended = silent.read_to_string(&mut told);
    assert!(ended.is_ok(), "it waits for ever");
    assert!(told.starts_with("HTTP/1.1 408 "), "{told}");
}

#[test]
fn an_address_that_is_taken_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = top(&["--page", &address]);
    assert_eq!(output.status.code(), Some(1));
    let sentence =
        format!("corecached top: --page {address}: Address already in use (os error 98)\n");
    assert_eq!(text(&output.stderr), sentence);
}
