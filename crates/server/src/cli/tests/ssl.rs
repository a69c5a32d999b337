//! `-Z` and `-o ssl_...`.

use std::path::PathBuf;

use corecached_tls::{KeyFormat, MinVersion, VerifyMode};

use super::*;
use crate::base::listeners::TlsKind;

const CHAIN: &str = "ssl_chain_cert=/c.pem";

#[test]
fn tls_needs_a_certificate_and_a_port() {
    check(&["-Z", "-o", CHAIN], |config| {
        config.tls = TlsKind::Default;
        config.ssl.chain_cert = Some(PathBuf::from("/c.pem"));
    });
    assert!(
        try_draft(&["-Z"])
            .unwrap_err()
            .message
            .contains("ssl_chain_cert")
    );
    for args in [
        &["-Z", "-o", CHAIN, "-p", "0"][..],
        &["--enable-ssl", "-o", CHAIN, "-s", "/tmp/socket"],
    ] {
        refused(args, 64, "ERROR: You cannot enable SSL without a TCP port.");
    }
    // Without -Z the sub-options mean nothing.
    check(&["-o", "ssl_session_cache"], |config| {
        config.ssl.session_cache = true;
    });
}

#[test]
fn each_sub_option_is_read() {
    let list = "ssl_chain_cert=/c,ssl_key=/k,ssl_ca_cert=/a,ssl_keyformat=2,ssl_verify_mode=3,\
                ssl_ciphers=ECDHE-RSA-AES128-GCM-SHA256,ssl_wbuf_size=32,ssl_session_cache,ssl_kernel_tls,\
                ssl_min_version=3";
    let ssl = config(&["-Z", "-o", list]).ssl;
    assert_eq!(ssl.key, Some(PathBuf::from("/k")));
    assert_eq!(ssl.ca_cert, Some(PathBuf::from("/a")));
    assert_eq!(
        (ssl.key_format, ssl.verify_mode),
        (KeyFormat::Der, VerifyMode::Once)
    );
    assert_eq!(ssl.ciphers.as_deref(), Some("ECDHE-RSA-AES128-GCM-SHA256"));
    assert_eq!(
        (ssl.wbuf_bytes, ssl.min_version),
        (32 * 1024, MinVersion::Tls13)
    );
    assert!(ssl.session_cache && ssl.kernel_tls);
    let relative = config(&["-o", "ssl_key=k.pem"]).ssl.key.unwrap();
    assert!(relative.is_absolute(), "a daemon changes its directory");
}

#[test]
fn bad_values_are_refused_in_memcacheds_words() {
    for name in [
        "ssl_chain_cert",
        "ssl_key",
        "ssl_verify_mode",
        "ssl_min_version",
        "ssl_wbuf_size",
    ] {
        refused(&["-o", name], 1, &format!("Missing {name} argument"));
    }
    refused(
        &["-o", "ssl_verify_mode=x"],
        1,
        "could not parse argument to ssl_verify_mode",
    );
    refused(
        &["-o", "ssl_wbuf_size=x"],
        1,
        "could not parse argument to ssl_wbuf_size",
    );
    for name in ["ssl_verify_mode=4", "ssl_min_version=4"] {
        let message = format!(
            "Invalid {}. Use help to see valid options.",
            &name[..name.len() - 2]
        );
        refused(&["-o", name], 1, &message);
    }
    assert!(try_draft(&["-o", "ssl_ciphers=RC4:!aNULL"]).is_err());
    assert!(try_draft(&["-o", "ssl_keyformat=3"]).is_err());
}

#[test]
fn what_is_done_otherwise_is_said_in_any_case() {
    for (list, word) in [
        ("ssl_min_version=0", "TLS 1.0"),
        ("ssl_min_version=1", "TLS 1.1"),
        (
            "ssl_ciphers=AES256-SHA:ECDHE-RSA-AES128-GCM-SHA256",
            "AES256-SHA",
        ),
    ] {
        let draft = try_draft(&["-o", list]).unwrap();
        assert!(draft.warnings[0].contains(word), "{:?}", draft.warnings);
        assert_eq!(draft.config.ssl.min_version, MinVersion::Tls12);
    }
}

#[test]
fn listeners_ask_for_what_there_is() {
    for prefix in ["btls", "mtls"] {
        let address = format!("{prefix}:127.0.0.1");
        let message = format!("'{prefix}' option is valid only when SSL is enabled");
        refused(&["-l", &address], 64, &message);
    }
    let mtls = try_draft(&["-Z", "-o", CHAIN, "-l", "mtls:127.0.0.1"]).unwrap_err();
    assert!(mtls.message.contains("ssl_ca_cert"), "{mtls}");
    let list = "ssl_chain_cert=/c,ssl_ca_cert=/a";
    let config = config(&["-Z", "-o", list, "-l", "mtls:127.0.0.1,notls:::1,btls:h"]);
    let kinds: Vec<_> = config.listen.iter().map(|address| address.tls).collect();
    use TlsKind::{Mutual, None, OneWay};
    assert_eq!(kinds, [Some(Mutual), Some(None), Some(OneWay)]);
}
