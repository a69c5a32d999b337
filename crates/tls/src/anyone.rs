//! The verifier of a client that trusts any server: whoever answers is taken for the server. The signatures of the
//! handshake are checked all the same, so that a server without the key of its certificate is noticed.

use std::sync::Arc;

use rustls::Error;
use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

use crate::signatures::check_signatures;

/// Accepts every certificate, for every name and at every time.
#[derive(Debug)]
pub(crate) struct Anyone {
    pub(crate) provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    check_signatures!();
}
