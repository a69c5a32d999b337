//! Certificates in a folder that is removed at the end of the test.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use corecached_tls::{KeyFormat, MinVersion, Settings, VerifyMode};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};

/// An issuer and what it has issued, as files.
pub(crate) struct Files {
    folder: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Files {
    /// `ca.pem`, `server.pem`, `server.key`, `client.pem`, `client.key`.
    pub(crate) fn new() -> Files {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("corecached-tls-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let files = Files {
            folder,
            issuer: issuer("test issuer"),
        };
        fs::write(files.path("ca.pem"), files.issuer.pem()).unwrap();
        files.issue("server", ExtendedKeyUsagePurpose::ServerAuth);
        files.issue("client", ExtendedKeyUsagePurpose::ClientAuth);
        files
    }

    /// Writes a fresh certificate for `localhost` and its key.
    pub(crate) fn issue(&self, name: &str, purpose: ExtendedKeyUsagePurpose) {
        self.issue_by(&self.issuer, name, purpose);
    }

    /// As [`Self::issue`], but issued by `issuer`.
    pub(crate) fn issue_by(
        &self,
        issuer: &CertifiedIssuer<'static, KeyPair>,
        name: &str,
        purpose: ExtendedKeyUsagePurpose,
    ) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
        params.extended_key_usages = vec![purpose];
        let certificate = params.signed_by(&key, issuer).unwrap();
        fs::write(self.path(&format!("{name}.pem")), certificate.pem()).unwrap();
        fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Settings with the server's files and everything else by default.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            chain_cert: self.path("server.pem"),
            key: Some(self.path("server.key")),
            key_format: KeyFormat::Pem,
            verify_mode: VerifyMode::None,
            ca_cert: None,
            ciphers: None,
            min_version: MinVersion::Tls12,
            session_cache: false,
        }
    }

    /// Settings that verify clients' certificates.
    pub(crate) fn verifying(&self, verify_mode: VerifyMode) -> Settings {
        Settings {
            verify_mode,
            ca_cert: Some(self.path("ca.pem")),
            ..self.settings()
        }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(Path::new(&self.folder));
    }
}

/// Somebody who signs.
pub(crate) fn issuer(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, key).unwrap()
}
