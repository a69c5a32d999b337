//! A client of rustls' and a session, with memory in place of a network.

use std::io::{Read, Write};
use std::sync::Arc;

use corecached_tls::{Certificates, ClientAuth, Session, SessionError, Settings};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    SupportedProtocolVersion, version,
};

use crate::files::Files;

pub(crate) const BOTH: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];

/// A client that trusts the issuer of `files`, and shows `client.pem` with `shows`.
pub(crate) fn client_config(
    files: &Files,
    versions: &[&'static SupportedProtocolVersion],
    shows: Option<&str>,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(files.path("ca.pem")).unwrap())
        .unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match shows {
        Some(name) => {
            let certificate = CertificateDer::from_pem_file(files.path(&format!("{name}.pem")));
            let key = PrivateKeyDer::from_pem_file(files.path(&format!("{name}.key")));
            builder
                .with_client_auth_cert(vec![certificate.unwrap()], key.unwrap())
                .unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    config.resumption = Resumption::in_memory_sessions(8);
    Arc::new(config)
}

/// A client that believes anything, and reads no certificate.
pub(crate) fn trusting_config() -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(BOTH)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trusting))
        .with_no_client_auth();
    Arc::new(config)
}

#[derive(Debug)]
struct Trusting;

impl ServerCertVerifier for Trusting {
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

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let provider = ring::default_provider();
        provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Both ends of a connection.
pub(crate) struct Pair {
    pub(crate) client: ClientConnection,
    pub(crate) session: Session,
    /// Plaintext that the session has given.
    pub(crate) received: Vec<u8>,
    /// Ciphertext on its way to the client.
    pub(crate) to_client: Vec<u8>,
    scratch: Vec<u8>,
}

impl Pair {
    pub(crate) fn new(
        certificates: &Certificates,
        auth: ClientAuth,
        config: &Arc<ClientConfig>,
    ) -> Pair {
        Pair {
            client: ClientConnection::new(Arc::clone(config), "localhost".try_into().unwrap())
                .unwrap(),
            session: certificates.begin(auth).unwrap(),
            received: Vec::new(),
            to_client: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Both ends by default, with the handshake done.
    pub(crate) fn open(files: &Files, settings: Settings) -> Pair {
        let certificates = Certificates::load(settings).unwrap();
        let config = client_config(files, BOTH, None);
        let mut pair = Pair::new(&certificates, ClientAuth::Default, &config);
        pair.handshake(usize::MAX).unwrap();
        pair
    }

    /// The bytes that the client has to send.
    pub(crate) fn client_sends(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut bytes).unwrap();
        }
        bytes
    }

    /// Gives ciphertext to the session.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        let received = &mut self.received;
        self.session
            .receive(bytes, &mut self.scratch, &mut self.to_client, |plain| {
                received.extend_from_slice(plain);
            })
    }

    /// Gives the client what is on its way to it.
    pub(crate) fn deliver(&mut self) -> Result<(), rustls::Error> {
        let bytes = std::mem::take(&mut self.to_client);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            self.client.read_tls(&mut rest).unwrap();
            self.client.process_new_packets()?;
        }
        Ok(())
    }

    /// Until both ends are done, in pieces of `piece` bytes.
    pub(crate) fn handshake(&mut self, piece: usize) -> Result<(), SessionError> {
        loop {
            let bytes = self.client_sends();
            for piece in bytes.chunks(piece.min(bytes.len().max(1))) {
                self.feed(piece)?;
            }
            let nothing = bytes.is_empty() && self.to_client.is_empty();
            // The client's verdict shows in the bytes that it sends next.
            let _ = self.deliver();
            if nothing {
                return Ok(());
            }
        }
    }

    /// Sends from the client, in pieces.
    pub(crate) fn send(&mut self, plain: &[u8], piece: usize) -> Result<(), SessionError> {
        let mut rest = plain;
        while !rest.is_empty() {
            let written = self.client.writer().write(rest).unwrap();
            rest = &rest[written..];
            let bytes = self.client_sends();
            for piece in bytes.chunks(piece) {
                self.feed(piece)?;
            }
        }
        Ok(())
    }

    /// The plaintext that the client reads now.
    pub(crate) fn client_reads(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        let mut rest = std::mem::take(&mut self.to_client);
        let mut bytes = &rest[..];
        while !bytes.is_empty() {
            self.client.read_tls(&mut bytes).unwrap();
            self.client.process_new_packets().unwrap();
            let mut buffer = [0; 32 * 1024];
            while let Ok(length @ 1..) = self.client.reader().read(&mut buffer) {
                all.extend_from_slice(&buffer[..length]);
            }
        }
        rest.clear();
        all
    }
}
