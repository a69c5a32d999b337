//! Options of sockets: ports, addresses, the unix socket.

use super::*;

#[test]
fn socket_options() {
    check(&["-p", "-1"], |config| config.tcp_port = Port::Ephemeral);
    check(&["-p", "0"], |config| config.tcp_port = Port::Off);
    check(&["-p 0"], |config| config.tcp_port = Port::Off);
    check(&["-U", "0"], |_| {});
    check(&["-b", "4096"], |config| config.backlog = 4096);
    check(&["--listen-backlog=1"], |config| config.backlog = 1);
    check(&["-a", "0770", "--unix-mask=666"], |config| {
        config.unix_mask = 0o666;
    });
    check(&["-l", "10.0.0.1,[::1]:5", "--listen=*"], |config| {
        config.listen = vec![
            ListenAddress::host("10.0.0.1"),
            ListenAddress {
                port: Some(Port::Fixed(5)),
                ..ListenAddress::host("::1")
            },
            ListenAddress {
                host: None,
                ..ListenAddress::host("")
            },
        ];
        config.listen_text = Some("10.0.0.1,[::1]:5,*".into());
    });
    refused(&["-p", "65536"], 64, "ERROR: Invalid port number 65536.");
    refused(&["-p", "abc"], 64, "ERROR: Invalid port number abc.");
    check(&["-a", "1770"], |config| config.unix_mask = 0o770);
    check(&["-b", "-1"], |config| config.backlog = -1);
    check(&["-b", "99999999999"], |config| config.backlog = i32::MAX);
}

/// A number that ends early, or none at all: as `strtol` and `atoi` read it.
#[test]
fn words_that_memcached_takes_for_0() {
    for (mask, mode) in [("999", 0), ("rwx", 0), ("77x", 0o77), ("-1", 0o777)] {
        check(&["-a", mask], |config| config.unix_mask = mode);
    }
    check(&["-b", "x"], |config| config.backlog = 0);
    check(&["-U", ""], |_| {});
    check(&["-U", "x", "-p", "5001"], |config| {
        config.tcp_port = Port::Fixed(5001);
    });
    check(&["-p", "", "-s", "/c.sock"], |config| {
        config.tcp_port = Port::Off;
        config.unix_socket = Some("/c.sock".into());
    });
    let options = ["-U", "x", "-a", "rwx", "-b", ""];
    assert_eq!(
        try_draft(&options).unwrap().warnings,
        [
            "WARNING: -a takes a number: \"rwx\" is 0, as in memcached",
            "WARNING: -b takes a number: \"\" is 0, as in memcached",
            "WARNING: -U takes a number: \"x\" is 0, as in memcached",
        ]
    );
    check(&["-a", "0"], |config| config.unix_mask = 0);
}

#[test]
fn the_udp_port_is_that_of_tcp_unless_that_is_given() {
    check(&["-U", "5001"], |config| {
        config.udp_port = Port::Fixed(5001);
        config.tcp_port = Port::Fixed(5001);
    });
    check(&["--udp-port=-1"], |config| {
        config.udp_port = Port::Ephemeral;
        config.tcp_port = Port::Ephemeral;
    });
    check(&["-U5001", "-p", "5000"], |config| {
        config.udp_port = Port::Fixed(5001);
        config.tcp_port = Port::Fixed(5000);
    });
    check(&["-p", "0", "-U", "5001"], |config| {
        config.udp_port = Port::Fixed(5001);
        config.tcp_port = Port::Off;
    });
    check(&["-o", "udp_reply_max=0,udp_rate=1000"], |config| {
        config.udp_limits.reply_bytes_max = 0;
        config.udp_limits.bytes_per_second = 1000;
    });
    refused(&["-U", "65536"], 64, "ERROR: Invalid port number 65536.");
}

#[test]
fn a_unix_socket_changes_no_other_setting() {
    // `listen::bind` opens no other sockets then.
    check(&["-s", "/run/c.sock"], |config| {
        config.unix_socket = Some("/run/c.sock".into());
    });
}
