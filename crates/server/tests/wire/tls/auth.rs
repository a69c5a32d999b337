//! Authentication over TLS: the encrypted address is as closed as the plain one before it, and as open after it.

use std::net::Shutdown;

use super::{TlsClient, TlsServer};
use crate::auth::{Passwords, TEXT_COMMANDS, packet, sasl_plain};

/// All lines up to the end of the connection.
fn lines(client: &mut TlsClient) -> Vec<String> {
    std::iter::from_fn(|| client.try_line().ok()).collect()
}

fn log_in(client: &mut TlsClient, password: &str) -> String {
    let token = format!("ann {password}");
    client.send(format!("set auth 0 0 {}\r\n{token}\r\n", token.len()));
    client.line()
}

#[test]
fn text_clients_authenticate_by_passwords() {
    for shards in [1, 4] {
        let passwords = Passwords::new(&format!("tls-text-{shards}"), "ann:secret\n");
        let tls = TlsServer::start_with(shards, "", &["-Y", passwords.path(), "-A"]);
        for command in TEXT_COMMANDS {
            let mut client = tls.connect();
            client.send(format!("{command}\r\n"));
            // It may be closed already.
            let _ = client.socket().shutdown(Shutdown::Write);
            let answer = lines(&mut client);
            for line in &answer {
                let refused = line == "CLIENT_ERROR unauthenticated"
                    || line == "CLIENT_ERROR bad authentication token format";
                assert!(refused, "{command}: {answer:?}");
            }
        }
        let mut client = tls.connect();
        assert_eq!(client.ask("get target"), "CLIENT_ERROR unauthenticated");
        let refused = "CLIENT_ERROR authentication failure";
        assert_eq!(log_in(&mut client, "wrong!"), refused);
        assert_eq!(client.ask("mg target v"), "CLIENT_ERROR unauthenticated");
        assert_eq!(log_in(&mut client, "secret"), "STORED");
        // Nothing of what came before has been done.
        assert_eq!(client.ask("mg target v"), "EN");
        for length in [5, 300_000] {
            let value = "x".repeat(length);
            client.send(format!("set target 0 0 {length}\r\n{value}\r\n"));
            assert_eq!(client.line(), "STORED");
            assert_eq!(client.get("target"), value.as_bytes());
        }
        assert_eq!(client.ask("incr none 1"), "NOT_FOUND");
        // Each connection for itself.
        assert_eq!(
            tls.connect().ask("get target"),
            "CLIENT_ERROR unauthenticated"
        );
    }
}

#[test]
fn binary_clients_authenticate_by_sasl() {
    const OPEN: [u8; 4] = [0x0b, 0x20, 0x21, 0x22];
    for shards in [1, 4] {
        let passwords = Passwords::new(&format!("tls-sasl-{shards}"), "ann:secret\n");
        let environment = [("MEMCACHED_SASL_PWDB", passwords.path())];
        let tls = TlsServer::start_in(shards, "", &["-S"], &environment);
        for opcode in (0..=0x26).filter(|opcode| !OPEN.contains(opcode)) {
            let mut client = tls.connect();
            // Twice in one record: the second must not be looked at.
            client.send(packet(opcode).repeat(2));
            let mut expected = vec![0x81, opcode, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 13];
            expected.extend_from_slice(b"mark\0\0\0\0\0\0\0\0Auth failure.");
            assert_eq!(client.bytes(expected.len()), expected, "{opcode:#x}");
            // It may be closed with the second packet unread; nothing more comes in any case.
            let _ = client.end();
        }
        let mut client = tls.connect();
        client.send(sasl_plain("wrong!"));
        let refused = client.packet();
        assert_eq!((refused.status, refused.value.len()), (0x20, 13));
        client.send(sasl_plain("secret"));
        assert_eq!(client.packet().value, b"Authenticated");
        // A get that finds nothing, an add, and a get with its flags and value.
        for (opcode, status, extras, value) in [
            (0x00, 1, &b""[..], &b"Not found"[..]),
            (0x02, 0, b"", b""),
            (0x00, 0, &[0; 4], b"xx"),
        ] {
            client.send(packet(opcode));
            let reply = client.packet();
            assert_eq!((reply.opcode, reply.status), (opcode, status));
            assert_eq!((&reply.extras[..], &reply.value[..]), (extras, value));
            assert_eq!(reply.key, b"");
        }
    }
}
