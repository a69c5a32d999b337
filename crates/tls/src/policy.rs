//! From settings to rustls' configurations: one for each way in which clients are asked for certificates.
//!
//! The client of a resumed session is not asked for a certificate again. So policies never share tickets or sessions: a
//! session begun at a `btls:` listener cannot be resumed at a `mtls:` listener. A reload makes fresh policies, too,
//! because the clients' issuers may have changed.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{
    NoServerSessionStorage, ServerSessionMemoryCache, WebPkiClientVerifier,
    danger::ClientCertVerifier,
};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    Error, InconsistentKeys, RootCertStore, ServerConfig, SupportedProtocolVersion, version,
};

use crate::ciphers::{self, is_of};
use crate::error::LoadError;
use crate::files;
use crate::nobody::NobodyKnown;
use crate::settings::{MinVersion, Settings, VerifyMode};

/// Sessions kept with `ssl_session_cache`: as many as OpenSSL keeps by default.
const SESSIONS_MAX: usize = 20 * 1024;

/// How a listener treats clients' certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// Clients are treated as `ssl_verify_mode` says.
    Default,
    /// `btls:`: no certificate is asked for.
    Basic,
    /// `mtls:`: a certificate is needed.
    Mutual,
}

/// The configuration that the sessions of a listener begin with.
pub type Policy = Arc<ServerConfig>;

/// The policies of all listeners, made from the same files.
#[derive(Clone, Debug)]
pub struct Policies {
    default: Policy,
    basic: Policy,
    /// The policy of `mtls:`; only with `ssl_ca_cert`.
    mutual: Option<Policy>,
}

impl Policies {
    /// Reads all files.
    ///
    /// # Errors
    /// If a file cannot be used; the text says which and why.
    pub(crate) fn load(settings: &Settings) -> Result<Policies, LoadError> {
        let material = Material::read(settings)?;
        let make = |mode| policy(settings, mode, &material);
        let basic = make(VerifyMode::None)?;
        let mutual = match material.roots {
            Some(_) => Some(make(VerifyMode::Require)?),
            None => None,
        };
        let default = match (settings.verify_mode, &mutual) {
            (VerifyMode::None, _) => Arc::clone(&basic),
            (VerifyMode::Require | VerifyMode::Once, Some(mutual)) => Arc::clone(mutual),
            (mode, _) => make(mode)?,
        };
        Ok(Policies {
            default,
            basic,
            mutual,
        })
    }

    /// The policy of a listener; `None` for a listener that needs clients' certificates where there is no
    /// `ssl_ca_cert`.
    pub fn of(&self, auth: ClientAuth) -> Option<&Policy> {
        match auth {
            ClientAuth::Default => Some(&self.default),
            ClientAuth::Basic => Some(&self.basic),
            ClientAuth::Mutual => self.mutual.as_ref(),
        }
    }
}

/// The contents of the files.
struct Material {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    roots: Option<Arc<RootCertStore>>,
}

impl Material {
    fn read(settings: &Settings) -> Result<Material, LoadError> {
        let key = settings.key.as_ref().unwrap_or(&settings.chain_cert);
        let roots = settings.ca_cert.as_deref().map(files::roots);
        Ok(Material {
            chain: files::chain(&settings.chain_cert)?,
            key: files::key(key, settings.key_format)?,
            roots: roots.transpose()?.map(Arc::new),
        })
    }
}

fn policy(settings: &Settings, mode: VerifyMode, material: &Material) -> Result<Policy, LoadError> {
    let provider = Arc::new(provider(settings)?);
    let versions = versions(settings, &provider)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(|error| LoadError::Settings(error.to_string()))?;
    let builder = match verifier(settings, mode, material.roots.as_ref(), &provider)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let certified = certified(material, &provider).map_err(|error| unusable(settings, &error))?;
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.ticketer =
        ring::Ticketer::new().map_err(|error| LoadError::Settings(error.to_string()))?;
    config.session_storage = match settings.session_cache {
        true => ServerSessionMemoryCache::new(SESSIONS_MAX),
        false => Arc::new(NoServerSessionStorage {}),
    };
    Ok(Arc::new(config))
}

