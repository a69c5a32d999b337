//! Reads certificates and keys, at the start and at each reload. This is the only I/O of this crate.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::LoadError;
use crate::settings::KeyFormat;

/// The most bytes that are read of a file. No list of certificates is larger; a wrong path (a device, a log) must not
/// be read without end.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The certificates of a server, its own first.
pub(crate) fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, LoadError> {
    certificates("certificate chain", path)
}

/// The authorities that may issue certificates to clients.
pub(crate) fn roots(path: &Path) -> Result<RootCertStore, LoadError> {
    const WHAT: &str = "CA certificate";
    let mut roots = RootCertStore::empty();
    for certificate in certificates(WHAT, path)? {
        roots
            .add(certificate)
            .map_err(|error| content(WHAT, path, error.to_string()))?;
    }
    Ok(roots)
}

/// The private key.
pub(crate) fn key(path: &Path, format: KeyFormat) -> Result<PrivateKeyDer<'static>, LoadError> {
    const WHAT: &str = "private key";
    let bytes = read(WHAT, path)?;
    match format {
        KeyFormat::Pem => PrivateKeyDer::from_pem_slice(&bytes).map(by_content).map_err(|error| {
            let encrypted = bytes
                .windows(ENCRYPTED.len())
                .any(|window| window == ENCRYPTED);
            let reason = match error {
                pem::Error::NoItemsFound if encrypted => {
                    "the key is protected by a password, which nobody could enter; store it without one".into()
                }
                pem::Error::NoItemsFound => "no private key in PEM form in it".into(),
                other => format!("not valid PEM: {other}"),
            };
            content(WHAT, path, reason)
        }),
        KeyFormat::Der => PrivateKeyDer::try_from(bytes)
            .map_err(|error| content(WHAT, path, format!("not a private key in DER form: {error}"))),
    }
}

/// The key in the form that its contents have, whatever its label says: tools have written PKCS#8 under `RSA PRIVATE
/// KEY` and the other way round, and OpenSSL looks at the contents.
fn by_content(key: PrivateKeyDer<'static>) -> PrivateKeyDer<'static> {
    PrivateKeyDer::try_from(key.secret_der().to_vec()).unwrap_or(key)
}

/// How the PEM of a key with a password begins.
const ENCRYPTED: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";

fn certificates(
    what: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, LoadError> {
    let bytes = read(what, path)?;
    let list: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&bytes).collect();
    let list = list.map_err(|error| content(what, path, format!("not valid PEM: {error}")))?;
    if list.is_empty() {
        return Err(content(
            what,
            path,
            "no certificate in PEM form in it".into(),
        ));
    }
    Ok(list)
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, LoadError> {
    let failed = |error| LoadError::Read {
        what,
        path: path.to_owned(),
        error,
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(failed(io::Error::other("the file is too large")));
    }
    Ok(bytes)
}

pub(crate) fn content(what: &'static str, path: &Path, reason: String) -> LoadError {
    LoadError::Content {
        what,
        path: path.to_owned(),
        reason,
    }
}
