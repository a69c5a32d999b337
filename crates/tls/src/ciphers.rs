//! `ssl_ciphers`: which cipher suites may be used, by the names of OpenSSL or of rustls.
//!
//! As with OpenSSL, the list is about TLS 1.2: the suites of TLS 1.3 stay unless the list names some of them.

use rustls::crypto::ring::cipher_suite as suite;
use rustls::{SupportedCipherSuite, SupportedProtocolVersion, version};

/// Every supported suite with OpenSSL's name for it, best first.
const KNOWN: [(&str, SupportedCipherSuite); 9] = [
    ("TLS_AES_256_GCM_SHA384", suite::TLS13_AES_256_GCM_SHA384),
    ("TLS_AES_128_GCM_SHA256", suite::TLS13_AES_128_GCM_SHA256),
    (
        "TLS_CHACHA20_POLY1305_SHA256",
        suite::TLS13_CHACHA20_POLY1305_SHA256,
    ),
    (
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "ECDHE-RSA-AES256-GCM-SHA384",
        suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "ECDHE-RSA-AES128-GCM-SHA256",
        suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "ECDHE-RSA-CHACHA20-POLY1305",
        suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
];

/// The meaning of a list of names.
#[derive(Clone, Debug, PartialEq)]
pub struct Ciphers {
    /// The suites, in the order of preference.
    pub suites: Vec<SupportedCipherSuite>,
    /// Names without a suite here: rustls does not have these suites, because they are unsafe.
    pub unknown: Vec<String>,
}

/// Reads a list of names, separated by colons.
///
/// # Errors
/// If the list contains OpenSSL's operators (`!`, `-`, `+`, `@`), which refer to the set of suites that OpenSSL has, or
/// names no suite that exists here. The text says which names there are.
pub fn parse(list: &str) -> Result<Ciphers, String> {
    let mut named = Vec::new();
    let mut unknown = Vec::new();
    for name in list.split([':', ' ', ';']).filter(|name| !name.is_empty()) {
        if name.starts_with(['!', '-', '+', '@']) {
            return Err(format!(
                "ssl_ciphers: \"{name}\" is no cipher suite; name each suite that is allowed, out of {}",
                names()
            ));
        }
        match find(name) {
            Some(suite) if !named.contains(&suite) => named.push(suite),
            Some(_) => {}
            None => unknown.push(name.to_owned()),
        }
    }
    if named.is_empty() {
        return Err(format!(
            "ssl_ciphers: none of \"{list}\" exists here; there are {}",
            names()
        ));
    }
    let has = |version| named.iter().any(|suite| is_of(suite, version));
    if !has(&version::TLS13) {
        let all = KNOWN.iter().map(|(_, suite)| *suite);
        let kept = all.filter(|suite| is_of(suite, &version::TLS13));
        named.splice(0..0, kept);
    }
    Ok(Ciphers {
        suites: named,
        unknown,
    })
}

fn find(name: &str) -> Option<SupportedCipherSuite> {
    let known = KNOWN
        .iter()
        .find(|(openssl, suite)| *openssl == name || rustls_name(suite) == name);
    known.map(|(_, suite)| *suite)
}

/// OpenSSL's name of a suite.
pub(crate) fn name(suite: SupportedCipherSuite) -> Option<&'static str> {
    let known = KNOWN.iter().find(|(_, known)| *known == suite);
    known.map(|(name, _)| *name)
}

/// The suite's name as rustls writes it: `TLS13_AES_256_GCM_SHA384`, `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`.
fn rustls_name(suite: &SupportedCipherSuite) -> String {
    format!("{:?}", suite.suite())
}

/// Whether a suite belongs to that version of TLS.
pub(crate) fn is_of(suite: &SupportedCipherSuite, version: &SupportedProtocolVersion) -> bool {
    suite.version().version == version.version
}

fn names() -> String {
    KNOWN.map(|(name, _)| name).join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_knows_every_suite_of_the_provider() {
        let all = rustls::crypto::ring::ALL_CIPHER_SUITES;
        assert_eq!(KNOWN.map(|(_, suite)| suite).as_slice(), all);
    }

    #[test]
    fn both_ways_to_write_a_suite_are_understood() {
        let openssl = parse("ECDHE-RSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256").unwrap();
        let rustls =
            parse("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:TLS13_AES_128_GCM_SHA256").unwrap();
        assert_eq!(openssl, rustls);
        assert_eq!(openssl.suites.len(), 2);
    }

    #[test]
    fn a_list_of_tls_1_2_leaves_tls_1_3_as_it_is() {
        let ciphers = parse("ECDHE-ECDSA-AES128-GCM-SHA256").unwrap();
        let tls13 = ciphers
            .suites
            .iter()
            .filter(|suite| is_of(suite, &version::TLS13));
        assert_eq!((tls13.count(), ciphers.suites.len()), (3, 4));
    }

    #[test]
    fn unsafe_suites_are_left_out_and_named() {
        let ciphers = parse("AES256-SHA:ECDHE-RSA-AES256-GCM-SHA384:HIGH").unwrap();
        assert_eq!(ciphers.unknown, ["AES256-SHA", "HIGH"]);
    }

    #[test]
    fn what_cannot_be_obeyed_is_refused() {
        for list in ["HIGH:!aNULL", "DEFAULT", "", "@STRENGTH", "-RC4"] {
            let message = parse(list).unwrap_err();
            assert!(
                message.contains("ECDHE-RSA-AES128-GCM-SHA256"),
                "{list}: {message}"
            );
        }
    }
}
