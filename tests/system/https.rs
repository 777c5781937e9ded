//! The HTTP server over TLS behind a real host: its manifest grants certificate and key, and its link names them.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cofferdam_host::audit::FOLDER;
use cofferdam_host::control::{Client, ExplainRequest};
use cofferdam_host::{Actor, HostManifest};
use cofferdam_tests::{Rig, artifacts, http};
use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::json;

const HTTP: &str = "wasmcloud:httpserver";

/// A certificate of nobody but itself, which a client trusts that is told to.
struct Pair {
    cert: String,
    key: String,
}

impl Pair {
    fn new() -> Self {
        let key = KeyPair::generate().expect("there is randomness");
        let params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        let cert = params.self_signed(&key).expect("it can be signed");
        Self { cert: cert.pem(), key: key.serialize_pem() }
    }

    fn write(&self, folder: &Path) {
        fs::write(folder.join("cert.pem"), &self.cert).expect("written");
        fs::write(folder.join("key.pem"), &self.key).expect("written");
    }

    /// The lines of the key that are nobody else's business.
    fn secrets(&self) -> impl Iterator<Item = &str> {
        self.key.lines().filter(|line| !line.starts_with("-----"))
    }
}

/// GET, by a client that trusts this certificate and no other.
async fn get(port: u16, trusted: &Pair, path: &'static str) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    let cert = CertificateDer::from_pem_slice(trusted.cert.as_bytes()).expect("it is ours");
    roots.add(cert).expect("it can be trusted");
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let config = config.with_safe_default_protocol_versions().expect("ring has them");
    let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
    let ask = move || {
        let stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port)))?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let name = ServerName::try_from("localhost").expect("a name");
        let mut stream = StreamOwned::new(ClientConnection::new(config, name).expect("a good config"), stream);
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    tokio::task::spawn_blocking(ask).await.expect("no panic")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_manifest_grants_is_served_over_tls() {
    let rig = Rig::start().await;
    let (folder, port) = (rig.folder.path(), http::free_port());
    let wasm = artifacts::sign("echo", &artifacts::guest("echo"), &[HTTP], None);
    let echo = Actor::from_slice(&wasm).expect("it verifies").public_key();
    fs::write(folder.join("echo.wasm"), wasm).expect("written");
    let (issuer, subject) = (artifacts::issuer(), cofferdam_claims::KeyKind::Provider.generate());
    let mut archive = artifacts::archive("httpserver", HTTP);
    archive.write(folder.join("web.par"), issuer, &subject, false).expect("it can be written");
    let (first, second) = (Pair::new(), Pair::new());
    first.write(folder);
    let provider = subject.public_key();
    let grants = json!({
        "listen": [format!("127.0.0.1:{port}")],
        "file": [{ "name": "tls-cert", "path": "cert.pem" }],
        "secret": [{ "name": "tls-key", "from": { "file": "key.pem" } }],
    });
    let values = json!({ "PORT": port, "TLS_CERT": "tls-cert", "TLS_KEY": "tls-key" });
    let manifest = json!({
        "actors": ["echo.wasm"],
        "capabilities": [{ "image_ref": "web.par", "grants": grants }],
        "links": [{ "actor": echo, "provider_id": provider, "contract_id": HTTP, "values": values }],
    });
    let path = folder.join("manifest.json");
    fs::write(&path, manifest.to_string()).expect("written");
    let apply = async || {
        let manifest = HostManifest::from_path(&path, &|_| None).expect("it can be read");
        rig.host.apply_manifest(manifest).await.expect("it can be applied");
    };
    apply().await;
    let answer = get(port, &first, "/demo?a=b").await.expect("it serves");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("\"query_string\":\"a=b\""), "{answer}");
    assert!(get(port, &second, "/").await.is_err(), "nobody knows of that one yet");

    // The link set again, with the values it has: certificate and key are read again.
    second.write(folder);
    let values = [("PORT", &*port.to_string()), ("TLS_CERT", "tls-cert"), ("TLS_KEY", "tls-key")];
    rig.link(&echo, HTTP, &provider, &values).await.expect("it accepts");
    assert!(get(port, &second, "/").await.is_ok() && get(port, &first, "/").await.is_err());

    // Those that don't belong together are refused, and what there was goes on.
    fs::write(folder.join("key.pem"), &first.key).expect("written");
    let mut told = rig.link(&echo, HTTP, &provider, &values).await.expect_err("another's key").to_string();
    assert!(told.contains("does not belong to the first certificate"), "{told}");
    assert!(get(port, &second, "/").await.is_ok());
    let missing = [values[0], values[1], ("TLS_KEY", "tls-other")];
    let denied = rig.link(&echo, HTTP, &provider, &missing).await.expect_err("it is not granted").to_string();
    assert!(denied.contains("grants: {file: [{name: tls-other, path: /PATH, access: read}]}"), "{denied}");
    assert!(denied.contains("grants: {secret: [{name: NAME, from: {file: PATH}}]}"), "{denied}");
    told += &denied;

    let mut client = Client::connect(&folder.join("host.sock")).await.expect("the socket is served");
    let explained = client.explain(ExplainRequest { provider, link: None }).await.expect("a host explains");
    told += &format!("{explained:?}{:?}", rig.ps().await);
    rig.host.stop().await;
    let audit = fs::read_dir(folder.join("state").join(FOLDER)).expect("it is there").flatten();
    told.extend(audit.map(|file| String::from_utf8_lossy(&fs::read(file.path()).expect("it is ours")).into_owned()));
    assert!(told.contains("tls-key"), "{told}");
    let mut secrets = first.secrets().chain(second.secrets());
    assert_eq!(secrets.find(|line| told.contains(line)), None, "{told}");
}
