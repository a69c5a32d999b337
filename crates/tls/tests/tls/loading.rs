//! Files that cannot be used, and files that change.

use std::fs;

use corecached_tls::{Certificates, ClientAuth, KeyFormat, Settings, VerifyMode};
use rcgen::ExtendedKeyUsagePurpose;

use crate::files::Files;
use crate::pair::{BOTH, Pair, client_config, trusting_config};

fn refusal(settings: Settings) -> String {
    Certificates::load(settings).unwrap_err().to_string()
}

#[test]
fn what_is_wrong_with_a_file_is_said_and_the_file_named() {
    let files = Files::new();
    files.write("empty", "");
    files.write("torn", "-----BEGIN CERTIFICATE-----\nMIIB");
    files.write(
        "nonsense",
        "-----BEGIN CERTIFICATE-----\nTm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n",
    );
    files.write(
        "locked",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nTm90IGEga2V5\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    fs::create_dir(files.path("folder")).unwrap();
    let chain = |name: &str| Settings {
        chain_cert: files.path(name),
        ..files.settings()
    };
    let key = |name: &str| Settings {
        key: Some(files.path(name)),
        ..files.settings()
    };
    let ca = |name: &str| Settings {
        ca_cert: Some(files.path(name)),
        ..files.settings()
    };
    for (settings, file, words) in [
        (chain("missing"), "missing", "No such file"),
        (chain("folder"), "folder", "directory"),
        (chain("empty"), "empty", "no certificate"),
        (chain("server.key"), "server.key", "no certificate"),
        (chain("torn"), "torn", "not valid PEM"),
        (chain("nonsense"), "nonsense", "certificate"),
        (key("missing"), "missing", "No such file"),
        (key("empty"), "empty", "no private key"),
        (key("server.pem"), "server.pem", "no private key"),
        (key("locked"), "locked", "password"),
        (
            key("client.key"),
            "client.key",
            "does not belong to the certificate",
        ),
        (ca("missing"), "missing", "No such file"),
        (ca("empty"), "empty", "no certificate"),
        (ca("nonsense"), "nonsense", "certificate"),
    ] {
        let said = refusal(settings);
        assert!(said.starts_with("Error loading the "), "{said}");
        assert!(
            said.contains(file) && said.contains(words),
            "{file}: {said}"
        );
    }
}

#[test]
fn a_file_that_never_ends_is_not_read_for_ever() {
    let files = Files::new();
    let said = refusal(Settings {
        chain_cert: "/dev/zero".into(),
        ..files.settings()
    });
    assert!(said.contains("too large"), "{said}");
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let files = Files::new();
    for mode in [VerifyMode::Require, VerifyMode::Once] {
        let said = refusal(Settings {
            verify_mode: mode,
            ..files.settings()
        });
        assert!(said.contains("needs ssl_ca_cert"), "{said}");
    }
    let certificates = Certificates::load(files.settings()).unwrap();
    assert!(certificates.begin(ClientAuth::Mutual).is_none());
    let said = refusal(Settings {
        ciphers: Some("RC4:!aNULL".into()),
        ..files.settings()
    });
    assert!(said.contains("ssl_ciphers"), "{said}");
    let said = refusal(Settings {
        min_version: corecached_tls::MinVersion::Tls13,
        ciphers: Some("TLS_AES_128_GCM_SHA256".into()),
        key: Some(files.path("client.key")),
        ..files.settings()
    });
    assert!(said.contains("does not belong"), "{said}");
}

#[test]
fn the_key_can_be_in_the_file_of_the_certificates_or_in_der() {
    let files = Files::new();
    files.write(
        "both.pem",
        [files.read("server.key"), files.read("server.pem")].concat(),
    );
    let both = Settings {
        chain_cert: files.path("both.pem"),
        key: None,
        ..files.settings()
    };
    Pair::open(&files, both);
    use rustls::pki_types::{PrivateKeyDer, pem::PemObject};
    let der = PrivateKeyDer::from_pem_file(files.path("server.key")).unwrap();
    files.write("server.der", der.secret_der());
    let in_der = Settings {
        key: Some(files.path("server.der")),
        key_format: KeyFormat::Der,
        ..files.settings()
    };
    Pair::open(&files, in_der);
    let said = refusal(Settings {
        key_format: KeyFormat::Der,
        ..files.settings()
    });
    assert!(said.contains("DER"), "{said}");
}

#[test]
fn a_reload_is_for_new_connections() {
    let files = Files::new();
    let certificates = Certificates::load(files.settings()).unwrap();
    let config = client_config(&files, BOTH, None);
    let mut old = Pair::new(&certificates, ClientAuth::Default, &config);
    old.handshake(usize::MAX).unwrap();
    let first = files.read("server.pem");
    files.issue("server", ExtendedKeyUsagePurpose::ServerAuth);
    assert_ne!(files.read("server.pem"), first);
    certificates.reload().unwrap();
    let config = client_config(&files, BOTH, None);
    let mut new = Pair::new(&certificates, ClientAuth::Default, &config);
    new.handshake(usize::MAX).unwrap();
    let shown = |pair: &Pair| pair.client.peer_certificates().unwrap()[0].to_vec();
    assert_ne!(shown(&old), shown(&new));
    old.send(b"version\r\n", 5).unwrap();
    assert_eq!(old.received, b"version\r\n");
    // After a reload that fails, what was read before stays.
    files.write("server.key", "gone");
    assert!(certificates.reload().is_err());
    let mut later = Pair::new(
        &certificates,
        ClientAuth::Default,
        &client_config(&files, BOTH, None),
    );
    later.handshake(usize::MAX).unwrap();
    assert_eq!(shown(&new), shown(&later));
}

/// A key's label may be wrong: the contents decide the key's form.
#[test]
fn a_key_may_have_the_label_of_another_kind() {
    let files = Files::new();
    let text = String::from_utf8(files.read("server.key")).unwrap();
    assert!(text.contains("-----BEGIN PRIVATE KEY-----"));
    for label in ["RSA PRIVATE KEY", "EC PRIVATE KEY", "PRIVATE KEY"] {
        files.write("labelled.key", text.replace("PRIVATE KEY", label));
        let labelled = Settings {
            key: Some(files.path("labelled.key")),
            ..files.settings()
        };
        Pair::open(&files, labelled);
    }
}

/// OpenSSL's clients take certificates of X.509 version 1, and many home-made ones are; a client of rustls does not
/// look here.
#[test]
fn a_certificate_of_version_1_is_served() {
    let files = Files::new();
    files.write("version1.pem", include_str!("../data/version1.pem"));
    files.write("version1.key", include_str!("../data/version1.key"));
    let settings = Settings {
        chain_cert: files.path("version1.pem"),
        key: Some(files.path("version1.key")),
        ..files.settings()
    };
    let certificates = Certificates::load(settings.clone()).unwrap();
    let mut pair = Pair::new(&certificates, ClientAuth::Default, &trusting_config());
    pair.handshake(usize::MAX).unwrap();
    pair.send(b"version\r\n", 5).unwrap();
    assert_eq!(pair.received, b"version\r\n");
    // The certificate's key is still looked at.
    let said = refusal(Settings {
        key: Some(files.path("server.key")),
        ..settings
    });
    assert!(
        said.contains("does not belong to the certificate"),
        "{said}"
    );
}

#[test]
fn who_is_asked_for_a_certificate_without_an_issuer_needs_none() {
    let files = Files::new();
    let settings = Settings {
        verify_mode: VerifyMode::Request,
        ..files.settings()
    };
    let certificates = Certificates::load(settings).unwrap();
    for versions in [BOTH, &BOTH[1..]] {
        let config = client_config(&files, versions, None);
        let mut pair = Pair::new(&certificates, ClientAuth::Default, &config);
        pair.handshake(usize::MAX).unwrap();
        let config = client_config(&files, versions, Some("client"));
        let mut pair = Pair::new(&certificates, ClientAuth::Default, &config);
        assert!(pair.handshake(usize::MAX).is_err(), "nobody has issued it");
    }
}
