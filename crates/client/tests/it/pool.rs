//! Clients over pools: connections are used again, and servers die and come back.

use corecached_client::scripted::Script;
use corecached_client::{Address, Client, Config, Doing, Error, Ketama};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[test]
fn a_connection_is_used_again_unless_the_server_has_closed_it() {
    // The scripted server takes the next connection only when the script says that the first one ends.
    let script = Script::new()
        .then("mg a O0 v f\r\n", "EN\r\n")
        .then_close("mg b O1 v f\r\n")
        .then("mg c O0 v f\r\n", "EN\r\n");
    let server = script.serve().unwrap();
    let client = Client::connect([server.address()], Config::new()).unwrap();
    assert_eq!(client.get("a").unwrap(), None);
    assert!(matches!(client.get("b"), Err(Error::Io(_))));
    assert_eq!(client.get("c").unwrap(), None, "a new connection");
}

#[test]
fn something_unasked_on_an_idle_connection_is_never_read_as_a_reply() {
    let script = Script::new()
        .then("mg a O0 v f\r\n", "EN\r\nVA 1 O1 f0\r\nx\r\n")
        .then_close("");
    let script = script.then("mg b O0 v f\r\n", "EN\r\n");
    let server = script.serve().unwrap();
    let client = Client::connect([server.address()], Config::new()).unwrap();
    assert_eq!(client.get("a").unwrap(), None);
    assert_eq!(client.get("b").unwrap(), None, "on a new connection");
}

/// A server that says to every mg that there is nothing, as often as it is asked; it counts connections.
struct Nothing {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

fn nothing(listener: TcpListener) -> Nothing {
    let server = Nothing {
        address: listener.local_addr().unwrap(),
        accepted: Arc::default(),
        open: Arc::default(),
    };
    let (accepted, open) = (Arc::clone(&server.accepted), Arc::clone(&server.open));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            accepted.fetch_add(1, Ordering::SeqCst);
            open.lock().unwrap().push(stream.try_clone().unwrap());
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while let Some(Ok(line)) = lines.next() {
                    let answer = if line == "mn" {
                        "MN\r\n"
                    } else if line.contains(" q") {
                        ""
                    } else {
                        "EN\r\n"
                    };
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    server
}

#[test]
fn no_more_connections_than_allowed_are_in_use() {
    let server = nothing(TcpListener::bind("127.0.0.1:0").unwrap());
    let config = Config::new()
        .connections_max(2)
        .timeout(Duration::from_secs(10));
    let client = Client::connect([server.address], config).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let client = &client;
            scope.spawn(move || {
                for n in 0..50 {
                    assert_eq!(client.get(format!("{thread}_{n}")).unwrap(), None);
                }
            });
        }
    });
    assert!(server.accepted.load(Ordering::SeqCst) <= 2);
}

#[test]
fn a_full_pool_is_waited_for_and_then_given_up() {
    let script = Script::new()
        .then_silence("mg a O0 v f\r\n")
        .then_silence("mg b O0 v f\r\n");
    let server = script.serve().unwrap();
    let config = Config::new()
        .connections_max(1)
        .timeout(Duration::from_millis(300));
    let client = Client::connect([server.address()], config).unwrap();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| client.get("a"));
        std::thread::sleep(Duration::from_millis(100));
        // The first one's time is up before this one's.
        let second = scope.spawn(|| client.get("b"));
        assert!(matches!(
            first.join().unwrap(),
            Err(Error::Timeout(Doing::Read))
        ));
        let second = second.join().unwrap().unwrap_err();
        assert!(matches!(second, Error::Timeout(_)), "{second:?}");
    });
}

#[test]
fn a_dead_server_costs_its_keys_only_and_is_found_again() {
    let (first, second) = (
        nothing(TcpListener::bind("127.0.0.1:0").unwrap()),
        TcpListener::bind("127.0.0.1:0").unwrap(),
    );
    let dead = second.local_addr().unwrap();
    drop(second);
    let names = [first.address.to_string(), dead.to_string()];
    let ring = Ketama::new(&names);
    let key_of = |server: usize| {
        (0..)
            .map(|n| format!("key{n}"))
            .find(|key| ring.server(key.as_bytes()) == server)
            .unwrap()
    };
    let (good, bad) = (key_of(0), key_of(1));
    let pause = Duration::from_millis(400);
    let config = Config::new().retry_after(pause);
    let client = Client::connect([first.address, dead], config).unwrap();
    assert_eq!(client.get(&good).unwrap(), None);
    assert!(matches!(client.get(&bad), Err(Error::Io(_))));
    assert!(client.get_many(&[&good, &bad]).is_err());
    assert_eq!(client.get(&good).unwrap(), None);

    let begun = Instant::now();
    let back = nothing(TcpListener::bind(dead).unwrap());
    // Within the pause it is not even tried.
    let hurried = client.get(&bad);
    if begun.elapsed() < pause / 2 {
        assert!(hurried.is_err());
    }
    std::thread::sleep(pause);
    assert_eq!(client.get(&bad).unwrap(), None);
    assert_eq!(
        client.get_many(&[&good, &bad, &good]).unwrap(),
        [None, None, None]
    );

    // The server dies with connections in the pool: the next request opens a new connection, if it can.
    for stream in back.open.lock().unwrap().drain(..) {
        stream.shutdown(std::net::Shutdown::Both).unwrap();
    }
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(client.get(&bad).unwrap(), None);
    assert!(back.accepted.load(Ordering::SeqCst) >= 2);
}

#[test]
fn addresses_and_weights_are_checked() {
    assert!(Client::connect::<&str>([], Config::new()).is_err());
    assert!(Client::connect(["http://x"], Config::new()).is_err());
    let servers = vec![(Address::tcp("a", 1), 0), (Address::tcp("b", 1), 0)];
    assert!(Client::weighted(servers, Config::new()).is_err());
}

#[test]
fn many_keys_are_asked_in_the_order_given() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Answers every quiet get of a key that ends in an even digit with the key itself.
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut out = stream.try_clone().unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let answer = match words[..] {
                ["mn"] => "MN\r\n".to_owned(),
                ["mg", key, opaque, ..] if key.ends_with(['0', '2', '4', '6', '8']) => {
                    format!("VA {} {opaque} f0\r\n{key}\r\n", key.len())
                }
                _ => String::new(),
            };
            out.write_all(answer.as_bytes()).unwrap();
            line.clear();
        }
        let _ = reader.read(&mut [0]);
    });
    let client = Client::connect([address], Config::new()).unwrap();
    let keys: Vec<String> = (0..555).rev().map(|n| format!("k{n}")).collect();
    let found = client.get_many(&keys).unwrap();
    for (key, found) in keys.iter().zip(found) {
        let is_even = key.ends_with(['0', '2', '4', '6', '8']);
        assert_eq!(found.is_some(), is_even, "{key}");
        if let Some(item) = found {
            assert_eq!(&item.value[..], key.as_bytes());
        }
    }
}
