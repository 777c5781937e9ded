//! Layer 0, the words every other module speaks: identities, deadlines, invocations, errors.
//!
//! Nothing here decides, waits or does I/O, and nothing here imports another module of the host.

mod address;
mod audit;
mod entity;
mod error;
mod fault;
mod grants;
mod invocation;
mod limits;
mod namespace;
mod restart;

pub use address::{Address, AddressError, AddressPattern, Cover, NetHost, needs_its_own_grant};
pub use audit::{AuditEvent, Auditor, BRIEFS_MAX, Brief, Denied, DeniedBecause, Forgetful};
pub use entity::{LinkKey, ProviderKey, WasmCloudEntity};
pub use error::{CallError, Denial, Trap};
pub use fault::{Blame, Outcome};
pub use grants::{
    Access, EnvGrant, Grants, NetworkGrant, PathGrant, ProviderLimits, SecretGrant, SecretSource, is_env_name,
    is_grant_name,
};
pub use invocation::{ActorCall, Callee, HostCall, Inbound, Invocation, Outbound};
pub use limits::{
    ActorLimits, CRASH_PAYLOAD_BYTES_MAX, CallLimits, Metering, RUNAWAYS_OF_ACTOR_MAX, RUNAWAYS_OF_HOST_MAX,
};
pub use namespace::{NAMESPACE_RULE, is_namespace};
pub use restart::{Restart, RestartBudget, RestartPolicy, WhileDown};

pub use cofferdam_channel::Deadline;

/// The origin of calls the host makes by itself, and of `Host::call_actor`.
pub const SYSTEM_ACTOR: &str = "system";

/// The name of a link for which none was given.
pub const DEFAULT_LINK_NAME: &str = "default";
