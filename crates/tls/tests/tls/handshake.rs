//! Handshakes: in pieces, resumed, with clients' certificates, refused.

use corecached_tls::{
    Certificates, ClientAuth, Established, MinVersion, SessionError, Settings, VerifyMode,
};
use rcgen::ExtendedKeyUsagePurpose;
use rustls::version;

use crate::files::{Files, issuer};
use crate::pair::{BOTH, Pair, client_config};

#[test]
fn a_handshake_can_be_cut_anywhere() {
    let files = Files::new();
    let certificates = Certificates::load(files.settings()).unwrap();
    for versions in [&[&version::TLS13], &[&version::TLS12]] {
        let config = client_config(&files, versions, None);
        for cut in 1..700 {
            let mut pair = Pair::new(&certificates, ClientAuth::Default, &config);
            let hello = pair.client_sends();
            let cut = cut.min(hello.len() - 1);
            pair.feed(&hello[..cut]).unwrap();
            assert!(pair.to_client.is_empty() && pair.session.is_handshaking());
            pair.feed(&hello[cut..]).unwrap();
            pair.handshake(cut).unwrap();
            assert!(!pair.session.is_handshaking(), "cut at {cut}");
            pair.send(b"version\r\n", cut).unwrap();
            assert_eq!(pair.received, b"version\r\n");
        }
    }
}

#[test]
fn a_handshake_arrives_byte_by_byte() {
    let files = Files::new();
    let certificates = Certificates::load(files.verifying(VerifyMode::Require)).unwrap();
    for versions in [&[&version::TLS13], &[&version::TLS12]] {
        let config = client_config(&files, versions, Some("client"));
        let mut pair = Pair::new(&certificates, ClientAuth::Default, &config);
        pair.handshake(1).unwrap();
        assert_eq!(pair.session.established(), Some(Established::Full));
    }
}

#[test]
fn bytes_that_were_held_are_worked_on_later() {
    let files = Files::new();
    let certificates = Certificates::load(files.settings()).unwrap();
    let config = client_config(&files, BOTH, None);
    let mut pair = Pair::new(&certificates, ClientAuth::Default, &config);
    let hello = pair.client_sends();
    for piece in hello.chunks(50) {
        assert!(pair.session.hold(piece));
    }
    pair.feed(&[]).unwrap();
    pair.handshake(usize::MAX).unwrap();
    assert!(!pair.session.is_handshaking());
    let mut pair = Pair::new(&certificates, ClientAuth::Default, &config);
    let held = (0..100).find(|_| !pair.session.hold(&[22; 4096]));
    assert!(held.is_some_and(|pieces| pieces < 24), "{held:?}");
}

#[test]
fn sessions_resume_by_ticket_and_by_cache() {
    let files = Files::new();
    for (versions, session_cache) in [
        (&[&version::TLS13], false),
        (&[&version::TLS12], false),
        (&[&version::TLS12], true),
    ] {
        let settings = Settings {
            session_cache,
            ..files.settings()
        };
        let certificates = Certificates::load(settings).unwrap();
        let config = client_config(&files, versions, None);
        let mut kinds = Vec::new();
        for _ in 0..3 {
            let mut pair = Pair::new(&certificates, ClientAuth::Default, &config);
            pair.handshake(usize::MAX).unwrap();
            kinds.push(pair.session.established().unwrap());
        }
        use Established::{Full, Resumed};
        assert_eq!(kinds, [Full, Resumed, Resumed], "{versions:?}");
        // The client's old ticket is of no use after a reload, and does no harm.
        certificates.reload().unwrap();
        let mut pair = Pair::new(&certificates, ClientAuth::Default, &config);
        pair.handshake(usize::MAX).unwrap();
        assert_eq!(pair.session.established(), Some(Full));
    }
}

#[test]
fn what_began_without_a_certificate_is_not_resumed_where_one_is_needed() {
    let files = Files::new();
    for versions in [&[&version::TLS13], &[&version::TLS12]] {
        let settings = Settings {
            session_cache: true,
            ..files.verifying(VerifyMode::Request)
        };
        let certificates = Certificates::load(settings).unwrap();
        let config = client_config(&files, versions, None);
        for auth in [ClientAuth::Basic, ClientAuth::Default] {
            let mut pair = Pair::new(&certificates, auth, &config);
            pair.handshake(usize::MAX).unwrap();
        }
        let mut pair = Pair::new(&certificates, ClientAuth::Mutual, &config);
        assert!(matches!(
            pair.handshake(usize::MAX),
            Err(SessionError::Handshake(_))
        ));
        assert_eq!(pair.session.established(), None);
    }
}

