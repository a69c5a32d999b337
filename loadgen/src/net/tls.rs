//! TLS as the options ask for it: whom to trust, what to show, and what the handshakes have agreed on. The errors say
//! what to do. The bytes are the business of `corecached_tls`.

use crate::error::{Exit, LoadError, Result};
use crate::target::Endpoint;
use corecached_tls::{
    AlertDescription, CertificateError, Client, ClientPolicy, Established, Identity, ServerName,
    Session, SessionError, TlsError, Trust,
};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The client's side of a TLS connection.
pub type ClientSession = Session<Client>;

/// How servers are spoken to by TLS.
#[derive(Debug, Clone)]
pub struct TlsSettings {
    policy: ClientPolicy,
    name: Option<String>,
    verified: bool,
    shows: bool,
}

/// How one server is spoken to by TLS.
#[derive(Debug, Clone)]
pub struct Tls {
    policy: ClientPolicy,
    name: ServerName<'static>,
    /// Whether the server's certificate is verified.
    pub verified: bool,
    /// Whether the client has a certificate to show.
    pub shows: bool,
    handshakes: Arc<Mutex<Handshakes>>,
}

/// The handshakes with a server so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Handshakes {
    /// The version of TLS, of the last one.
    pub version: &'static str,
    /// The cipher suite, of the last one.
    pub cipher: &'static str,
    /// Handshakes with certificates.
    pub full: u64,
    /// Handshakes that went on with an earlier session.
    pub resumed: u64,
    /// The time of all of them.
    pub time: Duration,
}

impl TlsSettings {
    /// Reads the files: the authorities (the system's without `ca`), and the client's certificate.
    pub fn load(
        ca: Option<&Path>,
        insecure: bool,
        identity: Option<&Identity>,
        name: Option<&str>,
    ) -> Result<Self> {
        let trust = match ca {
            _ if insecure => Trust::Anyone,
            Some(path) => Trust::File(path.to_owned()),
            None => system_roots()?,
        };
        let policy = ClientPolicy::load(trust, identity)
            .map_err(|error| LoadError::new(Exit::Failed, error.to_string()))?;
        Ok(Self {
            policy,
            name: name.map(str::to_owned),
            verified: !insecure,
            shows: identity.is_some(),
        })
    }

    /// TLS with this server.
    pub fn with(&self, endpoint: &Endpoint) -> Result<Tls> {
        let named = self.name.as_deref().or_else(|| endpoint.host());
        let name = match named {
            Some(name) => name,
            // Nobody looks at the name.
            None if !self.verified => "localhost",
            None => {
                return Err(LoadError::usage(format!(
                    "TLS with {endpoint}: a Unix socket has no name that a certificate could carry: give it by --tls-name"
                )));
            }
        };
        let name = ServerName::try_from(name.to_owned()).map_err(|error| {
            LoadError::usage(format!("'{name}' is no name of a TLS server: {error}"))
        })?;
        Ok(Tls {
            policy: self.policy.clone(),
            name,
            verified: self.verified,
            shows: self.shows,
            handshakes: Arc::default(),
        })
    }
}

fn system_roots() -> Result<Trust> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let why: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        return Err(LoadError::new(
            Exit::Failed,
            format!(
                "this system has no certificates of authorities{}: name the file of the server's authority by --tls-ca, or give --tls-insecure to trust any server",
                why.first().map_or(String::new(), |why| format!(" ({why})"))
            ),
        ));
    }
    Ok(Trust::Roots(found.certs))
}

impl Tls {
    pub(super) fn begin(&self) -> Result<ClientSession> {
        let session = self.policy.begin(self.name.clone());
        session.map_err(|error| LoadError::new(Exit::Failed, format!("TLS: {error}")))
    }

    pub(super) fn note(&self, session: &ClientSession, time: Duration) {
        let mut handshakes = self.lock();
        handshakes.version = session.version().unwrap_or("TLS");
        handshakes.cipher = session.cipher().unwrap_or("unknown cipher suite");
        match session.established() {
            Some(Established::Resumed) => handshakes.resumed += 1,
            _ => handshakes.full += 1,
        }
        handshakes.time += time;
    }

