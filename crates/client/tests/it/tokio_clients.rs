//! The async connections and clients: what waits differently is tried here; what is asked and answered is the same code
//! as below the blocking ones.

use corecached_client::request::{Get, Store, StoreVerb};
use corecached_client::scripted::Script;
use corecached_client::tokio::{Client, Connection};
use corecached_client::{Config, Doing, Error, Lease, Ttl};
use std::time::Duration;

const SOON: Duration = Duration::from_millis(50);

#[tokio::test]
async fn verbs_and_a_lease() {
    let script = Script::new()
        .then("ms k 1 O0 T5\r\nv\r\n", "HD O0\r\n")
        .then("mg k O1 v f\r\n", "VA 1 O1 f7\r\nv\r\n")
        .then("ma n O2 v D3\r\n", "VA 1 O2\r\n9\r\n")
        .then("mg l O3 v f c N5\r\n", "VA 0 O3 f0 c1 W\r\n\r\n");
    let server = script.serve().unwrap();
    let client = Client::connect([server.address()], Config::new()).unwrap();
    client.set("k", "v", Ttl::seconds(5)).await.unwrap();
    let item = client.get("k").await.unwrap().unwrap();
    assert_eq!((&item.value[..], item.client_flags), (&b"v"[..], 7));
    assert_eq!(client.incr("n", 3).await.unwrap(), Some(9));
    let lease = client.lease("l", Ttl::seconds(5)).await.unwrap();
    assert!(matches!(lease, Lease::Won { old: None, .. }));
}

#[tokio::test]
async fn a_late_reply_is_never_taken_for_the_next_ones() {
    let script = Script::new().then_silence("mg k O0 v f\r\n");
    let server = script.serve().unwrap();
    let config = Config::new().timeout(SOON);
    let mut connection = Connection::open(server.address(), &config).await.unwrap();
    let late = connection.get("k").await.unwrap_err();
    assert!(matches!(late, Error::Timeout(Doing::Read)), "{late:?}");
    assert!(matches!(connection.get("k").await, Err(Error::Closed)));
}

#[tokio::test]
async fn a_call_that_is_dropped_closes_its_connection() {
    let script = Script::new()
        .then_silence("mg a O0 v f\r\n")
        .then("mg b O0 v f\r\n", "EN\r\n");
    let server = script.serve().unwrap();
    let client = Client::connect([server.address()], Config::new()).unwrap();
    let dropped = tokio::time::timeout(SOON, client.get("a")).await;
    assert!(dropped.is_err());
    assert_eq!(
        client.get("b").await.unwrap(),
        None,
        "on a connection of its own"
    );

    let script = Script::new().then_silence("mg a O0 v f\r\n");
    let server = script.serve().unwrap();
    let mut connection = Connection::open(server.address(), &Config::new())
        .await
        .unwrap();
    assert!(
        tokio::time::timeout(SOON, connection.get("a"))
            .await
            .is_err()
    );
    assert!(matches!(connection.get("b").await, Err(Error::Closed)));
}

#[tokio::test]
async fn a_pipeline_and_many_keys() {
    let script = Script::new()
        .then(
            "mg a O0 v f\r\nms b 1 O1\r\nv\r\n",
            "VA 1 O0 f0\r\n1\r\nNS O1\r\n",
        )
        .then(
            "mg a O2 v f q\r\nmg b O3 v f q\r\nmn\r\n",
            "VA 1 O3 f0\r\n2\r\nMN\r\n",
        );
    let server = script.serve().unwrap();
    let mut connection = Connection::open(server.address(), &Config::new())
        .await
        .unwrap();
    let mut pipeline = connection.pipeline().unwrap();
    let a = pipeline.ask(Get::new("a")).await.unwrap();
    let b = pipeline
        .ask(Store::new(StoreVerb::Set, "b", "v"))
        .await
        .unwrap();
    let mut answers = pipeline.finish().await.unwrap();
    assert_eq!(&answers.take(a).unwrap().unwrap().value[..], b"1");
    assert!(!answers.take(b).unwrap().is_stored());
    let found = connection.get_many(&["a", "b"]).await.unwrap();
    assert!(found[0].is_none() && found[1].is_some());
}

#[tokio::test]
async fn tasks_share_few_connections() {
    let mut script = Script::new();
    for n in 0..20 {
        script = script.then(format!("mg k O{n} v f\r\n"), "EN\r\n");
    }
    let server = script.serve().unwrap();
    let config = Config::new()
        .connections_max(1)
        .timeout(Duration::from_secs(10));
    let client = std::sync::Arc::new(Client::connect([server.address()], config).unwrap());
    let tasks = (0..20).map(|_| {
        let client = std::sync::Arc::clone(&client);
        tokio::spawn(async move { client.get("k").await })
    });
    for task in tasks.collect::<Vec<_>>() {
        assert_eq!(task.await.unwrap().unwrap(), None);
    }
}

#[tokio::test]
async fn a_server_that_is_not_there() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = Client::connect([address], Config::new()).unwrap();
    assert!(matches!(client.get("k").await, Err(Error::Io(_))));
    let again = client.get("k").await.unwrap_err().to_string();
    assert!(again.contains("left alone"), "{again}");
}
