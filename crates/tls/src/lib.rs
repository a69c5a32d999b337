//! TLS without I/O, for a server and for a client that drives its own sockets: settings become configurations,
//! ciphertext becomes plaintext and back.
//!
//! ```text
//!   Settings --Certificates::load--> Policies { default, btls, mtls } --Session::new--> Session
//!      (the only place that reads files; again at each reload)                           |
//!                                          ciphertext --receive--> plaintext (a callback), and bytes to send
//!                                          replies ----encrypt---> ciphertext
//!   Trust, Identity --ClientPolicy::load--> ClientPolicy --begin--> Session<Client>, which works alike
//! ```
//!
//! A session knows no socket, no clock and no thread. The handshake, the keys and the records are rustls', with ring's
//! cryptography. This crate decides how a cache server uses them: how much may wait in a buffer, what a reload changes,
//! which clients must show a certificate, and what an operator is told when a file is wrong.
//!
//! A session and a client, with memory in place of the network between them:
//!
//! ```
//! use corecached_tls::{Certificates, ClientAuth, KeyFormat, MinVersion, Settings, VerifyMode};
//! # use std::{io::{Read, Write}, sync::Arc};
//! # let folder = std::env::temp_dir().join(format!("corecached-tls-example-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! # let own = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
//! # std::fs::write(folder.join("server.pem"), own.cert.pem())?;
//! # std::fs::write(folder.join("server.key"), own.signing_key.serialize_pem())?;
//! # let mut roots = rustls::RootCertStore::empty();
//! # roots.add(own.cert.der().clone())?;
//! # let provider = Arc::new(rustls::crypto::ring::default_provider());
//! # let client_config = rustls::ClientConfig::builder_with_provider(provider)
//! #     .with_safe_default_protocol_versions()?.with_root_certificates(roots).with_no_client_auth();
//! # let mut client = rustls::ClientConnection::new(Arc::new(client_config), "localhost".try_into()?)?;
//!
//! let certificates = Certificates::load(Settings {
//!     chain_cert: folder.join("server.pem"),
//!     key: Some(folder.join("server.key")),
//!     key_format: KeyFormat::Pem,
//!     verify_mode: VerifyMode::None,
//!     ca_cert: None,
//!     ciphers: None,
//!     min_version: MinVersion::Tls12,
//!     session_cache: false,
//! })?;
//! let mut session = certificates.begin(ClientAuth::Default).expect("it has a policy");
//!
//! client.writer().write_all(b"get greeting\r\n")?;
//! let (mut scratch, mut request) = (Vec::new(), Vec::new());
//! while request.is_empty() {
//!     let (mut received, mut to_client) = (Vec::new(), Vec::new());
//!     client.write_tls(&mut received)?;
//!     // Ciphertext in; plaintext out, and what the handshake has to say.
//!     session.receive(&received, &mut scratch, &mut to_client, |plain| request.extend_from_slice(plain))?;
//!     client.read_tls(&mut to_client.as_slice())?;
//!     client.process_new_packets()?;
//! }
//! assert_eq!(request, b"get greeting\r\n");
//!
//! let mut reply = Vec::new();
//! session.encrypt(b"END\r\n", &mut reply)?;
//! # client.read_tls(&mut reply.as_slice())?;
//! # client.process_new_packets()?;
//! # let mut plain = [0; 5];
//! # client.reader().read_exact(&mut plain)?;
//! # assert_eq!(&plain, b"END\r\n");
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod anyone;
mod certificates;
mod ciphers;
mod client;
mod error;
mod files;
mod nobody;
mod policy;
mod session;
mod settings;
mod side;
mod signatures;

pub use certificates::Certificates;
pub use ciphers::{Ciphers, parse as parse_ciphers};
pub use client::{ClientPolicy, Identity, Trust};
pub use error::{LoadError, SessionError};
pub use policy::{ClientAuth, Policies, Policy};
pub use rustls::Error as TlsError;
pub use rustls::pki_types::{CertificateDer, ServerName};
pub use rustls::{AlertDescription, CertificateError, ExtendedKeyPurpose};
pub use session::{Established, RECORD_BYTES_MAX, Session};
pub use settings::{KeyFormat, MinVersion, Settings, VerifyMode};
pub use side::{Client, Server, Side};
