//! The TLS options of the command line, as types.

use std::path::PathBuf;

/// The settings of all TLS listeners of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `ssl_chain_cert`: the server's certificate and those that lead to its issuer, in PEM.
    pub chain_cert: PathBuf,
    /// `ssl_key`: the private key; `None` if it is in the file of the certificates.
    pub key: Option<PathBuf>,
    /// `ssl_keyformat`: how the key is written.
    pub key_format: KeyFormat,
    /// `ssl_verify_mode`: whether clients have to show a certificate.
    pub verify_mode: VerifyMode,
    /// `ssl_ca_cert`: certificates of those who may issue the clients', in PEM.
    pub ca_cert: Option<PathBuf>,
    /// `ssl_ciphers`: names of cipher suites, separated by colons.
    pub ciphers: Option<String>,
    /// `ssl_min_version`.
    pub min_version: MinVersion,
    /// `ssl_session_cache`: keeps sessions of clients that know no tickets, so that they can resume.
    pub session_cache: bool,
}

/// `ssl_keyformat`, by OpenSSL's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyFormat {
    /// 1.
    #[default]
    Pem,
    /// 2.
    Der,
}

impl KeyFormat {
    /// The number in `stats settings`.
    pub fn number(self) -> u32 {
        match self {
            KeyFormat::Pem => 1,
            KeyFormat::Der => 2,
        }
    }
}

/// `ssl_verify_mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VerifyMode {
    /// 0: no certificate is asked for.
    #[default]
    None,
    /// 1: one is asked for; a client may have none, but not a bad one.
    Request,
    /// 2: one is needed.
    Require,
    /// 3: as `Require`. OpenSSL would not ask again when a session is renegotiated, which never happens here.
    Once,
}

impl VerifyMode {
    /// The mode of that number.
    pub fn from_number(number: i64) -> Option<Self> {
        Some(match number {
            0 => VerifyMode::None,
            1 => VerifyMode::Request,
            2 => VerifyMode::Require,
            3 => VerifyMode::Once,
            _ => return None,
        })
    }

    /// The number in `stats settings`.
    pub fn number(self) -> u32 {
        match self {
            VerifyMode::None => 0,
            VerifyMode::Request => 1,
            VerifyMode::Require => 2,
            VerifyMode::Once => 3,
        }
    }
}

/// `ssl_min_version`: TLS 1.0 and 1.1 do not exist in rustls, nor, since RFC 8996, anywhere that is kept up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MinVersion {
    /// 2.
    #[default]
    Tls12,
    /// 3.
    Tls13,
}

impl MinVersion {
    /// The name in `stats settings`.
    pub fn name(self) -> &'static str {
        match self {
            MinVersion::Tls12 => "tlsv1.2",
            MinVersion::Tls13 => "tlsv1.3",
        }
    }
}
