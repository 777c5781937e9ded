//! How a provider's process is confined: what the host says to the shim, and what the shim's word means.

use std::path::Path;
use std::str::FromStr;

use cofferdam_channel::protocol::Confinement;
use cofferdam_channel::protocol::control::{Confine, Dir, Identity, Network, ResourceLimits, Sandbox as Level};

use super::cgroup::Bounds;

/// What to do about measures that this machine lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sandbox {
    /// A provider is not started without them.
    #[default]
    Required,
    /// A provider is started with those there are, and `ps` says what is missing.
    BestEffort,
    /// None but the basic ones: for debugging.
    Off,
}

impl Sandbox {
    /// As it is written and shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::BestEffort => "best-effort",
            Self::Off => "off",
        }
    }
}

impl FromStr for Sandbox {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let known = [Self::Required, Self::BestEffort, Self::Off];
        let found = known.into_iter().find(|sandbox| sandbox.word() == word);
        found.ok_or_else(|| format!("give {}", known.map(Self::word).join(", ")))
    }
}

/// What a provider is started without, where it is not there: newer kernels have it, and others do its work.
const OPTIONAL: [Confinement; 4] =
    [Confinement::NO_NEW_CODE, Confinement::LANDLOCK_NETWORK, Confinement::LANDLOCK_SCOPES, Confinement::CONTROL_GROUP];

/// The name under which a provider finds the directory of its own.
const STATE_DIR_NAME: &str = "state";

/// How one provider is confined.
#[derive(Clone, Debug)]
pub struct SandboxSpec {
    /// What to do about measures that this machine lacks.
    pub sandbox: Sandbox,
    /// Who it becomes, when the host is root.
    pub identity: Option<Identity>,
    /// What it may use up.
    pub limits: ResourceLimits,
    /// Thousandths of one processor that it may use, by a control group; none is as much as is free.
    pub cpus_milli: Option<u32>,
    /// Directories that were granted, beside its own.
    pub dirs: Vec<Dir>,
    /// What it keeps of the network.
    pub network: Network,
}

/// Limits that no honest provider meets.
pub const RESOURCE_LIMITS: ResourceLimits =
    ResourceLimits { memory_bytes: 1 << 30, threads: 512, files: 1024, file_bytes: 16 << 30, cpu_s: u64::MAX };

impl SandboxSpec {
    /// What the shim is told.
    pub(super) fn order(&self, state_dir: Option<&Path>) -> Confine {
        let own = state_dir.map(|path| {
            let path = path.to_string_lossy().into_owned();
            Dir { name: STATE_DIR_NAME.to_owned(), path, writable: true }
        });
        Confine {
            sandbox: match self.sandbox {
                Sandbox::Required => Level::Required,
                Sandbox::BestEffort => Level::BestEffort,
                Sandbox::Off => Level::Off,
            },
            identity: self.identity,
            dirs: own.into_iter().chain(self.dirs.iter().cloned()).collect(),
            network: self.network.clone(),
            limits: self.limits,
        }
    }

    /// What its control group is to bound. None is no group.
    pub fn bounds(&self) -> Option<Bounds> {
        (self.sandbox != Sandbox::Off).then(|| Bounds::of(&self.limits, self.cpus_milli))
    }

    /// What is missing of all that there is. Empty with everything in force.
    pub(super) fn missing(&self, in_force: Confinement) -> Confinement {
        let all = Confinement::MEASURES.iter().fold(Confinement::NONE, |all, (measure, _)| all | *measure);
        let mut wanted = all;
        if matches!(self.network, Network::Host { .. }) {
            wanted = wanted.without(Confinement::NETWORK_NAMESPACE);
        }
        wanted.without(in_force)
    }

    /// Whether a provider may run without these.
    pub(super) fn accepts(&self, missing: Confinement) -> bool {
        let mut optional = optional();
        if matches!(self.network, Network::Host { .. }) {
            // Nothing else bounds the ports, and the abstract sockets of that network.
            optional = optional.without(Confinement::LANDLOCK_NETWORK | Confinement::LANDLOCK_SCOPES);
        }
        if self.cpus_milli.is_some() {
            // Nothing else can do what the operator asked for.
            optional = optional.without(Confinement::CONTROL_GROUP);
        }
        self.sandbox != Sandbox::Required || missing.without(optional) == Confinement::NONE
    }

    /// Whether a provider is started without this measure.
    pub fn is_optional(&self, measure: Confinement) -> bool {
        optional().contains(measure)
    }
}

fn optional() -> Confinement {
    OPTIONAL.into_iter().fold(Confinement::NONE, |all, measure| all | measure)
}