#[test]
fn certificates_of_clients_are_asked_for_as_the_mode_says() {
    let files = Files::new();
    let stranger = issuer("a stranger");
    files.issue_by(&stranger, "strange", ExtendedKeyUsagePurpose::ClientAuth);
    let outcomes = |settings: Settings, auth| {
        let certificates = Certificates::load(settings).unwrap();
        [None, Some("client"), Some("strange"), Some("server")].map(|shows| {
            BOTH.iter().all(|version| {
                let config = client_config(&files, &[version], shows);
                let mut pair = Pair::new(&certificates, auth, &config);
                pair.handshake(usize::MAX).is_ok() && !pair.session.is_handshaking()
            })
        })
    };
    use ClientAuth::{Basic, Default, Mutual};
    let everyone = [true; 4];
    // A server's certificate is none for clients.
    let only_good = [false, true, false, false];
    assert_eq!(outcomes(files.settings(), Default), everyone);
    let request = || files.verifying(VerifyMode::Request);
    assert_eq!(outcomes(request(), Default), [true, true, false, false]);
    assert_eq!(
        outcomes(files.verifying(VerifyMode::Require), Default),
        only_good
    );
    assert_eq!(
        outcomes(files.verifying(VerifyMode::Once), Default),
        only_good
    );
    assert_eq!(
        outcomes(files.verifying(VerifyMode::Require), Basic),
        everyone
    );
    assert_eq!(
        outcomes(files.verifying(VerifyMode::None), Mutual),
        only_good
    );
}

#[test]
fn versions_below_the_minimum_are_refused_with_an_alert() {
    let files = Files::new();
    let settings = Settings {
        min_version: MinVersion::Tls13,
        ..files.settings()
    };
    let certificates = Certificates::load(settings).unwrap();
    let config = client_config(&files, &[&version::TLS12], None);
    let mut pair = Pair::new(&certificates, ClientAuth::Default, &config);
    let hello = pair.client_sends();
    assert!(matches!(pair.feed(&hello), Err(SessionError::Handshake(_))));
    // Alert (21), fatal (2), protocol version (70).
    assert_eq!(
        (pair.to_client[0], &pair.to_client[5..]),
        (21, &[2, 70][..])
    );
    // Later bytes have no effect.
    pair.feed(b"more").unwrap();
    assert!(pair.received.is_empty());
}

#[test]
fn the_cipher_suite_is_one_of_the_list() {
    let files = Files::new();
    let settings = Settings {
        ciphers: Some("ECDHE-ECDSA-AES128-GCM-SHA256".into()),
        ..files.settings()
    };
    let certificates = Certificates::load(settings).unwrap();
    let config = client_config(&files, &[&version::TLS12], None);
    let mut pair = Pair::new(&certificates, ClientAuth::Default, &config);
    pair.handshake(usize::MAX).unwrap();
    let shown = pair.session.describe();
    assert!(
        shown.contains("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
        "{shown}"
    );
}

#[test]
fn plain_text_is_known_by_its_first_byte() {
    let files = Files::new();
    let certificates = Certificates::load(files.settings()).unwrap();
    for text in [&b"get k\r\n"[..], b"\x80", b"\x00"] {
        let mut session = certificates.begin(ClientAuth::Default).unwrap();
        let mut out = Vec::new();
        let result = session.receive(text, &mut Vec::new(), &mut out, |_| panic!("no plaintext"));
        assert!(matches!(result, Err(SessionError::NotTls)));
        assert!(out.is_empty());
    }
}

#[test]
fn garbage_ends_a_session_and_nothing_else() {
    let files = Files::new();
    let certificates = Certificates::load(files.settings()).unwrap();
    let config = client_config(&files, BOTH, None);
    let hello = Pair::new(&certificates, ClientAuth::Default, &config).client_sends();
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = |n: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random as usize % n
    };
    let mut refused = 0;
    for _ in 0..3000 {
        let mut pair = Pair::new(&certificates, ClientAuth::Default, &config);
        let mut bytes = hello.clone();
        for _ in 0..1 + next(4) {
            let at = next(bytes.len());
            bytes[at] = next(256) as u8;
        }
        bytes[0] = 22;
        if next(4) == 0 {
            bytes.truncate(next(bytes.len()) + 1);
        }
        let ended = bytes
            .chunks(1 + next(300))
            .any(|piece| pair.feed(piece).is_err());
        refused += u32::from(ended);
        assert!(pair.received.is_empty());
    }
    assert!(refused > 500, "{refused}");
}
