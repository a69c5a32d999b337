//! Which operation shows in which stream, and how.

use corecached_client::wire::binary::{self, Opcode};

use super::*;
use crate::client::written;

/// One client, whose operations run one after the other, on keys of all shards.
fn each_operation_shows_in_its_streams(shards: usize) {
    let server = Server::start(shards, &["-o", "debugtime"]);
    let mut client = server.connect();
    assert_eq!(client.ask("debugtime p"), "OK");
    let mut all = watch(&server, "fetchers mutations deletions");
    let mut deletions = watch(&server, "deletions");
    for number in 0..20 {
        let key = format!("key {number}").replace(' ', ":");
        let shown = key.replace(':', "%3A");
        client.send(format!("set {key} 0 100 5\r\nvalue\r\n"));
        assert_eq!(client.line(), "STORED");
        let missed = format!("type=item_get key={shown} status=not_found clsid=0 size=0");
        expect(&mut all, &[&missed]);
        let stored = event(&all.log_line());
        let class = field(&stored, "clsid").to_owned();
        assert_eq!(
            stored,
            format!(
                "type=item_store key={shown} status=stored cmd=set ttl=100 clsid={class} size=5"
            )
        );
        let found = format!("type=item_get key={shown} status=found clsid={class} size=5");
        assert!(client.get(&key).is_some());
        client.send(format!("add {key} 0 0 2\r\nxy\r\n"));
        assert_eq!(client.line(), "NOT_STORED");
        expect(&mut all, &[&found, &found]);
        let refused = event(&all.log_line());
        assert_eq!(
            refused,
            format!(
                "type=item_store key={shown} status=not_stored cmd=add ttl=0 clsid={} size=2",
                field(&refused, "clsid")
            )
        );
        client.send(format!("cas {key} 0 0 2 1000000\r\nxy\r\n"));
        assert_eq!(client.line(), "EXISTS");
        expect(&mut all, &[&found]);
        assert!(event(&all.log_line()).contains("status=exists cmd=cas"));
        assert_eq!(client.ask(&format!("delete {key}")), "DELETED");
        assert_eq!(client.ask(&format!("delete {key}")), "NOT_FOUND");
        let deleted = format!("type=deleted key={shown} cmd=delete clsid={class} size=5");
        expect(&mut all, &[&found, &deleted, &missed]);
        expect(&mut deletions, &[&deleted]);
    }
    client.set("mortal", "x");
    client.ask("touch mortal 5");
    client.ask("debugtime 6");
    assert!(client.get("mortal").is_none());
    client.set("flushed", "x");
    client.ask("flush_all");
    assert!(client.get("flushed").is_none());
    let mut statuses = Vec::new();
    while statuses.last().map(String::as_str) != Some("flushed") {
        let line = all.log_line();
        if line.contains("type=item_get") {
            statuses.push(field(&line, "status").to_owned());
        }
    }
    assert_eq!(
        statuses,
        ["not_found", "found", "expired", "not_found", "flushed"]
    );
}

/// Everything that stores: numbers that are created, and values that are taken away; not what only changes a number.
#[test]
fn whatever_stores_is_a_mutation() {
    for shards in [1, 4] {
        let server = Server::start(shards, &[]);
        let mut client = server.connect();
        let mut mutations = watch(&server, "mutations");
        for number in 0..8 {
            let key = format!("k{number}");
            let mut expect = |status: &str, command: &str, size: usize| {
                let line = event(&mutations.log_line());
                let class = field(&line, "clsid").to_owned();
                let ttl = field(&line, "ttl").to_owned();
                assert_eq!(
                    line,
                    format!(
                        "type=item_store key={key} status={status} cmd={command} ttl={ttl} clsid={class} size={size}"
                    )
                );
            };
            assert_eq!(client.ask(&format!("ma {key} N0 J100")), "HD");
            expect("stored", "add", 3);
            assert_eq!(client.ask(&format!("ma {key} N0 v")), "VA 3");
            client.line();
            assert_eq!(client.ask(&format!("incr {key} 1")), "102");
            assert_eq!(client.ask(&format!("md {key} x")), "HD");
            expect("stored", "set", 0);
            assert_eq!(client.ask(&format!("md {key} I T30")), "HD");
            assert_eq!(client.ask(&format!("md {key}x x")), "NF");
            assert_eq!(client.ask(&format!("incr {key}x 1")), "NOT_FOUND");
            client.set(&key, "end");
            expect("stored", "set", 3);
            // INCR that creates, by 1 from 7.
            let mut binary = server.connect();
            let name = format!("b{number}");
            binary.send(written(|out| {
                binary::arith(out, Opcode::Incr, 0, &name, 1, Some((7, 0)));
            }));
            assert_eq!(binary.packet().value, 7_u64.to_be_bytes());
            let line = event(&mutations.log_line());
            assert!(
                line.starts_with(&format!("type=item_store key={name} status=stored cmd=add")),
                "{line}"
            );
            assert_eq!(field(&line, "size"), "1");
        }
    }
}

