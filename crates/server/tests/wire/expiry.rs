//! Dead items: their memory comes back soon while there is traffic.

use std::thread::sleep;
use std::time::Duration;

use crate::server::Server;
use crate::stopwatch::Stopwatch;

const ITEMS: usize = 600_000;

/// The light traffic matters: while the network loop is busy, timers of the executor come late, and the reaper has its
/// turns at the ends of the loop's windows.
#[test]
fn the_dead_are_gone_in_seconds_beside_traffic() {
    let server = Server::start(1, &["-m", "128"]);
    if server.is_old_memcached {
        // Its crawler waits for a minute.
        return;
    }
    let mut client = server.connect();
    for first in (0..ITEMS).step_by(1000) {
        let sets =
            (first..first + 1000).map(|key| format!("set {key} 0 0 10 noreply\r\n0123456789\r\n"));
        client.send(sets.collect::<String>());
    }
    assert_eq!(client.stat("curr_items"), ITEMS as u64);
    assert_eq!(client.ask("flush_all"), "OK");
    let begun = Stopwatch::start(&server);
    let mut left = ITEMS as u64;
    // Some 2 seconds on a quiet machine, and 30 when the reaper has a turn in each tenth of a second only.
    while left > 0 {
        assert!(begun.elapsed() < Duration::from_secs(15), "{left} are left");
        for _ in 0..50 {
            assert_eq!(client.get("none"), None);
            sleep(Duration::from_millis(1));
        }
        left = client.stat("curr_items");
    }
    println!("gone after {:?}", begun.elapsed());
}
