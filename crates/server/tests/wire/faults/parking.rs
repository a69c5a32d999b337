//! Shards that cannot park go on in their rings, and let other tasks run.

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::client::Client;
use crate::server::{Server, binary};
use crate::skip::skipped;

/// Starts a server whose process can open nothing more from before its shard parks for the first time, for which it
/// makes an eventfd. `None` if the shard was faster, since this thread did not have the CPU.
fn without_descriptors() -> Option<(Server, Client)> {
    let server = Server::start(1, &["-o", "idle_timeout=1"]);
    let mut client = server.connect();
    assert_eq!(client.ask("mn"), "MN");
    let pid = i32::try_from(server.pid()).unwrap();
    let nothing = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    prlimit(Pid::from_raw(pid), Resource::Nofile, nothing).unwrap();
    let has_parked = client.stats("shards")["0:parks"] != "0";
    (!has_parked).then_some((server, client))
}

/// Idle connections are closed by the upkeep, a task beside the network loop.
#[test]
fn upkeep_goes_on_where_a_shard_cannot_park() {
    if binary().ends_with("memcached") {
        return;
    }
    let Some((_server, mut client)) = (0..20).find_map(|_| without_descriptors()) else {
        return skipped("the machine is too busy: the shard has parked each time");
    };
    assert_eq!(client.byte().unwrap(), None, "an idle connection is closed");
}