    /// The handshakes so far.
    #[must_use]
    pub fn handshakes(&self) -> Handshakes {
        *self.lock()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Handshakes> {
        self.handshakes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of a session in words, with what to do.
#[must_use]
pub fn explain(error: &SessionError) -> String {
    match error {
        SessionError::NotTls => NOT_TLS.to_owned(),
        SessionError::Handshake(error) | SessionError::Protocol(error) => explain_tls(error),
        SessionError::TooLong => "the server's TLS message is too long".to_owned(),
        SessionError::Exhausted => "the keys of the TLS session are used up".to_owned(),
    }
}

/// Of a server that answers a handshake with something else.
const NOT_TLS: &str =
    "it does not speak TLS at this port (without TLS: HOST:PORT, no tls:// and no --tls)";

fn explain_tls(error: &TlsError) -> String {
    match error {
        TlsError::InvalidCertificate(why) => explain_certificate(why),
        TlsError::AlertReceived(alert) => {
            let advice = alert_advice(*alert);
            format!("it ended the TLS session with the alert {alert:?}{advice}")
        }
        TlsError::InvalidMessage(_) => format!("{error} (is TLS spoken at this port?)"),
        TlsError::PeerIncompatible(_) => {
            format!("{error} (loadgen speaks TLS 1.2 and 1.3)")
        }
        _ => format!("TLS: {error}"),
    }
}

fn explain_certificate(why: &CertificateError) -> String {
    let advice = match why {
        // The last two come where an authority has the right name and another key.
        CertificateError::UnknownIssuer
        | CertificateError::BadSignature
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            return "its certificate comes from no authority that is trusted here (name the PEM file of its authority by --tls-ca, or give --tls-insecure to trust any server)".to_owned();
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "give the name in the certificate by --tls-name"
        }
        CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "it is the certificate of an authority, not of a server: make one with CA:FALSE, or give --tls-insecure"
        }
        _ => "renew the server's certificate, or give --tls-insecure to trust any server",
    };
    format!("its certificate is refused: {why} ({advice})")
}

fn alert_advice(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::CertificateRequired => {
            " (it wants a client certificate: --tls-cert and --tls-key)"
        }
        AlertDescription::HandshakeFailure => {
            " (it wants a client certificate, --tls-cert and --tls-key, or has no cipher suite in common with loadgen)"
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied
        | AlertDescription::DecryptError => {
            " (it does not accept the client certificate: see --tls-cert and --tls-key)"
        }
        AlertDescription::ProtocolVersion => {
            " (it speaks neither TLS 1.2 nor 1.3, which loadgen speaks)"
        }
        AlertDescription::UnrecognisedName => " (it knows no such name: see --tls-name)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insecure() -> TlsSettings {
        TlsSettings::load(None, true, None, None).unwrap()
    }

    #[test]
    fn the_name_is_the_host_unless_another_is_given() {
        let name = |settings: &TlsSettings, text: &str| {
            let tls = settings.with(&Endpoint::parse(text).unwrap()).unwrap();
            tls.name.to_str().into_owned()
        };
        assert_eq!(name(&insecure(), "localhost:5"), "localhost");
        assert_eq!(name(&insecure(), "127.0.0.1"), "127.0.0.1");
        assert_eq!(name(&insecure(), "[::1]:5"), "::1");
        assert_eq!(name(&insecure(), "unix:/tmp/s"), "localhost");
        let named = TlsSettings::load(None, true, None, Some("cache.example")).unwrap();
        assert_eq!(name(&named, "127.0.0.1:5"), "cache.example");
        let verified = TlsSettings {
            verified: true,
            ..insecure()
        };
        let socket = Endpoint::parse("/tmp/s").unwrap();
        let why = verified.with(&socket).unwrap_err().to_string();
        assert!(why.contains("--tls-name"), "{why}");
        let wrong = TlsSettings::load(None, true, None, Some("no name")).unwrap();
        assert!(wrong.with(&socket).is_err());
    }

    #[test]
    fn errors_say_what_to_do() {
        let of = |error| explain(&SessionError::Handshake(error));
        let certificate = |why| of(TlsError::InvalidCertificate(why));
        let alert = |alert| of(TlsError::AlertReceived(alert));
        for (words, advice) in [
            (certificate(CertificateError::UnknownIssuer), "--tls-ca"),
            (certificate(CertificateError::NotValidForName), "--tls-name"),
            (certificate(CertificateError::Expired), "renew"),
            (alert(AlertDescription::CertificateRequired), "--tls-cert"),
            (alert(AlertDescription::UnknownCA), "does not accept"),
            (alert(AlertDescription::ProtocolVersion), "neither TLS 1.2"),
            (explain(&SessionError::NotTls), "does not speak TLS"),
        ] {
            assert!(words.contains(advice), "{words}");
        }
    }
}
