//! `ssl_ciphers`: which cipher suites may be used, by the names of OpenSSL or of rustls.
//!
//! Words are those of OpenSSL's lists, groups and operators included, as far as they concern what there is here.
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

/// Reads a list as OpenSSL does: names of suites, groups of them (`HIGH`, `EECDH+AESGCM`), and operators before both, of
/// which `!` and `-` take suites out, `+` puts them last, and `@` sorts.
///
/// # Errors
/// If none of the suites that exist here is left. The text says which there are.
pub fn parse(list: &str) -> Result<Ciphers, String> {
    let (mut named, mut banned) = (Vec::new(), Vec::new());
    let mut unknown = Vec::new();
    for word in list.split([':', ' ', ';']).filter(|word| !word.is_empty()) {
        // A level of security may stand behind a word without a colon.
        let word = word.split_once('@').map_or(word, |(word, _)| word);
        let (operator, name) = match word.strip_prefix(['!', '-', '+']) {
            Some(name) => (word.as_bytes().first().copied(), name),
            None => (None, word),
        };
        let meant = meaning(name);
        match operator {
            // The suites here are all strong, so there is nothing to sort, and no level refuses them.
            _ if name.is_empty() => {}
            Some(b'+') => named.sort_by_key(|suite| meant.contains(suite)),
            Some(ban) => {
                named.retain(|suite| !meant.contains(suite));
                if ban == b'!' {
                    banned.extend(meant);
                }
            }
            None if meant.is_empty() => unknown.push(name.to_owned()),
            None => {
                for suite in meant {
                    if !named.contains(&suite) && !banned.contains(&suite) {
                        named.push(suite);
                    }
                }
            }
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

/// The suites that a word without its operator means: one by its name, or those of TLS 1.2 that are in all of its
/// groups.
fn meaning(word: &str) -> Vec<SupportedCipherSuite> {
    if let Some(suite) = find(word) {
        return vec![suite];
    }
    let of_12 = KNOWN
        .iter()
        .filter(|(_, suite)| is_of(suite, &version::TLS12));
    let meant = of_12.filter(|(name, _)| word.split('+').all(|group| is_in(name, group)));
    meant.map(|(_, suite)| *suite).collect()
}

/// Whether OpenSSL counts the suite of TLS 1.2 to that group: all here have ECDHE, and a cipher with authentication.
fn is_in(name: &str, group: &str) -> bool {
    match group {
        "ALL" | "DEFAULT" | "HIGH" | "TLSv1.2" => true,
        "ECDHE" | "EECDH" | "kECDHE" | "kEECDH" => true,
        "ECDSA" | "aECDSA" => name.contains("-ECDSA-"),
        "aRSA" => name.contains("-RSA-"),
        "AES" | "AESGCM" => name.contains("AES"),
        "AES128" | "AES256" | "CHACHA20" => name.contains(group),
        _ => false,
    }
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
        let ciphers = parse("AES256-SHA:ECDHE-RSA-AES256-GCM-SHA384:3DES").unwrap();
        assert_eq!(ciphers.unknown, ["AES256-SHA", "3DES"]);
    }

    /// The names of the suites of TLS 1.2 of a list, without what all have alike.
    fn of_12(list: &str) -> String {
        let ciphers = parse(list).unwrap();
        assert_eq!(ciphers.unknown, [""; 0], "{list}");
        let of_12 = ciphers.suites.iter();
        let of_12 = of_12.filter(|suite| is_of(suite, &version::TLS12));
        let names = of_12.map(|suite| name(*suite).unwrap().replace("ECDHE-", ""));
        names.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn groups_and_operators_mean_what_they_mean_to_openssl() {
        let ecdsa = "ECDSA-AES256-GCM-SHA384 ECDSA-AES128-GCM-SHA256 ECDSA-CHACHA20-POLY1305";
        let rsa = "RSA-AES256-GCM-SHA384 RSA-AES128-GCM-SHA256 RSA-CHACHA20-POLY1305";
        let all = format!("{ecdsa} {rsa}");
        for list in [
            "HIGH:!aNULL:!MD5",
            "DEFAULT",
            "DEFAULT@SECLEVEL=1",
            "ALL:!ADH:!LOW:!EXP:!MD5:@STRENGTH",
            "kEECDH:!kRSA",
            "ECDHE+ECDSA:EECDH",
        ] {
            assert_eq!(of_12(list), all, "{list}");
        }
        assert_eq!(of_12("EECDH+aRSA"), rsa);
        assert_eq!(of_12("HIGH:!aRSA"), ecdsa);
        assert_eq!(of_12("HIGH:+ECDSA"), format!("{rsa} {ecdsa}"));
        assert_eq!(
            of_12("EECDH+ECDSA+AESGCM:!AES128:HIGH:-CHACHA20"),
            "ECDSA-AES256-GCM-SHA384 RSA-AES256-GCM-SHA384"
        );
        // What `!` has taken out does not come back, what `-` has does.
        assert_eq!(of_12("!ECDSA:HIGH"), rsa);
        assert_eq!(of_12("HIGH:-ECDSA:HIGH"), format!("{rsa} {ecdsa}"));
    }

    #[test]
    fn a_list_of_which_nothing_is_left_is_refused() {
        for list in ["AES128-SHA:RC4", "", "@STRENGTH", "-RC4", "HIGH:!ECDHE"] {
            let message = parse(list).unwrap_err();
            assert!(
                message.contains("ECDHE-RSA-AES128-GCM-SHA256"),
                "{list}: {message}"
            );
        }
    }
}
