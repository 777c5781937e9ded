//! Landlock: whatever path is reached, and however, only libraries are executed, and only granted directories changed.
//! It also covers what a descriptor of the host's could be turned into by way of `/proc/self/fd`.

use std::path::PathBuf;

use cofferdam_channel::protocol::Confinement;
use cofferdam_channel::protocol::control::Network;
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, NetPort, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, Scope,
};

use super::{Act, Failure, Measures, Places, failed};
use crate::fault::ShimFault;

/// Restricts this thread, and all that come from it.
pub(super) fn restrict(places: &Places, network: &Network, measures: &mut Measures) -> Result<(), ShimFault> {
    measures.take(Confinement::LANDLOCK_FILES, || files(places))?;
    if let Network::Host { bind, connect } = network {
        // Nothing else bounds the ports, nor keeps the abstract sockets of the host's network out of reach.
        measures.take(Confinement::LANDLOCK_NETWORK, || ports(bind, connect))?;
        measures.take(Confinement::LANDLOCK_SCOPES, scopes)?;
    } else {
        measures.take_if_there(Confinement::LANDLOCK_NETWORK, || ports(&[], &[]));
        measures.take_if_there(Confinement::LANDLOCK_SCOPES, scopes);
    }
    Ok(())
}

/// All that the kernel knows of files is refused but for these. What only newer kernels know is refused there.
fn files(places: &Places) -> Act {
    let known = ABI::V5;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let mut rules: Vec<(PathBuf, _)> =
        places.libraries.iter().map(|path| (path.clone(), read | AccessFs::Execute)).collect();
    rules.push(("/proc/self".into(), read));
    for dir in &places.dirs {
        let write = AccessFs::from_write(known) & !(AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev);
        rules.push((dir.path.clone().into(), if dir.writable { read | write } else { read }));
    }
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V1))
        .map_err(unsupported)?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(known))
        .map_err(unsupported)?;
    let mut created = ruleset.create().map_err(unsupported)?;
    for (path, access) in rules {
        let Ok(place) = PathFd::new(&path) else { continue };
        created = created.add_rule(PathBeneath::new(place, access)).map_err(unsupported)?;
    }
    created.restrict_self().map(drop).map_err(unsupported)
}

fn ports(bind: &[u16], connect: &[u16]) -> Act {
    let mut created = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessNet::from_all(ABI::V4))
        .and_then(Ruleset::create)
        .map_err(unsupported)?;
    for (ports, access) in [(bind, AccessNet::BindTcp), (connect, AccessNet::ConnectTcp)] {
        for &port in ports {
            created = created.add_rule(NetPort::new(port, access)).map_err(unsupported)?;
        }
    }
    created.restrict_self().map(drop).map_err(unsupported)
}

fn scopes() -> Act {
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .scope(Scope::from_all(ABI::V6))
        .and_then(Ruleset::create)
        .and_then(landlock::RulesetCreated::restrict_self)
        .map(drop)
        .map_err(unsupported)
}

fn unsupported(error: RulesetError) -> Failure {
    failed("landlock")(std::io::Error::other(error))
}
