//! The step that runs cargo-deny over `deny.toml`, in a release that is pinned here.

use std::path::Path;

use crate::Failure;
use crate::command::program;
use crate::pinned::Pinned;

const CARGO_DENY: Pinned = Pinned { name: "cargo-deny", version: "0.20.2" };

/// Judges every dependency's licence, name and source. Advisories are left out: they need the network, and change while code does not.
pub(super) fn check(root: &Path) -> Result<(), Failure> {
    let deny = CARGO_DENY.provide(root)?;
    // cargo-deny asks cargo for the dependency graph; `--offline` is for that too, because the `tools` step has fetched it all.
    program(&deny, ["--offline", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"])
        .in_dir(root)
        .advice("leave that dependency out, or allow it in deny.toml in a commit that says why")
        .capture()
        .map(drop)
}
