//! A real registry (Debian's `docker-registry`) on loopback and a free port, and what can stand before it: a peer that
//! breaks connections off, or that answers whatever a test says.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use cofferdam_registry::{RegistryConfig, RetryPolicy};
use tempfile::TempDir;

mod peer;

pub use peer::{Peer, Turn};

/// The user that a registry with [`Access::Password`] knows, with its password.
pub const USER: &str = "somebody";
/// The user's password.
pub const PASSWORD: &str = "hunter2";
/// The same, hashed by bcrypt.
const HTPASSWD: &str = "somebody:$2b$04$bebvM5VfbvHV72CpYxeZS.FDOkReVU6DYhsWt2NgX3SA6ZGHtgfcG\n";

/// Who may use a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Open,
    /// Whoever knows the password.
    Password,
}

/// How a registry is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// Plain HTTP.
    Http,
    /// TLS, with a certificate of an authority that only this test knows.
    Tls,
}

/// A registry, until it is dropped.
pub struct Registry {
    child: Child,
    folder: TempDir,
    address: String,
}

impl Registry {
    /// An open one that speaks plain HTTP.
    pub fn start() -> Self {
        Self::start_as(Access::Open, Speaks::Http)
    }

    /// Starts one and waits until it listens.
    pub fn start_as(access: Access, speaks: Speaks) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let config = folder.path().join("config.yml");
        std::fs::write(&config, configuration(folder.path(), access, speaks)).expect("it can be written");
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(&config).env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().expect("docker-registry is installed: run `cargo xtask test tools`");
        let mut registry = Self { child, folder, address: String::new() };
        let mut lines =
            BufReader::new(registry.child.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
        let mut said = Vec::new();
        let listening = lines.find_map(|line| {
            let port = line
                .split("listening on 127.0.0.1:")
                .nth(1)
                .map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
            said.push(line);
            port
        });
        let port = listening.unwrap_or_else(|| panic!("the registry does not listen: {}", said.join("\n")));
        // It must never wait for somebody to read its log.
        std::thread::spawn(move || lines.for_each(drop));
        registry.address = format!("127.0.0.1:{port}");
        registry
    }

    /// Its name in references.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A place in it.
    pub fn reference(&self, rest: &str) -> String {
        format!("{}/{rest}", self.address)
    }

    /// The certificate of the authority, of one that speaks TLS.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A configuration for these registries without TLS, with pauses that a test has time for.
pub fn config(folder: &Path, insecure: &[&str]) -> RegistryConfig {
    let millis = std::time::Duration::from_millis;
    RegistryConfig {
        insecure: insecure.iter().map(|address| (*address).to_owned()).collect(),
        retry: RetryPolicy { attempts_max: 5, first_pause: millis(1), pause_max: millis(4) },
        ..RegistryConfig::new(folder.join("cache"))
    }
}

fn configuration(folder: &Path, access: Access, speaks: Speaks) -> String {
    let here = folder.display();
    let mut text = format!(
        "version: 0.1\nlog: {{level: info, accesslog: {{disabled: true}}}}\n\
         storage: {{filesystem: {{rootdirectory: {here}/storage}}}}\nhttp:\n  addr: 127.0.0.1:0\n"
    );
    if speaks == Speaks::Tls {
        certificates(folder);
        text.push_str(&format!("  tls: {{certificate: {here}/cert.pem, key: {here}/key.pem}}\n"));
    }
    if access == Access::Password {
        std::fs::write(folder.join("htpasswd"), HTPASSWD).expect("it can be written");
        text.push_str(&format!("auth: {{htpasswd: {{realm: test, path: {here}/htpasswd}}}}\n"));
    }
    text
}

/// An authority, and a certificate of it for the address.
fn certificates(folder: &Path) {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let mut authority = CertificateParams::new(Vec::new()).expect("no names are good names");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().expect("a key");
    let signed = authority.self_signed(&authority_key).expect("it can sign itself");
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().expect("a key");
    let names = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("an address is a good name");
    let certificate = names.signed_by(&key, &issuer).expect("it can be signed");
    let files = [("ca.pem", signed.pem()), ("cert.pem", certificate.pem()), ("key.pem", key.serialize_pem())];
    for (name, content) in files {
        std::fs::write(folder.join(name), content).expect("it can be written");
    }
}
