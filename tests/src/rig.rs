//! A host in a temporary directory, and what one says to it in a test.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use cofferdam_host::control::{Client, PsReport};
use cofferdam_host::{Actor, Host, HostBuilder, HostError, NativeCapability};
use tempfile::TempDir;

use crate::{artifacts, payload};

/// How long anything in a test may take before it has failed.
pub const LONG: Duration = Duration::from_secs(30);

/// A started host of its own.
pub struct Rig {
    /// The host.
    pub host: Host,
    /// Where it keeps its state, and its socket.
    pub folder: TempDir,
}

impl Rig {
    /// A host with the defaults.
    pub async fn start() -> Self {
        Self::start_with(|builder| builder).await
    }

    /// A host with something else than the defaults.
    pub async fn start_with(configure: impl FnOnce(HostBuilder) -> HostBuilder) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let builder = HostBuilder::new()
            .with_state_dir(folder.path().join("state"))
            .with_socket(folder.path().join("host.sock"))
            .with_shim(artifacts::shim());
        let host = configure(builder).build();
        host.start().await.expect("a host starts");
        Self { host, folder }
    }

    /// Starts a built guest and returns its public key.
    pub async fn actor(&self, guest: &str, caps: &[&str]) -> String {
        self.start_actor(artifacts::actor(guest, caps)).await
    }

    /// Starts an actor and returns its public key.
    pub async fn start_actor(&self, actor: Actor) -> String {
        let public_key = actor.public_key();
        self.host.start_actor(actor).await.expect("a good actor starts");
        public_key
    }

    /// Starts a provider of the workspace and returns its public key.
    pub async fn provider(&self, library: &str, contract_id: &str) -> String {
        self.start_provider(artifacts::provider(library, contract_id)).await
    }

    /// Starts a provider and returns its public key.
    pub async fn start_provider(&self, provider: NativeCapability) -> String {
        let id = provider.id();
        self.host.start_native_capability(provider).await.expect("a good provider starts");
        id
    }

    /// Sets a link under the default name.
    pub async fn link(
        &self,
        actor: &str,
        contract_id: &str,
        provider: &str,
        values: &[(&str, &str)],
    ) -> Result<(), HostError> {
        let values: HashMap<_, _> = values.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        self.host.set_link(actor, contract_id, None, provider.to_owned(), values).await
    }

    /// Lets an actor of the guest `caller` make a host call.
    pub async fn forward(
        &self,
        actor: &str,
        namespace: &str,
        operation: &str,
        payload: &serde_json::Value,
    ) -> Result<Vec<u8>, HostError> {
        let call = payload::pack(&payload::forward(namespace, operation, payload));
        self.host.call_actor(actor, "Forward", &call).await
    }

    /// What the operator sees.
    pub async fn ps(&self) -> PsReport {
        let mut client = Client::connect(&self.folder.path().join("host.sock")).await.expect("the socket is served");
        client.ps().await.expect("a host answers ps")
    }

    /// The process of a provider, once there is one in state `ready` and generation `at_least`.
    pub async fn ready_pid(&self, provider: &str, at_least: u64) -> u32 {
        let began = Instant::now();
        loop {
            let report = self.ps().await;
            let found = report.providers.iter().find(|row| row.id == provider);
            if let Some(row) = found.filter(|row| row.state == "ready" && row.generation >= at_least) {
                return row.pid.expect("a ready provider has a process");
            }
            assert!(began.elapsed() < LONG, "provider {provider} did not become ready: {found:?}");
            tokio::task::yield_now().await;
        }
    }
}
