//! Commands are counted as memcached counts them.

use super::*;

#[test]
fn commands_are_counted_as_memcached_counts_them() {
    for shards in [1, 4] {
        let server = Server::start(shards, &[]);
        let mut client = server.connect();
        count_retrieval(&mut client);
        count_storage(&mut client);
        count_others(&mut client);
        count_what_takes_no_effect(&mut client);
        check_reset(&mut client);
    }
}

fn count_retrieval(client: &mut Client) {
    for number in 0..10 {
        client.set(&format!("k{number}"), "v");
    }
    client.send("get k0 k1 k2 none\r\nget k3\r\n");
    assert_eq!((client.values().len(), client.values().len()), (3, 1));
    client.send("gat 0 k4 none\r\n");
    assert_eq!(client.values().len(), 1);
    client.ask("touch k5 0");
    client.ask("touch none 0");
    let names = [
        "cmd_get",
        "get_hits",
        "get_misses",
        "cmd_touch",
        "touch_hits",
        "touch_misses",
    ];
    assert_eq!(counts(client, names), [5, 4, 1, 4, 2, 2]);
    // A dead item found by a get is a miss, and is told apart; in one write, so that nothing
    // else finds it first.
    client.send("touch k6 -1\r\nget k6\r\n");
    assert_eq!(client.line(), "TOUCHED");
    assert_eq!(client.values().len(), 0);
    assert_eq!(counts(client, ["get_misses", "get_expired"]), [2, 1]);
}

fn count_storage(client: &mut Client) {
    let names = ["cmd_set", "curr_items", "total_items"];
    assert_eq!(counts(client, names), [10, 9, 10]);
    client.send("add k0 0 0 1\r\nx\r\nreplace none 0 0 1\r\nx\r\nappend k0 0 0 1\r\nx\r\n");
    assert_eq!(
        (client.line(), client.line(), client.line()),
        ("NOT_STORED".into(), "NOT_STORED".into(), "STORED".into())
    );
    client.send("cas none 0 0 1 1\r\nx\r\ncas k0 0 0 1 0\r\nx\r\n");
    assert_eq!(
        (client.line(), client.line()),
        ("NOT_FOUND".into(), "EXISTS".into())
    );
    let (_, cas) = client.gets("k0").expect("it is stored");
    client.send(format!("cas k0 0 0 1 {cas}\r\nx\r\n"));
    assert_eq!(client.line(), "STORED");
    assert_eq!(
        counts(client, ["cmd_set", "cas_misses", "cas_badval", "cas_hits"]),
        [16, 1, 1, 1]
    );
    assert_eq!(
        client.set("big", "x".repeat(2_000_000)),
        "SERVER_ERROR object too large for cache"
    );
    assert_eq!(counts(client, ["store_too_large", "cmd_set"]), [1, 16]);
}

fn count_others(client: &mut Client) {
    client.ask("delete k7");
    client.ask("delete none");
    client.set("n", "5");
    client.ask("incr n 1");
    client.ask("decr n 1");
    client.ask("incr none 1");
    client.ask("decr none 1");
    let names = [
        "delete_hits",
        "delete_misses",
        "incr_hits",
        "incr_misses",
        "decr_hits",
        "decr_misses",
    ];
    assert_eq!(counts(client, names), [1; 6]);
    client.ask("flush_all");
    assert_eq!(counts(client, ["cmd_flush"]), [1]);
    assert!(client.get("n").is_none());
    let [read, written] = counts(client, ["bytes_read", "bytes_written"]);
    assert!(read > 2_000_000 && written > 1000, "{read} {written}");
}

/// Requests that change nothing, or not what they ask for, count as memcached counts them.
fn count_what_takes_no_effect(client: &mut Client) {
    let cases: [(&str, &[&str], &[&str]); 9] = [
        ("mg none T30 v", &["EN"], &["cmd_get", "get_misses"]),
        ("mg none T30 N30", &["HD W"], &["cmd_touch", "touch_hits"]),
        ("md kept C1", &["EX"], &["delete_misses"]),
        ("md kept I C1", &["EX"], &["delete_misses"]),
        ("ms kept 1 C1 I\r\nx", &["HD"], &["cmd_set", "cas_hits"]),
        (
            "set kept 0 0 1\r\nx##none",
            &["CLIENT_ERROR bad data chunk", "ERROR"],
            &["cmd_set"],
        ),
        (
            "ms kept 1 q\r\nx##none",
            &["CLIENT_ERROR bad data chunk", "ERROR"],
            &["cmd_set"],
        ),
        (
            "flush_all x",
            &["CLIENT_ERROR invalid exptime argument"],
            &["cmd_flush"],
        ),
        ("flush_all x noreply\r\nmn", &["MN"], &["cmd_flush"]),
    ];
    const NAMES: [&str; 13] = [
        "cmd_get",
        "cmd_set",
        "cmd_flush",
        "cmd_touch",
        "get_hits",
        "get_misses",
        "touch_hits",
        "touch_misses",
        "delete_hits",
        "delete_misses",
        "cas_hits",
        "cas_misses",
        "cas_badval",
    ];
    for (request, replies, counted) in cases {
        client.ask("delete none");
        client.set("kept", "1");
        let before = counts(client, NAMES);
        client.send(format!("{request}\r\n"));
        for reply in replies {
            assert_eq!(client.line(), *reply, "{request}");
        }
        let after = counts(client, NAMES);
        let grown = NAMES.into_iter().zip(before.into_iter().zip(after));
        let grown = grown.flat_map(|(name, (before, after))| {
            std::iter::repeat_n(name, (after - before) as usize)
        });
        assert_eq!(grown.collect::<Vec<_>>(), counted, "{request}");
    }
}

/// What counts events begins again; what is there stays. (The flushed items may be going meanwhile.)
fn check_reset(client: &mut Client) {
    client.set("after", "x");
    let [connections] = counts(client, ["curr_connections"]);
    assert_eq!(client.ask("stats reset"), "RESET");
    let names = [
        "cmd_get",
        "cmd_set",
        "get_hits",
        "get_misses",
        "cmd_touch",
        "delete_hits",
        "total_items",
    ];
    assert_eq!(counts(client, names), [0; 7]);
    let [items, still_connected] = counts(client, ["curr_items", "curr_connections"]);
    assert!(items > 0 && still_connected == connections);
}

#[test]
fn a_flush_that_is_not_allowed_counts() {
    let server = Server::start(2, &["-F"]);
    let mut client = server.connect();
    for command in ["flush_all", "flush_all x"] {
        assert_eq!(client.ask(command), "CLIENT_ERROR flush_all not allowed");
    }
    assert_eq!(counts(&mut client, ["cmd_flush"]), [2]);
}
