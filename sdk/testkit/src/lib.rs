//! Tests a provider in process: the real C ABI, a real descriptor for completions, real sockets and directories, and
//! actors that a closure plays.
//!
//! ```
//! # use cofferdam_provider::{Call, Failure, Host, Link, Provider, Reply};
//! # struct Echo;
//! # impl Provider for Echo {
//! #     const NAME: &'static str = "echo 1";
//! #     fn create(_host: Host) -> Result<Self, Failure> { Ok(Self) }
//! #     fn bind(&self, _link: &Link<'_>) -> Result<(), Failure> { Ok(()) }
//! #     fn unbind(&self, _actor: &str) {}
//! #     fn handle(&self, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Failure> { reply.write(call.payload()) }
//! # }
//! # cofferdam_provider::export!(Echo);
//! use cofferdam_testkit::{Rig, no_actors};
//!
//! let rig = Rig::new(&cofferdam_provider_v1, no_actors)?;
//! rig.bind("MACTOR", &[("PORT", "0")])?;
//! assert_eq!(rig.call("MACTOR", "Echo", b"hello")?, b"hello");
//! # Ok::<(), cofferdam_testkit::Refused>(())
//! ```
//!
//! [`Rig`] drives the provider as the shim does: it checks the descriptor first, keeps to the declared concurrency, and
//! bounds every wait. It proves nothing about sandboxes: the provider runs with the test's own authority.
//!
//! Two providers can't be linked into one test binary: both export the same symbol.

mod actor;
mod host;
mod queue;
mod refused;
mod rig;
mod sink;

pub use actor::{ActorCall, Answer, no_actors};
pub use host::LogLine;
pub use refused::Refused;
pub use rig::{Rig, Settings};

pub use cofferdam_provider::__abi as abi;
