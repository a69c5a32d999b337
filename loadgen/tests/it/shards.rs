//! Shard-aware routing: each key arrives on a connection whose source port leads to the shard that owns it.

use crate::bed::{Action, Line, serve};
use crate::support::{json, run_of};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use xxhash_rust::xxh3::xxh3_64_with_seed;

const SHARDS: u64 = 3;
const SEED: u64 = 12_345;

#[test]
fn keys_go_to_their_shards() {
    let (plain, sharded) = (
        TcpListener::bind("127.0.0.1:0").unwrap(),
        TcpListener::bind("127.0.0.1:0").unwrap(),
    );
    let (address, shard_port) = (
        plain.local_addr().unwrap().to_string(),
        sharded.local_addr().unwrap().port(),
    );
    let (right, wrong) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let counters = (Arc::clone(&right), Arc::clone(&wrong));
    let script = Arc::new(move |line: &Line<'_>| {
        if line.text == "stats shards" {
            let stats = format!(
                "STAT shards {SHARDS}\r\nSTAT hash xxh3_64\r\nSTAT hash_seed {SEED}\r\nSTAT shard_port {shard_port}\r\nEND\r\n"
            );
            return Action::Reply(stats);
        }
        let key = line.text.split(' ').nth(1).unwrap();
        let owner = ((xxh3_64_with_seed(key.as_bytes(), SEED) >> 32) * SHARDS) >> 32;
        let here = line.server_port == shard_port && u64::from(line.peer.port()) % SHARDS == owner;
        let counter = if here { &counters.0 } else { &counters.1 };
        counter.fetch_add(1, Ordering::Relaxed);
        Action::Reply("END\r\n".to_owned())
    });
    serve(plain, script.clone());
    serve(sharded, script);
    let target = [
        "run",
        "-s",
        &address,
        "--shard-aware",
        "--connections",
        "6",
        "--no-preload",
        "--mix",
        "get",
    ];
    let (exit, report) = json(
        &[
            &target[..],
            &["--rate", "1000", "--duration", "500ms", "--warmup", "0s"],
        ]
        .concat(),
    );
    assert_eq!(exit, 0);
    assert_eq!(report.context.routing, "shards");
    let run = run_of(report);
    assert!(run.all.completed > 300);
    assert_eq!(run.connections.len(), SHARDS as usize);
    for share in &run.connections {
        assert_eq!(share.connections, 2);
        assert!(share.lowest > 30 && share.highest < 400, "{share:?}");
    }
    assert_eq!(wrong.load(Ordering::Relaxed), 0);
    assert!(right.load(Ordering::Relaxed) > 300);
}
