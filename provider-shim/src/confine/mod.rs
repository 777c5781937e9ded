//! Gives up what this process could do, before any thread and any foreign code exists.
//!
//! The story, in the order it has to have (`docs/sandbox.md` says what each measure stops):
//!
//! ```text
//!  end with the host, no core          this process, as the host started it
//!  become nobody                       [by root only]
//!  unshare, clone init                 which makes an empty network
//!  map the ids, clone the provider     both are the host's own children, this process ends
//!  build a root, enter it, limits      the provider, from here on
//!  enter the network
//!  capabilities, no gain
//!  Landlock, seccomp                   then the library may be opened
//! ```
//! A measure that this machine lacks ends the process, unless the host said otherwise; then the hello says what is in
//! force.

mod family;
mod identity;
mod landlock;
mod libraries;
mod limits;
mod namespaces;
mod privileges;
mod root;
mod seccomp;
mod sibling;
mod trees;

use std::collections::BTreeSet;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use cofferdam_channel::protocol::Confinement;
use cofferdam_channel::protocol::control::{Confine, Dir, Network, Sandbox};

use crate::fault::ShimFault;
use family::Init;

/// What has become of this process.
pub(crate) struct Confined {
    /// What is in force.
    pub(crate) confinement: Confinement,
    /// The directories it keeps, where they lie now.
    pub(crate) dirs: Vec<Dir>,
}

/// What a confined process reaches of the file system.
struct Places {
    /// Where the system's libraries lie: inside as outside.
    libraries: BTreeSet<PathBuf>,
    /// The granted directories.
    dirs: Vec<Dir>,
}

/// One act that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    act: &'static str,
    source: io::Error,
}

type Act<T = ()> = Result<T, Failure>;

/// Says which act failed.
fn failed<E: Into<io::Error>>(act: &'static str) -> impl Fn(E) -> Failure {
    move |source| Failure { act, source: source.into() }
}

/// The measures, as they are taken.
struct Measures {
    sandbox: Sandbox,
    taken: Confinement,
}

impl Measures {
    /// Takes one. A measure that can't be taken ends the process, or is noted, as the host wants it.
    fn take<T>(&mut self, measures: Confinement, act: impl FnOnce() -> Act<T>) -> Result<Option<T>, ShimFault> {
        match (self.sandbox, act()) {
            (_, Ok(done)) => {
                self.taken |= measures;
                Ok(Some(done))
            }
            (Sandbox::Required, Err(Failure { act, source })) => {
                Err(ShimFault::Confine { measures: measures.to_string(), act, source })
            }
            (Sandbox::BestEffort | Sandbox::Off, Err(Failure { act, source })) => {
                eprintln!("cofferdam-shim: without {measures}: {act}: {source}");
                Ok(None)
            }
        }
    }

    /// Takes one that newer kernels have, as far as this one has it.
    fn take_if_there(&mut self, measure: Confinement, act: impl FnOnce() -> Act) {
        if act().is_ok() {
            self.taken |= measure;
        }
    }
}

/// Confines this process as the host wants it. Returns in another process than the one that called.
pub(crate) fn confine(order: Confine, control: &UnixStream) -> Result<Confined, ShimFault> {
    let mut measures = Measures { sandbox: order.sandbox, taken: Confinement::NONE };
    measures.take(Confinement::BASIC, privileges::end_with_the_host)?;
    if order.sandbox == Sandbox::Off {
        measures.take(Confinement::NO_NEW_PRIVILEGES, privileges::gain_nothing)?;
        measures.take(Confinement::BASIC, privileges::hide_memory)?;
        return Ok(Confined { confinement: measures.taken, dirs: order.dirs });
    }
    let places = Places { libraries: libraries::folders().map_err(ShimFault::Inherit)?, dirs: order.dirs.clone() };
    let isolated = isolate(&order, places, control, &mut measures)?;
    let dirs = isolated.places.dirs.clone();
    restrict(&order, isolated, &mut measures)?;
    Ok(Confined { confinement: measures.taken, dirs })
}

