//! Certificates in a folder that is removed at the end of the test.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};

use super::client::Settings;

/// An issuer and what it has issued: `ca.pem`, `server.pem`, `server.key`, `client.pem`, `client.key`.
pub(super) struct Certificates {
    folder: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Certificates {
    pub(super) fn new() -> Certificates {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("corecached-wire-tls-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(folder.join("ca.pem"), issuer.pem()).unwrap();
        let certificates = Certificates { folder, issuer };
        certificates.issue("server", ExtendedKeyUsagePurpose::ServerAuth);
        certificates.issue("client", ExtendedKeyUsagePurpose::ClientAuth);
        certificates
    }

    fn issue(&self, name: &str, purpose: ExtendedKeyUsagePurpose) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
        params.extended_key_usages = vec![purpose];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(self.path(&format!("{name}.pem")), certificate.pem()).unwrap();
        fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    /// Gives the server a fresh certificate and key.
    pub(super) fn renew(&self) {
        self.issue("server", ExtendedKeyUsagePurpose::ServerAuth);
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The sub-options that name the server's files.
    pub(super) fn options(&self) -> String {
        let path = |name| self.path(name).display().to_string();
        format!(
            "ssl_chain_cert={},ssl_key={}",
            path("server.pem"),
            path("server.key")
        )
    }

    /// A client that trusts the issuer.
    pub(super) fn trusting(&self) -> Settings {
        self.make(&[&version::TLS13, &version::TLS12], None)
    }

    /// The same, which shows a certificate.
    pub(super) fn showing(&self) -> Settings {
        self.trusting_and_showing(self)
    }

    /// A client that trusts this issuer and shows a certificate of another.
    pub(super) fn trusting_and_showing(&self, other: &Certificates) -> Settings {
        self.make(&[&version::TLS13, &version::TLS12], Some(other))
    }

    /// The same of one version only.
    pub(super) fn of_version(&self, version: &'static SupportedProtocolVersion) -> Settings {
        self.make(&[version], None)
    }

    fn make(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        shows: Option<&Certificates>,
    ) -> Settings {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(self.path("ca.pem")).unwrap())
            .unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        Arc::new(if let Some(other) = shows {
            let certificate = CertificateDer::from_pem_file(other.path("client.pem")).unwrap();
            let key = PrivateKeyDer::from_pem_file(other.path("client.key")).unwrap();
            builder
                .with_client_auth_cert(vec![certificate], key)
                .unwrap()
        } else {
            builder.with_no_client_auth()
        })
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
