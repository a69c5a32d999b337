//! Listening sockets, on ports that the kernel chooses.

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};

use super::*;
use crate::base::listeners::{BindingProtocol, ListenAddress, Port, TlsKind};

fn config(hosts: &[&str], port: Port) -> Config {
    Config {
        tcp_port: port,
        listen: hosts.iter().map(|host| ListenAddress::host(host)).collect(),
        listen_text: Some(hosts.join(",")),
        user: Some("root".into()),
        ..Config::default()
    }
}

fn temporary(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("corecached-{}-{name}", std::process::id()))
}

fn port_of(listeners: &Listeners, group: usize) -> u16 {
    let address = listeners.groups[group].address;
    address.expect("a unix socket has no port").port()
}

#[test]
fn each_shard_has_a_socket_on_the_same_port() {
    let listeners = bind(&config(&["127.0.0.1"], Port::Ephemeral), 3).unwrap();
    let port = port_of(&listeners, 0);
    let mut fds = Vec::new();
    for shard in 0..3 {
        let of_shard = listeners.of_shard(shard);
        let of_shard: Vec<RawFd> = of_shard.map(|(_, fd)| fd.as_raw_fd()).collect();
        assert_eq!(of_shard.len(), 1);
        assert_eq!(local_address(of_shard[0]), format!("tcp:127.0.0.1:{port}"));
        assert!(!fds.contains(&of_shard[0]));
        fds.extend(of_shard);
    }
    TcpStream::connect(("127.0.0.1", port)).unwrap();
    assert_eq!(listeners.port_lines(), format!("TCP INET: {port}\n"));
}

#[test]
fn accepted_sockets_inherit_the_options() {
    let listeners = bind(&config(&["127.0.0.1"], Port::Ephemeral), 1).unwrap();
    let client = TcpStream::connect(("127.0.0.1", port_of(&listeners, 0))).unwrap();
    let listener = SockRef::from(&listeners.groups[0].sockets[0]);
    let (accepted, _) = listener.accept().unwrap();
    assert!(accepted.tcp_nodelay().unwrap() && accepted.keepalive().unwrap());
    let client_address = client.local_addr().unwrap();
    assert_eq!(
        peer_address(accepted.as_raw_fd()),
        format!("tcp:{client_address}")
    );
}

#[test]
fn a_busy_port_is_refused_even_if_its_owner_shares() {
    let first = bind(&config(&["127.0.0.1"], Port::Ephemeral), 2).unwrap();
    let port = port_of(&first, 0);
    let message = bind(&config(&["127.0.0.1"], Port::Fixed(port)), 2)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains(&format!("port {port}")) && message.contains("another process"),
        "{message}"
    );
    drop(first);
    bind(&config(&["127.0.0.1"], Port::Fixed(port)), 2).unwrap();
}

#[test]
fn metrics_on_a_port_of_clients_is_told_as_what_it_is() {
    let hosts = ["127.0.0.1", "127.0.0.2", "0.0.0.0", "::1", "::"];
    for clients in hosts {
        // A machine without IPv6 has nothing to say about it.
        let Ok(listeners) = bind(&config(&[clients], Port::Ephemeral), 1) else {
            continue;
        };
        for host in hosts {
            let address = SocketAddr::new(host.parse().unwrap(), port_of(&listeners, 0));
            let can_be_had = TcpListener::bind(address).is_ok();
            let mut config = config(&[clients], Port::Ephemeral);
            config.metrics = Some(address);
            match bind_metrics(&config, &listeners) {
                Ok(_) => assert!(can_be_had, "{address} beside {clients}"),
                Err(error) => assert!(
                    !can_be_had && error.to_string().contains("clients are served on"),
                    "{address} beside {clients}: {error}"
                ),
            }
        }
    }
}

#[test]
fn one_busy_address_of_a_name_is_left_out() {
    // `-l '*'` stands for all addresses of the machine, one of which is taken.
    let taken = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut config = config(&["*"], Port::Fixed(port));
    config.listen[0].host = None;
    match bind(&config, 1) {
        Ok(listeners) => assert_eq!(listeners.port_lines(), format!("TCP INET6: {port}\n")),
        // A machine without IPv6 has no other address.
        Err(error) => assert!(error.to_string().contains("another process"), "{error}"),
    }
}

#[test]
fn a_port_with_old_connections_can_be_had_again() {
    let first = bind(&config(&["127.0.0.1"], Port::Ephemeral), 1).unwrap();
    let port = port_of(&first, 0);
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (server, _) = SockRef::from(&first.groups[0].sockets[0]).accept().unwrap();
    // The server closes first, so the connection stays in TIME_WAIT on its port.
    drop((server, first));
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    drop(client);
    bind(&config(&["127.0.0.1"], Port::Fixed(port)), 1).unwrap();
}

#[test]
fn addresses_have_their_own_ports() {
    let probe = TcpListener::bind("127.0.0.1:0").unwrap();
    let free = probe.local_addr().unwrap().port();
    drop(probe);
    let mut config = config(&["127.0.0.1", "localhost"], Port::Ephemeral);
    config.listen[0].port = Some(Port::Fixed(free));
    config.listen[1].port = Some(Port::Off);
    let listeners = bind(&config, 1).unwrap();
    assert_eq!(listeners.groups.len(), 1);
    assert_eq!(port_of(&listeners, 0), free);
}