#[test]
fn each_operation_shows_in_its_streams_one_shard() {
    each_operation_shows_in_its_streams(1);
}

#[test]
fn each_operation_shows_in_its_streams_four_shards() {
    each_operation_shows_in_its_streams(4);
}

#[test]
fn a_value_in_pieces_and_one_too_large_show_too() {
    let server = Server::start(2, &[]);
    let mut client = server.connect();
    let mut watcher = watch(&server, "mutations");
    for number in 0..8 {
        let key = format!("large{number}");
        assert_eq!(client.set(&key, vec![b'x'; 300_000]), "STORED");
        let line = watcher.log_line();
        assert_eq!(
            event(&line),
            format!(
                "type=item_store key={key} status=stored cmd=set ttl=0 clsid={} size=300000",
                field(&line, "clsid")
            )
        );
    }
    let answer = client.set("huge", vec![b'x'; 2_000_000]);
    assert_eq!(answer, "SERVER_ERROR object too large for cache");
    expect(
        &mut watcher,
        &["type=item_store key=huge status=too_large cmd=set ttl=0 clsid=0 size=0"],
    );
}

#[test]
fn meta_commands_show_as_what_they_do() {
    for shards in [1, 4] {
        let server = Server::start(shards, &[]);
        let mut client = server.connect();
        let mut all = watch(&server, "fetchers mutations deletions");
        let mut deletions = watch(&server, "deletions");
        for number in 0..12 {
            let key = format!("key{number}");
            let missed = format!("type=item_get key={key} status=not_found clsid=0 size=0");
            assert_eq!(client.ask(&format!("mg {key} v")), "EN");
            assert_eq!(next_of(&mut all, &key), missed);
            client.send(format!("ms {key} 5 T90\r\nvalue\r\n"));
            assert_eq!(client.line(), "HD");
            assert_eq!(next_of(&mut all, &key), missed);
            let stored = next_of(&mut all, &key);
            let class = field(&stored, "clsid").to_owned();
            let rest = format!("cmd=set ttl=90 clsid={class} size=5");
            assert_eq!(
                stored,
                format!("type=item_store key={key} status=stored {rest}")
            );
            let found = format!("type=item_get key={key} status=found clsid={class} size=5");
            assert_eq!(client.ask(&format!("mg {key} s")), "HD s5");
            assert_eq!(next_of(&mut all, &key), found);
            client.send(format!("ms {key} 1 ME\r\nx\r\n"));
            assert_eq!(client.line(), "NS");
            assert_eq!(next_of(&mut all, &key), found);
            let refused = next_of(&mut all, &key);
            assert!(refused.contains("status=not_stored cmd=add"), "{refused}");
            // What keeps the item is no deletion.
            assert_eq!(client.ask(&format!("md {key} I T60")), "HD");
            assert_eq!(next_of(&mut all, &key), found);
            assert_eq!(client.ask(&format!("md {key} C1000000")), "EX");
            assert_eq!(next_of(&mut all, &key), found);
            assert_eq!(client.ask(&format!("md {key} x F3")), "HD");
            assert_eq!(next_of(&mut all, &key), found);
            let stored = next_of(&mut all, &key);
            assert!(stored.contains("status=stored cmd=set"), "{stored}");
            let emptied = next_of_get(&mut client, &mut all, &key);
            assert_eq!(client.ask(&format!("md {key}")), "HD");
            assert_eq!(next_of(&mut all, &key), emptied);
            let rest = format!("cmd=md clsid={} size=0", field(&emptied, "clsid"));
            let deleted = format!("type=deleted key={key} {rest}");
            assert_eq!(next_of(&mut all, &key), deleted);
            assert_eq!(client.ask(&format!("md {key}")), "NF");
            assert_eq!(next_of(&mut all, &key), missed);
            // Nothing but the deletion stands in the stream of deletions.
            assert_eq!(next_of(&mut deletions, &key), deleted);
            // An increment is a lookup; that of a key that is not there makes the item by itself.
            client.set(&key, "5");
            next_of(&mut all, &key);
            next_of(&mut all, &key);
            assert_eq!(client.ask(&format!("ma {key}")), "HD");
            assert!(next_of(&mut all, &key).contains("type=item_get"));
            client.send(format!("md {key} q\r\nmn\r\n"));
            assert_eq!(client.line(), "MN");
            assert!(next_of(&mut all, &key).contains("status=found"));
            assert!(next_of(&mut all, &key).contains("cmd=md"));
            assert!(next_of(&mut deletions, &key).contains("cmd=md"));
        }
    }
}
