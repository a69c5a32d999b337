//! A client's session against a server's, and against rustls' own server.

use std::io::{Read, Write};
use std::sync::Arc;

use corecached_tls::{
    AlertDescription, CertificateError, Certificates, Client, ClientAuth, ClientPolicy,
    Established, Identity, MinVersion, Session, SessionError, Settings, TlsError, Trust,
    VerifyMode,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ProtocolVersion, ServerConfig, ServerConnection, version};

use crate::files::Files;

/// Both ends of a connection.
struct Ends {
    client: Session<Client>,
    server: Session,
    to_client: Vec<u8>,
    to_server: Vec<u8>,
    at_client: Vec<u8>,
    at_server: Vec<u8>,
    scratch: Vec<u8>,
}

impl Ends {
    fn new(policy: &ClientPolicy, certificates: &Certificates, auth: ClientAuth) -> Ends {
        Ends {
            client: policy.begin("localhost".try_into().unwrap()).unwrap(),
            server: certificates.begin(auth).unwrap(),
            to_client: Vec::new(),
            to_server: Vec::new(),
            at_client: Vec::new(),
            at_server: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Until neither end has anything to say, in pieces of `piece` bytes; the client's error, or the server's.
    fn exchange(&mut self, piece: usize) -> Result<(), SessionError> {
        let mut failed = Ok(());
        self.client
            .receive(&[], &mut self.scratch, &mut self.to_server, |_| {})?;
        while !(self.to_client.is_empty() && self.to_server.is_empty()) {
            for bytes in std::mem::take(&mut self.to_server).chunks(piece) {
                let result =
                    self.server
                        .receive(bytes, &mut self.scratch, &mut self.to_client, |plain| {
                            self.at_server.extend_from_slice(plain);
                        });
                failed = failed.and(result);
            }
            for bytes in std::mem::take(&mut self.to_client).chunks(piece) {
                self.client
                    .receive(bytes, &mut self.scratch, &mut self.to_server, |plain| {
                        self.at_client.extend_from_slice(plain);
                    })?;
            }
        }
        failed
    }
}

fn trusting(files: &Files) -> ClientPolicy {
    ClientPolicy::load(Trust::File(files.path("ca.pem")), None).unwrap()
}

#[test]
fn values_pass_in_both_versions_and_any_pieces() {
    let files = Files::new();
    for (ciphers, version, cipher) in [
        (None, "TLS 1.3", "TLS_AES_256_GCM_SHA384"),
        (
            Some("TLS_CHACHA20_POLY1305_SHA256"),
            "TLS 1.3",
            "TLS_CHACHA20_POLY1305_SHA256",
        ),
    ] {
        let certificates = Certificates::load(Settings {
            ciphers: ciphers.map(str::to_owned),
            min_version: MinVersion::Tls13,
            ..files.settings()
        })
        .unwrap();
        for piece in [1, 7, 16 * 1024, usize::MAX] {
            let mut ends = Ends::new(&trusting(&files), &certificates, ClientAuth::Default);
            ends.exchange(piece).unwrap();
            assert_eq!(ends.client.established(), Some(Established::Full));
            assert_eq!(ends.client.version(), Some(version));
            assert_eq!(ends.client.cipher(), Some(cipher));
            let value: Vec<u8> = (0..100_000u32).map(|byte| byte as u8).collect();
            ends.client
                .encrypt(b"get k\r\n", &mut ends.to_server)
                .unwrap();
            ends.server.encrypt(&value, &mut ends.to_client).unwrap();
            ends.exchange(piece).unwrap();
            assert_eq!(ends.at_server, b"get k\r\n");
            assert!(ends.at_client == value);
            ends.server.close(&mut ends.to_client);
            assert!(!ends.client.peer_has_closed());
            ends.exchange(piece).unwrap();
            assert!(ends.client.peer_has_closed());
        }
    }
}

#[test]
fn sessions_of_a_policy_resume() {
    let files = Files::new();
    let certificates = Certificates::load(files.settings()).unwrap();
    let policy = trusting(&files);
    for expected in [Established::Full, Established::Resumed] {
        let mut ends = Ends::new(&policy, &certificates, ClientAuth::Default);
        ends.exchange(usize::MAX).unwrap();
        assert_eq!(ends.client.established(), Some(expected));
    }
}

#[test]
fn strangers_are_refused_unless_anyone_is_trusted() {
    let (files, others) = (Files::new(), Files::new());
    let certificates = Certificates::load(files.settings()).unwrap();
    let mut ends = Ends::new(&trusting(&others), &certificates, ClientAuth::Default);
    let error = ends.exchange(usize::MAX).unwrap_err();
    let SessionError::Handshake(TlsError::InvalidCertificate(why)) = error else {
        panic!("{error:?}");
    };
    // Both issuers have the same name, so it is the signature that is wrong.
    assert!(matches!(
        why,
        CertificateError::BadSignature | CertificateError::UnknownIssuer
    ));
    assert!(!ends.to_server.is_empty(), "the server is told why");

    let name = "elsewhere.example".try_into().unwrap();
    let mut ends = Ends::new(&trusting(&files), &certificates, ClientAuth::Default);
    ends.client = trusting(&files).begin(name).unwrap();
    let error = ends.exchange(usize::MAX).unwrap_err();
    assert!(
        matches!(
            error,
            SessionError::Handshake(TlsError::InvalidCertificate(
                CertificateError::NotValidForNameContext { .. }
            ))
        ),
        "{error:?}"
    );

    let anyone = ClientPolicy::load(Trust::Anyone, None).unwrap();
    let mut ends = Ends::new(&anyone, &certificates, ClientAuth::Default);
    ends.exchange(usize::MAX).unwrap();
    assert_eq!(ends.client.established(), Some(Established::Full));
}

#[test]
fn a_server_without_tls_is_told_from_one_that_refuses() {
    let files = Files::new();
    for text in [&b"ERROR\r\n"[..], b"VERSION 1.6.18\r\n", b"\x81\x00"] {
        let mut client = trusting(&files)
            .begin("localhost".try_into().unwrap())
            .unwrap();
        let (mut scratch, mut out) = (Vec::new(), Vec::new());
        client.receive(&[], &mut scratch, &mut out, |_| {}).unwrap();
        assert_eq!(out.first(), Some(&22));
        let error = client
            .receive(text, &mut scratch, &mut out, |_| panic!("nothing came"))
            .unwrap_err();
        assert!(matches!(error, SessionError::NotTls), "{error:?}");
    }
    let mut client = trusting(&files)
        .begin("localhost".try_into().unwrap())
        .unwrap();
    let (mut scratch, mut out) = (Vec::new(), Vec::new());
    let alert = [21, 3, 3, 0, 2, 2, 70];
    let error = client
        .receive(&alert, &mut scratch, &mut out, |_| {})
        .unwrap_err();
    assert!(
        matches!(
            error,
            SessionError::Handshake(TlsError::AlertReceived(AlertDescription::ProtocolVersion))
        ),
        "{error:?}"
    );
}

#[test]
fn clients_show_a_certificate_where_one_is_wanted() {
    let files = Files::new();
    let certificates = Certificates::load(files.verifying(VerifyMode::Require)).unwrap();
    let mut ends = Ends::new(&trusting(&files), &certificates, ClientAuth::Default);
    let error = ends.exchange(usize::MAX).unwrap_err();
    assert!(
        matches!(
            error,
            SessionError::Protocol(TlsError::AlertReceived(
                AlertDescription::CertificateRequired
            ))
        ),
        "{error:?}"
    );
    let identity = Identity {
        cert: files.path("client.pem"),
        key: files.path("client.key"),
    };
    let trust = Trust::File(files.path("ca.pem"));
    let showing = ClientPolicy::load(trust.clone(), Some(&identity)).unwrap();
    for _ in 0..2 {
        let mut ends = Ends::new(&showing, &certificates, ClientAuth::Default);
        ends.exchange(usize::MAX).unwrap();
        // Servers of OpenSSL may fail if a client with a certificate resumes.
        assert_eq!(ends.server.established(), Some(Established::Full));
    }

    let swapped = Identity {
        key: files.path("server.key"),
        ..identity.clone()
    };
    let why = ClientPolicy::load(trust.clone(), Some(&swapped)).unwrap_err();
    assert!(why.to_string().contains("does not belong"), "{why}");
    let missing = Identity {
        cert: files.path("nobody.pem"),
        ..identity
    };
    let why = ClientPolicy::load(trust, Some(&missing)).unwrap_err();
    assert!(why.to_string().contains("nobody.pem"), "{why}");
    let why = ClientPolicy::load(Trust::File(files.path("client.key")), None).unwrap_err();
    assert!(why.to_string().contains("no certificate"), "{why}");
}

#[test]
fn both_versions_are_spoken_and_fresh_keys_taken() {
    let files = Files::new();
    let chain = CertificateDer::from_pem_file(files.path("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(files.path("server.key")).unwrap();
    for (version, name) in [(&version::TLS13, "TLS 1.3"), (&version::TLS12, "TLS 1.2")] {
        let config = ServerConfig::builder_with_protocol_versions(&[version])
            .with_no_client_auth()
            .with_single_cert(vec![chain.clone()], key.clone_key())
            .unwrap();
        let server = ServerConnection::new(Arc::new(config)).unwrap();
        let client = five_rounds(&files, server);
        assert_eq!(client.version(), Some(name));
        assert!(client.cipher().is_some());
    }
}

/// The handshake, and gets with their replies, the server's with fresh keys if the version has that.
fn five_rounds(files: &Files, mut server: ServerConnection) -> Session<Client> {
    let mut client = trusting(files)
        .begin("localhost".try_into().unwrap())
        .unwrap();
    let (mut scratch, mut to_server, mut got) = (Vec::new(), Vec::new(), Vec::new());
    client
        .receive(&[], &mut scratch, &mut to_server, |_| {})
        .unwrap();
    let mut answered = 0;
    for _ in 0..5 {
        let mut rest = std::mem::take(&mut to_server);
        let mut bytes = rest.as_slice();
        while !bytes.is_empty() {
            server.read_tls(&mut bytes).unwrap();
            server.process_new_packets().unwrap();
        }
        rest.clear();
        if !server.is_handshaking() {
            let refreshed = server.refresh_traffic_keys();
            let has_keys_to_refresh = server.protocol_version() == Some(ProtocolVersion::TLSv1_3);
            assert_eq!(refreshed.is_ok(), has_keys_to_refresh);
            server.writer().write_all(b"END\r\n").unwrap();
            let mut read = [0; 64];
            if let Ok(length) = server.reader().read(&mut read) {
                assert_eq!(&read[..length], b"get k\r\n");
                answered += 1;
            }
        }
        let mut to_client = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut to_client).unwrap();
        }
        client
            .receive(&to_client, &mut scratch, &mut to_server, |plain| {
                got.extend_from_slice(plain);
            })
            .unwrap();
        if !client.is_handshaking() {
            client.encrypt(b"get k\r\n", &mut to_server).unwrap();
        }
    }
    assert!(answered >= 3);
    assert!(got.len() >= 3 * 5 && got == b"END\r\n".repeat(got.len() / 5));
    client
}
