//! `-Z` and the values of `-o ssl_...`.

use std::path::{Path, PathBuf};

use corecached_tls::{KeyFormat, MinVersion, VerifyMode, parse_ciphers};

use crate::base::config::Config;
use crate::base::listeners::TlsKind;

use super::draft::Draft;
use super::error::CliError;
use super::number::{leading_integer, whole_u32};

type Setter = fn(&mut Draft, &str) -> Result<(), CliError>;

/// Sub-options with a value.
const VALUES: [(&str, Setter); 8] = [
    ("ssl_chain_cert", |draft, text| {
        draft.config.ssl.chain_cert = Some(path(text)?);
        Ok(())
    }),
    ("ssl_key", |draft, text| {
        draft.config.ssl.key = Some(path(text)?);
        Ok(())
    }),
    ("ssl_ca_cert", |draft, text| {
        draft.config.ssl.ca_cert = Some(path(text)?);
        Ok(())
    }),
    ("ssl_keyformat", key_format),
    ("ssl_verify_mode", verify_mode),
    ("ssl_ciphers", ciphers),
    ("ssl_wbuf_size", wbuf_size),
    ("ssl_min_version", min_version),
];

/// All sub-options.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let values = VALUES.iter().map(|(name, _)| *name);
    values.chain(["ssl_session_cache", "ssl_kernel_tls"])
}

/// Applies one sub-option; returns `None` if it is not one of these.
pub(super) fn suboption(
    name: &str,
    value: Option<&str>,
    draft: &mut Draft,
) -> Option<Result<(), CliError>> {
    match name {
        "ssl_session_cache" => draft.config.ssl.session_cache = true,
        "ssl_kernel_tls" => {
            draft.config.ssl.kernel_tls = true;
            draft.note("-o ssl_kernel_tls has no effect in corecached");
        }
        _ => {
            let (_, set) = VALUES.iter().find(|(known, _)| *known == name)?;
            return Some(match value {
                Some(text) => set(draft, text),
                None => Err(CliError::failure(format!("Missing {name} argument"))),
            });
        }
    }
    Some(Ok(()))
}

/// Makes a path absolute, because a daemon changes its directory before the files are read again.
fn path(text: &str) -> Result<PathBuf, CliError> {
    std::path::absolute(Path::new(text))
        .map_err(|error| CliError::usage(format!("Invalid path \"{text}\": {error}")))
}

fn number(name: &str, text: &str) -> Result<i64, CliError> {
    leading_integer(text)
        .ok_or_else(|| CliError::failure(format!("could not parse argument to {name}")))
}

/// OpenSSL's numbers: 1 is PEM, 2 is DER.
fn key_format(draft: &mut Draft, text: &str) -> Result<(), CliError> {
    draft.config.ssl.key_format = match text {
        "PEM" | "pem" => KeyFormat::Pem,
        "DER" | "der" => KeyFormat::Der,
        _ => match number("ssl_keyformat", text)? {
            1 => KeyFormat::Pem,
            2 => KeyFormat::Der,
            _ => {
                return Err(CliError::failure(
                    "Invalid ssl_keyformat: 1 (PEM) and 2 (DER) are known; there are no engines",
                ));
            }
        },
    };
    Ok(())
}

fn verify_mode(draft: &mut Draft, text: &str) -> Result<(), CliError> {
    let mode = VerifyMode::from_number(number("ssl_verify_mode", text)?);
    draft.config.ssl.verify_mode = mode.ok_or_else(|| {
        CliError::failure("Invalid ssl_verify_mode. Use help to see valid options.")
    })?;
    Ok(())
}

fn ciphers(draft: &mut Draft, text: &str) -> Result<(), CliError> {
    let ciphers = parse_ciphers(text).map_err(CliError::failure)?;
    if !ciphers.unknown.is_empty() {
        draft.warnings.push(format!(
            "WARNING: -o ssl_ciphers: not among the cipher suites here, left out: {}",
            ciphers.unknown.join(" ")
        ));
    }
    draft.config.ssl.ciphers = Some(text.to_owned());
    Ok(())
}

fn wbuf_size(draft: &mut Draft, text: &str) -> Result<(), CliError> {
    let kilobytes = whole_u32(text)
        .ok_or_else(|| CliError::failure("could not parse argument to ssl_wbuf_size"))?;
    draft.config.ssl.wbuf_bytes = u64::from(kilobytes) << 10;
    draft.note("-o ssl_wbuf_size has no effect in corecached");
    Ok(())
}

/// TLS 1.0 and 1.1 as a minimum admit every client of 1.2. So 1.2 fulfils the request as far as possible.
fn min_version(draft: &mut Draft, text: &str) -> Result<(), CliError> {
    let number = number("ssl_min_version", text)?;
    draft.config.ssl.min_version = match number {
        0..=2 => MinVersion::Tls12,
        3 => MinVersion::Tls13,
        _ => {
            return Err(CliError::failure(
                "Invalid ssl_min_version. Use help to see valid options.",
            ));
        }
    };
    if number < 2 {
        draft.warnings.push(format!(
            "WARNING: -o ssl_min_version={number}: there is no TLS 1.{number} here, as it is not safe any more (RFC 8996); \
             the minimum is TLS 1.2"
        ));
    }
    Ok(())
}

/// Checks the conditions between `-Z`, `-l` and the sub-options.
pub(super) fn check(config: &Config) -> Result<(), CliError> {
    let has = |kind| {
        config
            .listen
            .iter()
            .any(|address| address.tls == Some(kind))
    };
    if config.tls == TlsKind::None {
        for (kind, prefix) in [(TlsKind::OneWay, "btls"), (TlsKind::Mutual, "mtls")] {
            if has(kind) {
                return Err(CliError::usage(format!(
                    "'{prefix}' option is valid only when SSL is enabled"
                ))
                .advising(
                    "-Z enables TLS, with the files that -o ssl_chain_cert and ssl_key name",
                ));
            }
        }
        return Ok(());
    }
    if config.unix_socket.is_some() || config.tcp_port.number() == 0 {
        return Err(
            CliError::usage("ERROR: You cannot enable SSL without a TCP port.").advising(
                "-Z is refused together with -p 0 or -s: leave -Z out, or name a port with -p",
            ),
        );
    }
    if config.ssl.chain_cert.is_none() {
        return Err(CliError::usage(
            "Error loading the certificate chain: -Z needs -o ssl_chain_cert=<file>",
        ));
    }
    if has(TlsKind::Mutual) && config.ssl.ca_cert.is_none() {
        return Err(CliError::usage(
            "'mtls' needs -o ssl_ca_cert=<file>: the certificates of those who issue the clients'",
        ));
    }
    Ok(())
}

/// A warning about a combination that may be meant, but hardly is.
pub(super) fn warning(config: &Config) -> Option<&'static str> {
    let asks = config.tls != TlsKind::None && config.ssl.verify_mode == VerifyMode::Request;
    (asks && config.ssl.ca_cert.is_none()).then_some(
        "WARNING: -o ssl_verify_mode=1 without ssl_ca_cert: clients that show a certificate are refused",
    )
}
