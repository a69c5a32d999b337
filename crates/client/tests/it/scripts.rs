//! The behaviour of a connection when a server is late, wrong or gone.

use corecached_client::request::{Get, GetMany, MetaGet, Store, StoreVerb};
use corecached_client::scripted::Script;
use corecached_client::{
    Config, Connection, Doing, Error, Lease, Protocol, ProtocolError, RefusalKind, Stored, Ttl,
};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_millis(50);

fn connect(script: Script, config: &Config) -> Connection {
    let server = script.serve().unwrap();
    Connection::open(server.address(), config).unwrap()
}

#[test]
fn a_late_reply_is_never_taken_for_the_next_ones() {
    let script = Script::new().then_silence("mg k O0 v f\r\n");
    let mut connection = connect(script, &Config::new().timeout(SOON));
    let begun = Instant::now();
    let late = connection.get("k").unwrap_err();
    assert!(matches!(late, Error::Timeout(Doing::Read)), "{late:?}");
    assert!(begun.elapsed() >= SOON);
    let next = connection.get("other").unwrap_err();
    assert!(matches!(next, Error::Closed), "{next:?}");
}

#[test]
fn a_timeout_in_the_middle_of_a_value_closes_too() {
    let script = Script::new()
        .then("mg k O0 v f\r\n", "VA 10 O0 f0\r\nhalf ")
        .then_silence("");
    let mut connection = connect(script, &Config::new().timeout(SOON));
    assert!(matches!(connection.get("k"), Err(Error::Timeout(_))));
    assert!(!connection.is_idle());
    assert!(matches!(connection.get("k"), Err(Error::Closed)));
}

#[test]
fn a_reply_to_another_request_is_seen() {
    let script = Script::new().then("mg k O0 v f\r\n", "VA 1 O7 f0\r\nx\r\n");
    let error = connect(script, &Config::new()).get("k").unwrap_err();
    assert!(
        matches!(error, Error::Protocol(ProtocolError::Shifted(_))),
        "{error:?}"
    );

    let text = Config::new().protocol(Protocol::Text);
    let script = Script::new().then("get k\r\n", "VALUE other 0 1\r\nx\r\nEND\r\n");
    let mut connection = connect(script, &text);
    let error = connection.get("k").unwrap_err();
    assert!(
        matches!(error, Error::Protocol(ProtocolError::Shifted(_))),
        "{error:?}"
    );
    assert!(matches!(connection.get("k"), Err(Error::Closed)));

    let script = Script::new().then("get k\r\n", "STORED\r\n");
    let error = connect(script, &text).get("k").unwrap_err();
    assert!(
        matches!(error, Error::Protocol(ProtocolError::Shifted(_))),
        "{error:?}"
    );
}

#[test]
fn hits_of_a_text_get_out_of_order_are_seen() {
    let text = Config::new().protocol(Protocol::Text);
    for (hits, good) in [
        ("VALUE a 0 1\r\n1\r\nVALUE c 0 1\r\n3\r\n", true),
        ("VALUE c 0 1\r\n3\r\nVALUE a 0 1\r\n1\r\n", false),
        ("VALUE a 0 1\r\n1\r\nVALUE a 0 1\r\n1\r\n", false),
    ] {
        let script = Script::new().then("get a b c\r\n", format!("{hits}END\r\n"));
        let found = connect(script, &text).call(&GetMany::new(&["a", "b", "c"]));
        assert_eq!(found.is_ok(), good, "{hits}: {found:?}");
        if let Ok(found) = found {
            let there: Vec<bool> = found.iter().map(Option::is_some).collect();
            assert_eq!(there, [true, false, true]);
        }
    }
}

#[test]
fn what_is_no_memcached_is_an_error_of_the_protocol() {
    let script = Script::new().then("mg k O0 v f\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n");
    let error = connect(script, &Config::new()).get("k").unwrap_err();
    assert!(error.to_string().contains("HTTP/1.1"), "{error}");
    let endless = [b'x'; 9000];
    let script = Script::new().then("mg k O0 v f\r\n", endless);
    let error = connect(script, &Config::new()).get("k").unwrap_err();
    assert!(
        matches!(error, Error::Protocol(ProtocolError::Malformed(_))),
        "{error:?}"
    );
}

#[test]
fn a_refusal_leaves_the_connection_as_it_is() {
    let script = Script::new()
        .then(
            "ms k 1 O0 T5\r\nv\r\n",
            "SERVER_ERROR out of memory storing object\r\n",
        )
        .then(
            "ma k O1 v D1\r\n",
            "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n",
        )
        .then("mg k O2 v f\r\n", "EN\r\n");
    let mut connection = connect(script, &Config::new());
    match connection.set("k", "v", Ttl::seconds(5)) {
        Err(Error::Server(refusal)) => assert_eq!(refusal.kind, RefusalKind::OutOfMemory),
        other => panic!("{other:?}"),
    }
    match connection.incr("k", 1) {
        Err(Error::Client(refusal)) => assert_eq!(refusal.kind, RefusalKind::NotANumber),
        other => panic!("{other:?}"),
    }
    assert_eq!(connection.get("k").unwrap(), None);
}

#[test]
fn a_bad_key_is_not_sent() {
    let script = Script::new().then("get good\r\n", "END\r\n");
    let mut connection = connect(script, &Config::new().protocol(Protocol::Text));
    let long = "k".repeat(251);
    for key in ["", "two words", "a\r\nflush_all", &long] {
        assert!(matches!(connection.get(key), Err(Error::Key(_))), "{key:?}");
    }
    assert_eq!(connection.get("good").unwrap(), None);
}

