//! Values that are larger than the memory of the shard that owns their key.

use corecached_client::wire::binary::{self, Opcode};
use corecached_client::wire::meta::Command;

use super::*;
use crate::client::written;

/// A set request in text, meta or binary, and whether its reply says that the value is stored.
fn set_by(client: &mut Client, protocol: usize, key: &str, value: &[u8]) -> Result<(), String> {
    match protocol {
        0 => match client.set(key, value) {
            reply if reply == "STORED" => Ok(()),
            reply => Err(reply),
        },
        1 => {
            client.send(written(|out| Command::set(out, key, value.len()).end()));
            client.send(value);
            match client.ask("") {
                reply if reply == "HD" => Ok(()),
                reply => Err(reply),
            }
        }
        _ => {
            let request = written(|out| binary::store(out, Opcode::Set, 0, key, (0, 0, 0), value));
            let (head, value) = request.split_at(request.len() - value.len());
            client.send(head);
            client.send(value);
            let reply = client.packet();
            match reply.status {
                0 => Ok(()),
                _ => Err(String::from_utf8_lossy(&reply.value).into_owned()),
            }
        }
    }
}

/// Half of the memory is as much as `-I` may be: more than one shard has, of its own, among four.
#[test]
fn a_value_larger_than_its_shards_part_is_stored_at_the_first_attempt() {
    let server = Server::start_with_seed(4, &["-m", "64", "-I", "32m"]);
    let mut cache = Cache::around(server, 4);
    if cache.server.is_old_memcached {
        return;
    }
    cache.fill();
    let begun = Instant::now();
    for (round, bytes) in [15_500_000, 17_500_000, 33_000_000].into_iter().enumerate() {
        let value = pattern(round as u64, bytes);
        for shard in 0..4 {
            for protocol in 0..3 {
                let key = cache
                    .keys_of(shard, &format!("large-{round}-{protocol}"), 1)
                    .remove(0);
                let mut client = cache.server.connect();
                let outcome = set_by(&mut client, protocol, &key, &value);
                assert_eq!(outcome, Ok(()), "{bytes} bytes, {key}: {}", cache.state());
                let found = cache.client.get(&key);
                assert!(found.as_ref() == Some(&value), "{bytes} bytes, {key}");
            }
        }
    }
    println!("{:?}: {}", begun.elapsed(), cache.state());
    assert_eq!(cache.client.stat("store_no_memory"), 0);
    let items = cache.client.stats_list("items");
    let refused = items
        .iter()
        .filter(|(name, value)| name.ends_with(":outofmemory") && value != "0");
    assert_eq!(refused.count(), 0, "{items:?}");
}

/// Two at once are more than there is: who comes too late is refused, and both connections go on. Neither waits for
/// ever because it sees the other's shard at work.
#[test]
fn two_values_larger_than_all_memory_end_both() {
    let server = Server::start_with_seed(4, &["-m", "64", "-I", "32m"]);
    let mut cache = Cache::around(server, 4);
    if cache.server.is_old_memcached {
        return;
    }
    cache.fill();
    let value = pattern(9, 33_000_000);
    let keys = [0, 3].map(|shard| cache.keys_of(shard, "both", 1).remove(0));
    for _ in 0..20 {
        store_both(&mut cache, &keys, &value);
    }
}

fn store_both(cache: &mut Cache, keys: &[String; 2], value: &[u8]) {
    let replies: Vec<String> = thread::scope(|scope| {
        let stores = keys.each_ref().map(|key| {
            let server = &cache.server;
            scope.spawn(move || {
                let mut client = server.connect();
                let reply = client.set(key, value);
                assert_eq!(client.ask("mn"), "MN");
                reply
            })
        });
        stores.map(|store| store.join().unwrap()).to_vec()
    });
    let is_right =
        |reply: &String| reply == "STORED" || reply == "SERVER_ERROR out of memory storing object";
    assert!(replies.iter().all(is_right), "{replies:?}");
    assert_eq!(cache.client.set(&keys[0], value), "STORED");
}

/// Others lend the pages at once, not lap by lap.
#[test]
fn values_larger_than_a_shards_part_take_no_longer_than_in_one_shard() {
    let value = pattern(1, 31_000_000);
    let time = |shards: usize| {
        let server = Server::start_with_seed(shards, &["-m", "64", "-I", "32m"]);
        let mut cache = Cache::around(server, shards);
        cache.fill();
        let watch = Stopwatch::start(&cache.server);
        for number in 0..30 {
            let bytes = 9_000_000 + number * 7_000_000 % 22_000_000;
            let reply = cache
                .client
                .set(&format!("large-{number}"), &value[..bytes]);
            assert_eq!(reply, "STORED", "{bytes} bytes");
        }
        let elapsed = watch.elapsed();
        println!("{shards} shards: {elapsed:?}, {}", cache.state());
        elapsed
    };
    let (one, four) = (time(1), time(4));
    // Three times and less; when they waited in vain it was fifty times.
    assert!(
        four < 10 * one + Duration::from_secs(5),
        "{four:?}, {one:?} with one shard"
    );
}

/// Nothing is evicted with `-M`, in no shard.
#[test]
fn without_evictions_a_value_that_does_not_fit_is_refused_at_once() {
    let server = Server::start_with_seed(4, &["-m", "64", "-I", "32m", "-M"]);
    let mut cache = Cache::around(server, 4);
    if cache.server.is_old_memcached {
        return;
    }
    let small: Vec<String> = (0..45_000)
        .map(|number| format!("small-{number}"))
        .collect();
    cache.store(&small, 0);
    let before = cache.client.stat("curr_items");
    let value = pattern(1, 33_000_000);
    for shard in 0..4 {
        let key = cache.keys_of(shard, "large", 1).remove(0);
        let reply = cache.client.set(&key, &value);
        assert_eq!(reply, "SERVER_ERROR out of memory storing object");
    }
    assert_eq!(cache.client.stat("curr_items"), before);
}

/// A shard that has nothing but its reserve cannot evict its way to more.
#[test]
fn a_large_value_finds_room_in_a_shard_that_came_late() {
    let mut cache = Cache::start(4);
    if cache.server.is_old_memcached {
        return;
    }
    for shard in [0, 1, 3] {
        let keys = cache.keys_of(shard, "early", 22_000);
        cache.store(&keys, 0);
    }
    let key = cache.keys_of(2, "late", 1).remove(0);
    let value = pattern(2, 6_000_000);
    assert_eq!(
        cache.client.set(&key, &value),
        "STORED",
        "{}",
        cache.state()
    );
    assert!(cache.client.get(&key) == Some(value));
}
