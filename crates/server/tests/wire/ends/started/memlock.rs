//! The limit of locked memory.

use super::*;

#[test]
fn the_memlock_limit_that_is_asked_for_suffices() {
    if is_other_server() || !geteuid().is_root() {
        return skipped("only root can become another user");
    }
    for shards in ["1", "2", "4", "9"] {
        let mut figures = Vec::new();
        // Too low to try, and, where the kernel counts rings, too low to succeed.
        for kilobytes in [64, 512] {
            let mut command = lone(&["-t", shards, "-o", "io=uring"]);
            limit(&mut command, Resource::Memlock, kilobytes << 10);
            let mut child = command.spawn().expect("the server binary can be executed");
            let first = first_line(&mut child);
            if first.contains("ready on") {
                assert_eq!(kilobytes, 512);
                child.kill().expect("the child is ours");
                continue;
            }
            assert_eq!(super::super::ended(&mut child).code(), Some(1), "{first}");
            let (before, _) = first
                .split_once(" KiB are needed")
                .expect("it says how much");
            let figure = before.rsplit(' ').next().unwrap_or_default();
            figures.push(figure.parse::<u64>().expect("a number"));
        }
        assert!(
            figures.iter().all(|figure| *figure == figures[0]),
            "{figures:?}"
        );
        let udp = free_port().to_string();
        // So it does where rings are tried first.
        let options = ["-k", "-U", &udp, "-o", "io=auto"];
        let shards = shards.parse().unwrap();
        let server = Server::start_prepared("127.0.0.1", shards, &options, &mut |command| {
            limit(command, Resource::Memlock, figures[0] << 10);
        });
        for number in 0..200 {
            let key = format!("key-{number}");
            assert_eq!(server.connect().set(&key, [b'v'; 9000]), "STORED");
        }
        assert_eq!(server.connect().stats("")["libevent"], "glommio+io_uring");
    }
}

/// It is no reason not to serve: epoll locks nothing.
#[test]
fn with_a_low_memlock_limit_it_goes_on_with_epoll() {
    if is_other_server() || !geteuid().is_root() {
        return skipped("only root can become another user");
    }
    let options = ["-o", "io=auto"];
    let server = Server::start_prepared("127.0.0.1", 4, &options, &mut |command| {
        limit(command, Resource::Memlock, 64 << 10);
    });
    eventually("it says so", || {
        let said = server.stderr_text();
        said.contains("going on with epoll") && said.contains("LimitMEMLOCK=infinity")
    });
    for number in 0..20 {
        let key = format!("key-{number}");
        assert_eq!(server.connect().set(&key, [b'v'; 9000]), "STORED");
    }
}

/// The limit counts for all servers of a user together.
#[test]
fn where_other_servers_have_used_the_memlock_limit_up_it_goes_on_with_epoll() {
    if is_other_server() || !geteuid().is_root() {
        return skipped("only root can become another user");
    }
    let stranger = stranger();
    let start = || {
        Server::start_prepared("127.0.0.1", 4, &["-o", "io=auto"], &mut |command| {
            limit_as(command, stranger, Resource::Memlock, 4 << 20);
        })
    };
    let servers: Vec<Server> = (0..4).map(|_| start()).collect();
    for server in &servers {
        assert_eq!(server.connect().set("key", [b'v'; 9000]), "STORED");
    }
    let last = servers[servers.len() - 1].connect().stats("");
    assert_eq!(last["libevent"], "epoll");
}