/// The certificates with their key, which belongs to the first of them.
fn certified(material: &Material, provider: &CryptoProvider) -> Result<CertifiedKey, Error> {
    let key = provider
        .key_provider
        .load_private_key(material.key.clone_key())?;
    let certified = CertifiedKey::new(material.chain.clone(), key);
    match certified.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
        Err(error @ Error::InvalidCertificate(_)) => match belongs_to_version_1(&certified) {
            Some(true) => Ok(certified),
            Some(false) => Err(InconsistentKeys::KeyMismatch.into()),
            None => Err(error),
        },
        Err(error) => Err(error),
    }
}

/// Whether the key belongs to its certificate, for a certificate of X.509 version 1; `None` for any other certificate.
/// rustls does not read certificates of version 1 as a server's, but reads them as an issuer's. Clients with rustls
/// refuse them, clients with OpenSSL do not.
fn belongs_to_version_1(certified: &CertifiedKey) -> Option<bool> {
    let certificate = certified.end_entity_cert().ok()?;
    let mut store = RootCertStore::empty();
    store.add(certificate.clone().into_owned()).ok()?;
    let named = &store.roots.first()?.subject_public_key_info;
    let own = certified.key.public_key()?;
    // One encoding wraps the other into a sequence, whose header has 2 to 5 bytes.
    let header = own.len().checked_sub(named.len())?;
    Some((2..=5).contains(&header) && own.ends_with(named))
}

fn provider(settings: &Settings) -> Result<CryptoProvider, LoadError> {
    let mut provider = ring::default_provider();
    if let Some(list) = &settings.ciphers {
        provider.cipher_suites = ciphers::parse(list).map_err(LoadError::Settings)?.suites;
    }
    Ok(provider)
}

/// The versions that are allowed and for which there is a cipher suite.
fn versions(
    settings: &Settings,
    provider: &CryptoProvider,
) -> Result<Vec<&'static SupportedProtocolVersion>, LoadError> {
    let allowed: &[_] = match settings.min_version {
        MinVersion::Tls12 => &[&version::TLS13, &version::TLS12],
        MinVersion::Tls13 => &[&version::TLS13],
    };
    let possible = |version: &&&SupportedProtocolVersion| {
        provider
            .cipher_suites
            .iter()
            .any(|suite| is_of(suite, version))
    };
    let versions: Vec<_> = allowed.iter().filter(possible).copied().collect();
    if versions.is_empty() {
        return Err(LoadError::Settings(
            "no version of TLS is left: ssl_ciphers names none of the suites of ssl_min_version"
                .into(),
        ));
    }
    Ok(versions)
}

fn verifier(
    settings: &Settings,
    mode: VerifyMode,
    roots: Option<&Arc<RootCertStore>>,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, LoadError> {
    if mode == VerifyMode::None {
        return Ok(None);
    }
    let (Some(roots), Some(path)) = (roots, &settings.ca_cert) else {
        if mode == VerifyMode::Request {
            let provider = Arc::clone(provider);
            return Ok(Some(Arc::new(NobodyKnown { provider })));
        }
        return Err(LoadError::Settings(format!(
            "ssl_verify_mode={} needs ssl_ca_cert: the certificates of those who issue the clients'",
            mode.number()
        )));
    };
    let builder =
        WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider));
    let builder = match mode {
        VerifyMode::Request => builder.allow_unauthenticated(),
        _ => builder,
    };
    let verifier = builder.build();
    verifier
        .map(Some)
        .map_err(|error| files::content("CA certificate", path, error.to_string()))
}

/// The error for a certificate or a key that could be read but that rustls refuses.
fn unusable(settings: &Settings, error: &Error) -> LoadError {
    let key = settings.key.as_ref().unwrap_or(&settings.chain_cert);
    match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => files::content(
            "private key",
            key,
            format!(
                "it does not belong to the certificate in {}",
                settings.chain_cert.display()
            ),
        ),
        Error::InvalidCertificate(_) => {
            files::content("certificate chain", &settings.chain_cert, error.to_string())
        }
        _ => files::content("private key", key, error.to_string()),
    }
}
