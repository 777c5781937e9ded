//! What this machine can enforce, and how to get the rest.

use std::path::Path;

use cofferdam_channel::protocol::Confinement;
use cofferdam_channel::protocol::control::Network;
use serde::Serialize;

use super::{Result, nobody};
use crate::provider::{self, RESOURCE_LIMITS, Sandbox, SandboxSpec};

/// What a machine can enforce.
#[derive(Clone, Debug, Serialize)]
pub struct Diagnosis {
    /// The kernel's release.
    pub kernel: String,
    /// The user that would run the host.
    pub uid: u32,
    /// The shim that was asked.
    pub shim: String,
    /// Whether a provider is started here with nothing said about the sandbox.
    pub sufficient: bool,
    /// Each measure, in the order in which a shim takes them.
    pub measures: Vec<Measure>,
    /// What kind of control groups this machine has for providers; none where they get none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_groups: Option<String>,
    /// What the shim said of those it could not take.
    pub complaints: Vec<String>,
}

/// One measure of the sandbox.
#[derive(Clone, Debug, Serialize)]
pub struct Measure {
    /// Its word, as `ps` shows it.
    pub measure: &'static str,
    /// Whether this machine has it.
    pub in_force: bool,
    /// Whether providers are started without it.
    pub optional: bool,
    /// How to get it, where it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub how_to_get_it: Option<String>,
}

/// Asks a shim to confine itself, with nothing to load.
pub async fn diagnose(shim: Option<&Path>) -> Result<Diagnosis> {
    let program = std::env::current_exe().ok();
    let shim = provider::find_shim(shim, |name| std::env::var(name).ok(), program.as_deref())?;
    let spec = SandboxSpec {
        sandbox: Sandbox::Required,
        identity: nobody::anybody(),
        limits: RESOURCE_LIMITS,
        cpus_milli: None,
        dirs: Vec::new(),
        network: Network::None,
    };
    let examined = provider::examine(&shim, spec.clone()).await?;
    let measure = |&(measure, word): &(Confinement, &'static str)| {
        let in_force = examined.in_force.contains(measure);
        let how_to_get_it = (!in_force).then(|| match &examined.control_group {
            Err(why) if measure == Confinement::CONTROL_GROUP => why.clone(),
            _ => advice(measure).to_owned(),
        });
        Measure { measure: word, in_force, optional: spec.is_optional(measure), how_to_get_it }
    };
    let measures: Vec<Measure> = Confinement::MEASURES.iter().map(measure).collect();
    Ok(Diagnosis {
        kernel: nix::sys::utsname::uname()
            .map(|name| name.release().to_string_lossy().into_owned())
            .unwrap_or_default(),
        uid: nix::unistd::geteuid().as_raw(),
        shim: shim.display().to_string(),
        sufficient: measures.iter().all(|measure| measure.in_force || measure.optional),
        measures,
        control_groups: examined.control_group.ok(),
        complaints: examined.complaints,
    })
}

/// What a person can do about a measure that is missing. The first of several that are missing is the cause of others.
fn advice(measure: Confinement) -> &'static str {
    const WITH_USER: &str = "comes with the user namespace";
    const NAMESPACES: &str = "allow unprivileged user namespaces: sysctl user.max_user_namespaces above 0, \
        kernel.unprivileged_userns_clone=1 (Debian), kernel.apparmor_restrict_unprivileged_userns=0 or a profile \
        (Ubuntu); in a container, allow unshare and mount in its seccomp profile";
    let known = [
        (Confinement::IDENTITY, "run the host as a user other than root, or as root with the right to change users"),
        (Confinement::USER_NAMESPACE, NAMESPACES),
        (
            Confinement::ROOT,
            "comes with the user namespace, on Linux 5.12 or later; in a container, with an uncovered /proc",
        ),
        (Confinement::PID_NAMESPACE, WITH_USER),
        (Confinement::NETWORK_NAMESPACE, WITH_USER),
        (Confinement::IPC_NAMESPACE, WITH_USER),
        (Confinement::UTS_NAMESPACE, WITH_USER),
        (Confinement::NO_NEW_CODE, "Linux 6.3 or later"),
        (
            Confinement::LANDLOCK_FILES,
            "Linux 5.13 or later with CONFIG_SECURITY_LANDLOCK, and landlock in the lsm= list",
        ),
        (Confinement::LANDLOCK_NETWORK, "Linux 6.7 or later with Landlock"),
        (Confinement::LANDLOCK_SCOPES, "Linux 6.12 or later with Landlock"),
        (Confinement::SECCOMP, "a kernel with CONFIG_SECCOMP_FILTER"),
    ];
    let found = known.into_iter().find(|(known, _)| *known == measure);
    found.map_or("see what the shim said", |(_, advice)| advice)
}
