//! Limits on address space (`ulimit -v`) and on data (`ulimit -d`): memcached starts with little of both.

use super::*;

fn start(shards: usize, resource: Resource, most: u64) -> Server {
    Server::start_prepared("127.0.0.1", shards, &["-m", "64"], &mut |command| {
        limit(command, resource, most);
    })
}

fn eventually_says(server: &Server, words: &[&str]) {
    eventually("it says so", || {
        let said = server.stderr_text();
        words.iter().all(|word| said.contains(word))
    });
}

/// Stores `count` values of 100 KB, which have to be taken even if there is no room for all.
fn store(server: &Server, count: usize) {
    let mut client = server.connect();
    for number in 0..count {
        let key = format!("key-{number}");
        assert_eq!(client.set(&key, vec![b'v'; 100_000]), "STORED");
    }
}

fn stored_bytes(server: &Server) -> u64 {
    server.connect().stats("")["bytes"]
        .parse()
        .expect("a number")
}

#[test]
fn with_little_address_space_it_goes_on_with_less() {
    if is_other_server() {
        return;
    }
    let server = start(2, Resource::As, 2 << 30);
    eventually_says(&server, &["256 MiB of address space", "ulimit -v"]);
    store(&server, 1000);
    assert!(stored_bytes(&server) > 40 << 20);
}

/// Each shard has room for its part of -m, and no more.
#[test]
fn with_little_data_it_goes_on_with_less() {
    if is_other_server() {
        return;
    }
    let server = start(4, Resource::Data, 200 << 20);
    eventually_says(
        &server,
        &["MiB of address space, so one that has more", "ulimit -d"],
    );
    store(&server, 1000);
    let bytes = stored_bytes(&server);
    assert!(bytes > 30 << 20, "{bytes}");
}

/// Less than -m asks for.
#[test]
fn with_less_data_than_items_may_have_it_goes_on() {
    if is_other_server() {
        return;
    }
    let server = start(1, Resource::Data, 72 << 20);
    eventually_says(&server, &["so 32 MiB of -m can be used"]);
    store(&server, 1000);
    let bytes = stored_bytes(&server);
    assert!(bytes > 15 << 20, "{bytes}");
    // Nothing is to be had with even less, and it says so.
    let mut command = lone(&["-t", "4"]);
    limit(&mut command, Resource::Data, 50 << 20);
    let (code, said) = failed_start(&mut command);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("ulimit -d"), "{said}");
}
