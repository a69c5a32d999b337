//! TLS, to a server of rustls that answers two gets.

use corecached_client::{Client, Config, Error, ProtocolError, Tls};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

const VALUE_BYTES: usize = 300_000;

/// Starts a server, and gives its address and the configuration of a client that trusts it.
fn start() -> (SocketAddr, ClientConfig) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = BufReader::new(StreamOwned::new(session, stream.unwrap()));
            let mut line = String::new();
            while stream.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
                let opaque = line.split(' ').nth(2).unwrap().to_owned();
                line.clear();
                let mut answer = format!("VA {VALUE_BYTES} {opaque} f0\r\n").into_bytes();
                answer.resize(answer.len() + VALUE_BYTES, b'v');
                answer.extend_from_slice(b"\r\n");
                stream.get_mut().write_all(&answer).unwrap();
            }
        }
    });
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let client = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (address, client)
}

fn config(tls: Tls) -> Config {
    let patience = Duration::from_secs(20);
    Config::new()
        .tls(tls)
        .connect_timeout(patience)
        .timeout(patience)
}

#[test]
fn requests_and_large_values_go_through_tls() {
    let (address, client) = start();
    let server = format!("localhost:{}", address.port());
    let client = Client::connect([server.as_str()], config(Tls::new(client))).unwrap();
    for key in ["a", "b"] {
        let item = client.get(key).unwrap().unwrap();
        assert_eq!(item.value.len(), VALUE_BYTES);
        assert!(item.value.iter().all(|&byte| byte == b'v'));
    }
}

#[test]
fn another_name_or_nobodys_certificate_is_refused() {
    let (address, client) = start();
    // 127.0.0.1 is not in the certificate.
    let tls = Tls::new(client.clone());
    let error = Client::connect([address], config(tls))
        .unwrap()
        .get("k")
        .unwrap_err();
    assert!(
        matches!(error, Error::Protocol(ProtocolError::Tls(_))),
        "{error:?}"
    );
    let tls = Tls::new(client).server_name("localhost");
    let found = Client::connect([address], config(tls)).unwrap().get("k");
    assert!(found.unwrap().is_some());
    let nobody = ClientConfig::builder()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let tls = Tls::new(nobody).server_name("localhost");
    let error = Client::connect([address], config(tls))
        .unwrap()
        .get("k")
        .unwrap_err();
    assert!(
        matches!(error, Error::Protocol(ProtocolError::Tls(_))),
        "{error:?}"
    );
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn async_connections_are_encrypted_too() {
    let (address, client) = start();
    let config = config(Tls::new(client).server_name("localhost"));
    let client = corecached_client::tokio::Client::connect([address], config).unwrap();
    assert_eq!(
        client.get("a").await.unwrap().unwrap().value.len(),
        VALUE_BYTES
    );
}