#[test]
fn a_key_that_meta_cannot_spell_goes_in_base64() {
    let script = Script::new().then("mg YSBi b O0 v f\r\n", "VA 1 O0 f0\r\nx\r\n");
    let found = connect(script, &Config::new()).get("a b").unwrap().unwrap();
    assert_eq!(&found.value[..], b"x");
}

#[test]
fn leases_are_won_waited_for_and_filled() {
    let script = Script::new()
        .then("mg k O0 v f c N30\r\n", "VA 0 O0 f0 c7 W\r\n\r\n")
        .then("ms k 3 O1 T60 C7\r\nnew\r\n", "HD O1\r\n")
        .then("mg k O2 v f c N30\r\n", "VA 0 O2 f0 c7 Z\r\n\r\n")
        .then("mg k O3 v f c N30\r\n", "VA 3 O3 f0 c8 X Z\r\nold\r\n")
        .then("mg k O4 v f c N30\r\n", "VA 3 O4 f0 c9 X W\r\nold\r\n")
        .then("mg k O5 t s\r\n", "HD O5 t-1 s3\r\n");
    let mut connection = connect(script, &Config::new());
    let patience = Ttl::seconds(30);
    let Lease::Won { token, old: None } = connection.lease("k", patience).unwrap() else {
        panic!("the miss is won")
    };
    let filled = connection.fill("k", token, "new", Ttl::seconds(60));
    assert_eq!(filled.unwrap(), Stored::Stored);
    assert_eq!(connection.lease("k", patience).unwrap(), Lease::Wait);
    match connection.lease("k", patience).unwrap() {
        Lease::Hit { item, is_stale } => assert!(is_stale && &item.value[..] == b"old"),
        other => panic!("{other:?}"),
    }
    match connection.lease("k", patience).unwrap() {
        Lease::Won {
            token,
            old: Some(old),
        } => {
            assert!(token.cas() == 9 && &old.value[..] == b"old");
        }
        other => panic!("{other:?}"),
    }
    let found = connection
        .call(&MetaGet::new("k").with("ts"))
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.attributes.ttl_s, found.attributes.value_bytes),
        (Some(-1), Some(3))
    );
}

#[test]
fn a_pipeline_gives_each_request_its_outcome() {
    let script = Script::new().then(
        "mg a O0 v f\r\nms b 1 O1\r\nv\r\nmg c O2 v f\r\n",
        "VA 1 O0 f0\r\n1\r\nSERVER_ERROR out of memory\r\nEN\r\n",
    );
    let mut connection = connect(script, &Config::new());
    let mut pipeline = connection.pipeline().unwrap();
    let a = pipeline.ask(Get::new("a")).unwrap();
    assert!(pipeline.ask(Get::new("")).is_err(), "nothing of it is sent");
    let b = pipeline.ask(Store::new(StoreVerb::Set, "b", "v")).unwrap();
    let c = pipeline.ask(Get::new("c")).unwrap();
    let mut answers = pipeline.finish().unwrap();
    assert_eq!(answers.take(c).unwrap(), None);
    assert_eq!(&answers.take(a).unwrap().unwrap().value[..], b"1");
    assert!(matches!(answers.take(b), Err(Error::Server(_))));
    assert!(connection.is_idle());
}

#[test]
fn a_pipeline_that_is_not_finished_closes_the_connection() {
    let script = Script::new().then_silence("");
    let mut connection = connect(script, &Config::new());
    let mut pipeline = connection.pipeline().unwrap();
    let _ = pipeline.ask(Get::new("a")).unwrap();
    drop(pipeline);
    assert!(matches!(connection.get("b"), Err(Error::Closed)));
}

/// A server that answers a get with a value as long as both sides' buffers, and reads nothing while that is not taken:
/// a client that sends much before it reads would wait for ever.
#[test]
fn a_long_pipeline_does_not_block_both_sides() {
    use std::io::{BufRead, BufReader, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut out = stream.try_clone().unwrap();
        let value = vec![b'v'; 1 << 20];
        let mut lines = BufReader::new(stream).lines();
        while let Some(Ok(line)) = lines.next() {
            let key = line.strip_prefix("get ").unwrap_or_default().to_owned();
            write!(out, "VALUE {key} 0 {}\r\n", value.len()).unwrap();
            out.write_all(&value).unwrap();
            out.write_all(b"\r\nEND\r\n").unwrap();
        }
    });
    let config = Config::new()
        .protocol(Protocol::Text)
        .timeout(Duration::from_secs(20));
    let mut connection = Connection::open(address, &config).unwrap();
    let keys: Vec<String> = (0..600).map(|n| format!("{n:0200}")).collect();
    let mut pipeline = connection.pipeline().unwrap();
    let tickets: Vec<_> = keys
        .iter()
        .map(|key| pipeline.ask(Get::new(key)).unwrap())
        .collect();
    let mut answers = pipeline.finish().unwrap();
    for ticket in tickets {
        assert_eq!(answers.take(ticket).unwrap().unwrap().value.len(), 1 << 20);
    }
}

#[test]
fn a_password_is_sent_first_and_refusals_are_told() {
    let config = Config::new().credentials("ada", "secret");
    let script = Script::new()
        .then("set auth 0 0 10\r\nada secret\r\n", "STORED\r\n")
        .then("mg k O1 v f\r\n", "EN\r\n");
    assert_eq!(connect(script, &config).get("k").unwrap(), None);
    let script = Script::new().then(
        "set auth 0 0 10\r\nada secret\r\n",
        "CLIENT_ERROR authentication failure\r\n",
    );
    let server = script.serve().unwrap();
    let refused = Connection::open(server.address(), &config).unwrap_err();
    assert!(matches!(refused, Error::Authentication(_)), "{refused:?}");
    assert!(!format!("{config:?}").contains("secret"));
}