#[test]
fn without_tcp_there_is_udp_or_nothing() {
    let mut off = config(&["127.0.0.1"], Port::Off);
    let listeners = bind(&off, 1).unwrap();
    assert_eq!(
        (listeners.groups.len(), listeners.port_lines()),
        (0, String::new())
    );
    assert!(listeners.ready_line(&off).contains("ready on nowhere; "));
    // This holds even where an address has a port of its own.
    off.listen[0].port = Some(Port::Fixed(1));
    assert_eq!(bind(&off, 1).unwrap().groups.len(), 0);
    off.listen[0].port = None;
    off.udp_port = Port::Ephemeral;
    let listeners = bind(&off, 1).unwrap();
    let port = port_of(&listeners, 0);
    assert_eq!(listeners.port_lines(), format!("UDP INET: {port}\n"));
    let line = listeners.ready_line(&off);
    assert!(
        line.contains(&format!("ready on udp 127.0.0.1:{port}; ")),
        "{line}"
    );
}

#[test]
fn a_port_is_free_once_its_listeners_are_closed() {
    let listeners = bind(&config(&["127.0.0.1"], Port::Ephemeral), 3).unwrap();
    let port = port_of(&listeners, 0);
    listeners.shut();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    listeners.close();
    TcpListener::bind(("127.0.0.1", port)).unwrap();
}

#[test]
fn connections_inherit_what_the_address_says() {
    let mut config = config(&["127.0.0.1", "127.0.0.2"], Port::Ephemeral);
    config.binding_protocol = BindingProtocol::Ascii;
    config.tls = TlsKind::OneWay;
    config.listen[1].protocol = Some(BindingProtocol::Binary);
    config.listen[1].tls = Some(TlsKind::None);
    config.listen[1].tag = Some("back".into());
    let listeners = bind(&config, 2).unwrap();
    let infos = listeners.infos();
    assert_eq!(infos.len(), 2);
    assert_eq!(
        (infos[0].protocol, infos[0].tls, infos[0].tag.as_deref()),
        (BindingProtocol::Ascii, TlsKind::OneWay, None)
    );
    assert_eq!(
        (infos[1].protocol, infos[1].tls, infos[1].tag.as_deref()),
        (BindingProtocol::Binary, TlsKind::None, Some("back"))
    );
    let numbers: Vec<u16> = listeners.of_shard(1).map(|(id, _)| id.0).collect();
    assert_eq!(numbers, [0, 1]);
}

#[test]
fn what_cannot_be_listened_on_is_an_error() {
    assert!(bind(&config(&["no.such.name.invalid"], Port::Ephemeral), 1).is_err());
    // An address that is asked for by name must be there; TEST-NET-1 belongs to nobody.
    assert!(bind(&config(&["192.0.2.1"], Port::Ephemeral), 1).is_err());
}

#[test]
fn all_addresses_share_the_port_that_the_kernel_chose() {
    let mut config = config(&[], Port::Ephemeral);
    config.listen = vec![ListenAddress {
        host: None,
        ..ListenAddress::host("")
    }];
    let listeners = bind(&config, 1).unwrap();
    let port = port_of(&listeners, 0);
    let lines = listeners.port_lines();
    assert!(lines.starts_with(&format!("TCP INET: {port}\n")), "{lines}");
    assert!(
        listeners.groups.len() == 1 || lines.contains("TCP INET6: "),
        "{lines}"
    );
}

#[test]
fn the_unix_socket_has_its_mode_and_replaces_a_stale_one() {
    let path = temporary("stale.sock");
    drop(UnixListener::bind(&path).unwrap());
    let mut config = config(&[], Port::Off);
    config.unix_socket = Some(path.clone());
    config.unix_mask = 0o640;
    let listeners = bind(&config, 2).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o640
    );
    assert_eq!(listeners.of_shard(1).count(), 1);
    let name = format!("unix:{}", path.display());
    let (_, own) = listeners.of_shard(0).next().unwrap();
    assert_eq!(local_address(own.as_raw_fd()), name);

    let mut client = UnixStream::connect(&path).unwrap();
    let (accepted, _) = SockRef::from(&listeners.groups[0].sockets[1])
        .accept()
        .unwrap();
    assert_eq!(peer_address(accepted.as_raw_fd()), name);
    let accepted = OwnedFd::from(accepted);
    send_once(&accepted, b"ERROR\r\n");
    drop(accepted);
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    assert_eq!(text, "ERROR\r\n");

    let message = bind(&config, 1).unwrap_err().to_string();
    assert!(message.contains("another server"), "{message}");
    fs::remove_file(path).unwrap();
}

#[test]
fn what_is_no_socket_is_not_removed() {
    let path = temporary("precious");
    fs::write(&path, "data").unwrap();
    let mut config = config(&[], Port::Off);
    config.unix_socket = Some(path.clone());
    assert!(bind(&config, 1).is_err());
    assert_eq!(fs::read(&path).unwrap(), b"data");
    fs::remove_file(path).unwrap();
}

#[test]
fn the_port_file_is_written_whole() {
    let listeners = bind(&config(&["127.0.0.1"], Port::Ephemeral), 1).unwrap();
    let path = temporary("ports");
    write_port_file(path.as_os_str(), &listeners).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), listeners.port_lines());
    assert!(!temporary("ports.lck").exists());
    fs::remove_file(path).unwrap();
}

#[test]
fn descriptors_that_are_none_have_no_address() {
    assert_eq!(local_address(-1), "<unknown>");
    assert_eq!(peer_address(RawFd::MAX), "<unknown>");
}

#[test]
fn a_link_local_address_keeps_its_link() {
    let found = inet::resolve(&ListenAddress::host("fe80::1%1")).unwrap();
    let [SocketAddr::V6(address)] = found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(address.scope_id(), 1);
}