/// A process that sees nothing of the host's but its network.
struct Isolated {
    places: Places,
    /// Makes an empty network meanwhile.
    init: Option<Init>,
    /// What became of the bounding set of capabilities.
    bounded: Act,
    filter: seccomp::Filter,
}

/// What other users, processes and files there are is not seen any more.
fn isolate(
    order: &Confine,
    mut places: Places,
    control: &UnixStream,
    measures: &mut Measures,
) -> Result<Isolated, ShimFault> {
    let mut sources = None;
    if let Some(identity) = order.identity {
        // Only root can reach them all, and it is root no more in a moment.
        sources = measures.take(Confinement::NONE, || root::Sources::open(&places))?;
        measures.take(Confinement::IDENTITY, || identity::become_nobody(identity))?;
    } else {
        measures.take(Confinement::IDENTITY, identity::is_nobody)?;
    }
    let namespaces = Confinement::USER_NAMESPACE | Confinement::IPC_NAMESPACE | Confinement::UTS_NAMESPACE;
    let (mut init, mut built) = (None, None);
    let network = if keeps_the_network(&order.network) { family::Network::Kept } else { family::Network::Made };
    let begun = measures.take(namespaces, || namespaces::enter(|| family::begin(control, network)))?;
    let unshared = begun.is_some();
    if let Some(begun) = begun {
        init = measures.take(Confinement::PID_NAMESPACE, || begun.and_then(Init::go_on_beside))?;
    }
    // From here on init works, too: what can be done later is done later.
    measures.take(Confinement::NONE, limits::prefer_for_oom)?;
    if unshared {
        if sources.is_none() {
            sources = measures.take(Confinement::NONE, || root::Sources::open(&places))?;
        }
        let build = || sources.map(|sources| root::build(sources, &order.network)).transpose();
        built = measures.take(Confinement::NONE, build)?.flatten();
    }
    // Before the root is entered, for that waits for the other processors, of which one makes the network: what is done
    // here takes no time.
    let (bounded, filter) = (privileges::drop_bounding_set(), seccomp::Filter::write(&order.network));
    if let Some(root) = built
        && measures.take(Confinement::ROOT, || root.enter())?.is_some()
    {
        places.dirs = places.dirs.iter().map(root::inside).collect();
    }
    // Credentials have changed for the last time, and this may be another process.
    measures.take(Confinement::BASIC, privileges::die_with_the_host)?;
    Ok(Isolated { places, init, bounded, filter })
}

/// What is left can be used only so far.
fn restrict(order: &Confine, isolated: Isolated, measures: &mut Measures) -> Result<(), ShimFault> {
    let Isolated { places, init, bounded, filter } = isolated;
    measures.take(Confinement::RESOURCE_LIMITS, || limits::set(&order.limits))?;
    measures.take(Confinement::NO_NEW_PRIVILEGES, privileges::gain_nothing)?;
    if !keeps_the_network(&order.network) {
        // It takes a capability.
        let enter = || init.map_or_else(namespaces::leave_network, Init::enter_network);
        measures.take(Confinement::NETWORK_NAMESPACE, enter)?;
    }
    measures.take(Confinement::NO_CAPABILITIES, || bounded.and_then(|()| privileges::drop_capabilities()))?;
    measures.take(Confinement::BASIC, privileges::hide_memory)?;
    measures.take_if_there(Confinement::NO_NEW_CODE, privileges::refuse_new_code);
    landlock::restrict(&places, &order.network, measures)?;
    measures.take(Confinement::SECCOMP, || filter.install()).map(drop)
}

/// Whether ports of the host's network were granted: then only Landlock bounds them.
fn keeps_the_network(network: &Network) -> bool {
    matches!(network, Network::Host { .. })
}
