//! The client's side: whom it trusts, and what it shows of itself.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, Error, InconsistentKeys, RootCertStore, version};

use crate::anyone::Anyone;
use crate::error::LoadError;
use crate::files;
use crate::session::Session;
use crate::settings::KeyFormat;
use crate::side::Client;

/// The servers that a client trusts.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Those with a certificate of an authority in this PEM file.
    File(PathBuf),
    /// Those with a certificate of one of these authorities. What is no authority's certificate is left out.
    Roots(Vec<CertificateDer<'static>>),
    /// Any server, whatever its certificate says.
    Anyone,
}

/// A client's own certificate, for servers that want one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The certificate and those that lead to its issuer, in PEM.
    pub cert: PathBuf,
    /// The private key, in PEM; it may be in the file of the certificate.
    pub key: PathBuf,
}

/// What the sessions of a client begin with. They resume one another's, if the server gives tickets and the client
/// shows no certificate: servers of OpenSSL that verify clients and have no session id context (memcached 1.6 among
/// them) end a handshake that would resume with the alert InternalError.
#[derive(Clone, Debug)]
pub struct ClientPolicy(Arc<ClientConfig>);

impl ClientPolicy {
    /// Reads all files. Versions 1.2 and 1.3 are spoken.
    ///
    /// # Errors
    /// If a file cannot be used; the text says which and why.
    pub fn load(trust: Trust, identity: Option<&Identity>) -> Result<ClientPolicy, LoadError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .map_err(|error| LoadError::Settings(error.to_string()))?;
        let builder = match trust {
            Trust::File(path) => builder.with_root_certificates(files::roots(&path)?),
            Trust::Roots(certificates) => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(certificates);
                builder.with_root_certificates(roots)
            }
            Trust::Anyone => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Anyone { provider })),
        };
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = files::chain(&identity.cert)?;
                let key = files::key(&identity.key, KeyFormat::Pem)?;
                let mut config = builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| unusable(identity, &error))?;
                config.resumption = Resumption::disabled();
                config
            }
        };
        Ok(ClientPolicy(Arc::new(config)))
    }

    /// A session with the server called `name`, which its certificate must carry. What it has to say first comes from
    /// its first [`Session::receive`], with no bytes.
    ///
    /// # Errors
    /// If rustls refuses the configuration.
    pub fn begin(&self, name: ServerName<'static>) -> Result<Session<Client>, LoadError> {
        Session::connect(&self.0, name).map_err(|error| LoadError::Settings(error.to_string()))
    }
}

/// The error for a certificate or a key that could be read but that rustls refuses.
fn unusable(identity: &Identity, error: &Error) -> LoadError {
    match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => files::content(
            "private key",
            &identity.key,
            format!(
                "it does not belong to the certificate in {}",
                identity.cert.display()
            ),
        ),
        Error::InvalidCertificate(_) => {
            files::content("client certificate", &identity.cert, error.to_string())
        }
        _ => files::content("private key", &identity.key, error.to_string()),
    }
}
