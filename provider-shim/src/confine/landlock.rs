//! Landlock: whatever path is reached, and however, only libraries are executed, and only granted directories changed.
//! It also covers what a descriptor of the host's could be turned into by way of `/proc/self/fd`.

use std::path::PathBuf;

use cofferdam_channel::protocol::Confinement;
use cofferdam_channel::protocol::control::Network;
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, NetPort, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, Scope,
};

use super::{Act, Failure, Measures, Places, failed, keeps_the_network};
use crate::fault::ShimFault;

/// What of files the kernel may know. What only newer kernels know is refused there.
const FILES: ABI = ABI::V5;

/// Restricts this thread, and all that come from it: by one ruleset where the kernel knows all of it, for it looks at
/// each at each access, and by one for each measure where it doesn't.
pub(super) fn restrict(places: &Places, network: &Network, measures: &mut Measures) -> Result<(), ShimFault> {
    if in_force(|ruleset| scopes(ports(files(ruleset)?)?), |created| open(allow(created, places)?, network)).is_ok() {
        measures.taken |= Confinement::LANDLOCK_FILES | Confinement::LANDLOCK_NETWORK | Confinement::LANDLOCK_SCOPES;
        return Ok(());
    }
    measures.take(Confinement::LANDLOCK_FILES, || in_force(files, |created| allow(created, places)))?;
    let only_ports = || in_force(ports, |created| open(created, network));
    let only_scopes = || in_force(scopes, Ok);
    if keeps_the_network(network) {
        // Nothing else bounds the ports, nor keeps the abstract sockets of the host's network out of reach.
        measures.take(Confinement::LANDLOCK_NETWORK, only_ports)?;
        measures.take(Confinement::LANDLOCK_SCOPES, only_scopes)?;
    } else {
        measures.take_if_there(Confinement::LANDLOCK_NETWORK, only_ports);
        measures.take_if_there(Confinement::LANDLOCK_SCOPES, only_scopes);
    }
    Ok(())
}

/// Makes a ruleset that refuses something, but for what is let through, and puts it in force.
fn in_force(
    refuse: impl FnOnce(Ruleset) -> Result<Ruleset, RulesetError>,
    let_through: impl FnOnce(RulesetCreated) -> Result<RulesetCreated, RulesetError>,
) -> Act {
    let restricted = refuse(Ruleset::default())
        .and_then(Ruleset::create)
        .and_then(let_through)
        .and_then(RulesetCreated::restrict_self);
    restricted.map(drop).map_err(unsupported)
}

/// All that the kernel knows of files.
fn files(ruleset: Ruleset) -> Result<Ruleset, RulesetError> {
    ruleset
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V1))?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(FILES))
}

fn ports(ruleset: Ruleset) -> Result<Ruleset, RulesetError> {
    ruleset.set_compatibility(CompatLevel::HardRequirement).handle_access(AccessNet::from_all(ABI::V4))
}

fn scopes(ruleset: Ruleset) -> Result<Ruleset, RulesetError> {
    ruleset.set_compatibility(CompatLevel::HardRequirement).scope(Scope::from_all(ABI::V6))
}

/// The places that are left.
fn allow(mut created: RulesetCreated, places: &Places) -> Result<RulesetCreated, RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let mut rules: Vec<(PathBuf, _)> =
        places.libraries.iter().map(|path| (path.clone(), read | AccessFs::Execute)).collect();
    rules.push(("/proc/self".into(), read));
    for dir in &places.dirs {
        let write = AccessFs::from_write(FILES) & !(AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev);
        rules.push((dir.path.clone().into(), if dir.writable { read | write } else { read }));
    }
    // Of rights that this kernel does not know there is nothing to be let through.
    created = created.set_compatibility(CompatLevel::BestEffort);
    for (path, access) in rules {
        let Ok(place) = PathFd::new(&path) else { continue };
        created = created.add_rule(PathBeneath::new(place, access))?;
    }
    Ok(created)
}

/// The ports that are left.
fn open(mut created: RulesetCreated, network: &Network) -> Result<RulesetCreated, RulesetError> {
    let Network::Host { bind, connect } = network else { return Ok(created) };
    created = created.set_compatibility(CompatLevel::HardRequirement);
    for (ports, access) in [(bind, AccessNet::BindTcp), (connect, AccessNet::ConnectTcp)] {
        for &port in ports {
            created = created.add_rule(NetPort::new(port, access))?;
        }
    }
    Ok(created)
}

fn unsupported(error: RulesetError) -> Failure {
    failed("landlock")(std::io::Error::other(error))
}
