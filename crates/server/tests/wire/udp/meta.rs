//! Meta commands by UDP.

use super::*;

#[test]
fn meta_commands_are_answered() {
    for shards in [1, 4] {
        let (server, mut udp) = start(shards, &[]);
        for key in ["a", "b", "c", "d"] {
            assert_eq!(udp.ask(format!("mg {key} v\r\n")), "EN\r\n");
            let stored = udp.ask(format!("ms {key} 5 T0 F7 O12\r\nvalue\r\n"));
            assert_eq!(stored, "HD O12\r\n");
            let hit = udp.ask(format!("mg {key} v f t Oab k\r\n"));
            assert_eq!(hit, format!("VA 5 f7 t-1 Oab k{key}\r\nvalue\r\n"));
            assert_eq!(udp.ask(format!("mg {key} s\r\n")), "HD s5\r\n");
            if !server.is_old_memcached {
                let missed = udp.ask(format!("mg {key}x v O9 k\r\n"));
                assert_eq!(missed, format!("EN O9 k{key}x\r\n"));
            }
            assert_eq!(udp.ask(format!("ma {key}n N0 J41 v\r\n")), "VA 2\r\n41\r\n");
            assert_eq!(udp.ask(format!("ma {key}n v\r\n")), "VA 2\r\n42\r\n");
            assert_eq!(udp.ask(format!("md {key}n\r\n")), "HD\r\n");
            assert_eq!(udp.ask(format!("md {key}n O1\r\n")), "NF O1\r\n");
        }
        assert_eq!(udp.ask("mn\r\n"), "MN\r\n");
        if !server.is_old_memcached {
            let refused = "CLIENT_ERROR bad command line format\r\n";
            assert_eq!(udp.ask("mg\r\n"), refused);
        }
    }
}

#[test]
fn quiet_meta_commands_are_silent() {
    for shards in [1, 4] {
        let (server, mut udp) = start(shards, &[]);
        let mut client = server.connect();
        client.set("b", "value");
        // Datagrams of nothing but what is hidden have no answer at all.
        for request in ["mg a v q\r\n", "ms c 1 q\r\nx\r\n", "md c q\r\n"] {
            udp.send(request);
        }
        let id = udp.send("mn\r\n");
        assert_eq!(udp.message(), (id, b"MN\r\n".to_vec()));
        // A get of many keys as clients send it: the opaques say which of them were hits, the end that it is one.
        if server.is_old_memcached {
            return;
        }
        let reply = udp.ask("mg a v q O1\r\nmg b v q O2\r\nmg c v q O3\r\nmg b v q k\r\nmn\r\n");
        assert_eq!(reply, "VA 5 O2\r\nvalue\r\nVA 5 kb\r\nvalue\r\nMN\r\n");
        // Errors are never hidden, nor is the miss of a delete.
        assert_eq!(udp.ask("md a q\r\nmn\r\n"), "NF\r\nMN\r\n");
        let reply = udp.ask("mg b v v q\r\nmn\r\n");
        assert_eq!(reply, "CLIENT_ERROR duplicate flag\r\nMN\r\n");
    }
}
