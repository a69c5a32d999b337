//! The settings of `-o ssl_...`.

use std::path::PathBuf;

use corecached_tls::{KeyFormat, MinVersion, Settings, VerifyMode};

/// The values of `-o ssl_...`, with memcached's defaults. They have no effect without `-Z`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SslOptions {
    /// `ssl_chain_cert`.
    pub(crate) chain_cert: Option<PathBuf>,
    /// `ssl_key`; without it the key is in the file of the certificates.
    pub(crate) key: Option<PathBuf>,
    /// `ssl_keyformat`.
    pub(crate) key_format: KeyFormat,
    /// `ssl_verify_mode`.
    pub(crate) verify_mode: VerifyMode,
    /// `ssl_ciphers`.
    pub(crate) ciphers: Option<String>,
    /// `ssl_ca_cert`.
    pub(crate) ca_cert: Option<PathBuf>,
    /// `ssl_wbuf_size`, in bytes. No effect: records are made in the buffer that is sent.
    pub(crate) wbuf_bytes: u64,
    /// `ssl_session_cache`.
    pub(crate) session_cache: bool,
    /// `ssl_kernel_tls`. No effect.
    pub(crate) kernel_tls: bool,
    /// `ssl_min_version`.
    pub(crate) min_version: MinVersion,
}

impl Default for SslOptions {
    fn default() -> Self {
        Self {
            chain_cert: None,
            key: None,
            key_format: KeyFormat::Pem,
            verify_mode: VerifyMode::None,
            ciphers: None,
            ca_cert: None,
            wbuf_bytes: 16 * 1024,
            session_cache: false,
            kernel_tls: false,
            min_version: MinVersion::Tls12,
        }
    }
}

impl SslOptions {
    /// The settings in the form of the TLS crate.
    ///
    /// # Errors
    /// A message if there is no certificate.
    pub(crate) fn settings(&self) -> Result<Settings, String> {
        let chain_cert = self.chain_cert.clone();
        Ok(Settings {
            chain_cert: chain_cert
                .ok_or("-Z needs -o ssl_chain_cert=<file>, the server's certificate")?,
            key: self.key.clone(),
            key_format: self.key_format,
            verify_mode: self.verify_mode,
            ca_cert: self.ca_cert.clone(),
            ciphers: self.ciphers.clone(),
            min_version: self.min_version,
            session_cache: self.session_cache,
        })
    }
}
