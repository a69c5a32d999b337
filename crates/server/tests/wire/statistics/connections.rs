//! Connections in statistics: their number, and the state of each.

use super::*;
use crate::faults::eventually;

#[test]
fn connections_are_listed_with_their_state() {
    let server = Server::start(4, &[]);
    let mut half = server.connect();
    half.send("set a 0 0 10\r\n12345");
    let mut idle = server.connect();
    idle.ask("mn");
    let mut client = server.connect();
    let mut conns = Vec::new();
    // The connection that waited for the server's start is gone, too.
    eventually("the half has arrived, and there are three", || {
        conns = client.stats_list("conns");
        let addresses = conns
            .iter()
            .filter(|(name, _)| name.ends_with(":listen_addr"));
        addresses.count() == 3 && conns.iter().any(|(_, value)| value == "conn_nread")
    });
    let states: Vec<&str> = conns
        .iter()
        .filter(|(name, _)| name.ends_with(":state"))
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(
        states
            .iter()
            .filter(|state| **state == "conn_nread")
            .count(),
        1,
        "{states:?}"
    );
    assert_eq!(
        states
            .iter()
            .filter(|state| **state == "conn_parse_cmd")
            .count(),
        1
    );
    assert!(states.contains(&"conn_listening"));
    let address = format!("tcp:{}", server.address());
    assert!(
        conns
            .iter()
            .any(|(name, value)| name.ends_with(":addr") && *value == address)
    );
    let listen = conns
        .iter()
        .filter(|(name, _)| name.ends_with(":listen_addr"));
    assert!(listen.clone().all(|(_, value)| *value == address));
    assert_eq!(listen.count(), 3);
    for (name, _) in &conns {
        let id = name.split(':').next().expect("an id before the colon");
        assert!(id.parse::<u64>().is_ok(), "{name}");
    }
}

#[test]
fn connections_are_counted() {
    let server = Server::start(4, &[]);
    let mut client = server.connect();
    crate::faults::eventually("the connection that waited for the start is gone", || {
        client.stat("curr_connections") == 1
    });
    let [before, total] = counts(&mut client, ["curr_connections", "total_connections"]);
    let others: Vec<Client> = (0..20)
        .map(|_| {
            let mut other = server.connect();
            other.ask("mn");
            other
        })
        .collect();
    let names = ["curr_connections", "total_connections"];
    assert_eq!(counts(&mut client, names), [before + 20, total + 20]);
    drop(others);
    crate::faults::eventually("the connections are gone", || {
        client.stat("curr_connections") == before
    });
}
