//! Addresses and ports of UDP, and when there is none.

use super::*;
use crate::faults::eventually;

#[test]
fn its_sockets_are_told_of() {
    let (server, mut udp) = start(2, &[]);
    let port = udp.port();
    let mut client = server.connect();
    assert_eq!(client.stats("settings")["udpport"], port.to_string());
    let conns = client.stats("conns");
    let sockets: Vec<&String> = conns
        .keys()
        .filter_map(|name| name.strip_suffix(":UDP"))
        .map(|fd| &conns[&format!("{fd}:addr")])
        .collect();
    assert_eq!(
        sockets,
        vec![&format!("udp:127.0.0.1:{port}"); sockets.len()]
    );
    assert!(!sockets.is_empty());
    let states = conns.values().filter(|state| *state == "conn_read").count();
    assert!(states >= sockets.len(), "{conns:?}");
    // Each is a connection; the requests on it are none.
    let connections = 1 + sockets.len() as u64;
    eventually(
        "the connection that looked whether it serves is closed",
        || client.stat("curr_connections") == connections,
    );
    let total = client.stat("total_connections");
    for _ in 0..50 {
        udp.ask("get a\r\n");
    }
    assert_eq!(client.stat("curr_connections"), connections);
    assert_eq!(client.stat("total_connections"), total);
    assert!(udp.ask("stats\r\n").contains("\r\nSTAT curr_connections "));
    assert!(udp.ask("stats conns\r\n").ends_with("END\r\n"));
    if !server.is_old_memcached {
        // A datagram is answered once, so it cannot watch.
        let refused = "WATCHER_FAILED failed to add log watcher\r\n";
        assert_eq!(udp.ask("watch mutations\r\n"), refused);
    }
}

#[test]
fn several_addresses_and_both_families() {
    let (second, v6, port) = (free_port(), free_port(), free_port());
    // An address with a port of its own has it for UDP, too.
    let list = format!("127.0.0.2:{second};[::1]:{v6};[::1]");
    let text = port.to_string();
    let _server = Server::start(2, &["-l", &list, "-U", &text]);
    for address in [
        format!("127.0.0.1:{port}"),
        format!("127.0.0.2:{second}"),
        format!("[::1]:{v6}"),
        format!("[::1]:{port}"),
    ] {
        let mut udp = Udp::connect(address.parse().unwrap());
        assert_eq!(udp.ask("get a\r\n"), "END\r\n", "{address}");
    }
}

#[test]
fn the_kernel_may_choose_the_ports() {
    let file = std::env::temp_dir().join(format!("corecached-ports-{}", std::process::id()));
    let mut child = command()
        .args(["-t", "2", "-l", "127.0.0.1,[::1]", "-p", "-1", "-U", "-1"])
        .env("MEMCACHED_PORT_FILENAME", &file)
        .spawn()
        .unwrap();
    let end = std::time::Instant::now() + REPLY_TIMEOUT;
    let text = loop {
        if let Ok(text) = std::fs::read_to_string(&file) {
            break text;
        }
        assert!(std::time::Instant::now() < end, "no port file");
        std::thread::sleep(Duration::from_millis(5));
    };
    let port = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name} in {text}"))
            .parse::<u16>()
            .unwrap()
    };
    let mut udp = Udp::connect(([127, 0, 0, 1], port("UDP INET: ")).into());
    assert_eq!(udp.ask("get a\r\n"), "END\r\n");
    let mut udp = Udp::connect(([0, 0, 0, 0, 0, 0, 0, 1], port("UDP INET6: ")).into());
    assert_eq!(udp.ask("get a\r\n"), "END\r\n");
    Client::connect(([127, 0, 0, 1], port("TCP INET: ")).into()).ask("version");
    Client::connect(([0, 0, 0, 0, 0, 0, 0, 1], port("TCP INET6: ")).into()).ask("version");
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn a_busy_udp_port_is_named() {
    let (server, udp) = start(1, &[]);
    if server.is_old_memcached {
        return;
    }
    let port = udp.port().to_string();
    let tcp = free_port().to_string();
    let second = command()
        .args(["-l", "127.0.0.1", "-p", &tcp, "-U", &port])
        .output()
        .unwrap();
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(
        said.contains(&format!("failed to listen on UDP port {port}")),
        "{said}"
    );
}

#[test]
fn without_the_option_there_is_no_udp() {
    let server = Server::start(1, &[]);
    let mut udp = Udp::connect(server.address());
    udp.send("get a\r\n");
    // The kernel says that nobody is there.
    let error = udp.socket.recv(&mut [0; 10]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn there_is_no_udp_beside_authentication() {
    let port = free_port().to_string();
    for option in [&["-S"][..], &["-Y", "/dev/null"]] {
        let ended = command()
            .args(["-l", "127.0.0.1", "-p", &port, "-U", &port])
            .args(option)
            .output()
            .unwrap();
        assert!(!ended.status.success(), "{option:?}");
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(said.contains("UDP"), "{said}");
    }
}
