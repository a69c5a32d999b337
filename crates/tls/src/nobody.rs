//! `ssl_verify_mode=1` without `ssl_ca_cert`: clients are asked for a certificate, and clients that have none are let
//! in. Every certificate that is shown is refused, since no issuer is known. OpenSSL does the same; rustls' own
//! verifier needs an issuer.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DistinguishedName, Error};

use crate::signatures::check_signatures;

/// Refuses every certificate, and no client without one.
#[derive(Debug)]
pub(crate) struct NobodyKnown {
    pub(crate) provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for NobodyKnown {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Err(CertificateError::UnknownIssuer.into())
    }

    check_signatures!();
}
