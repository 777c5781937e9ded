//! Where the shim's program is. Never looked for in PATH: it runs foreign code, so it must be ours.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// The file's name.
const NAME: &str = "cofferdam-shim";

/// No shim was found.
#[derive(Debug, Error)]
#[error("no `{NAME}` at {}: install it beside this program, or name it by COFFERDAM_SHIM or `with_shim`", tried.join(", "))]
pub struct ShimNotFound {
    tried: Vec<String>,
}

/// Finds it: as configured, else by `COFFERDAM_SHIM` in `env`, else beside the running program, else in
/// `../libexec/cofferdam` from there.
pub fn find_shim(
    configured: Option<&Path>,
    env: impl Fn(&str) -> Option<String>,
    program: Option<&Path>,
) -> Result<PathBuf, ShimNotFound> {
    let named = configured.map(Path::to_owned).or_else(|| env("COFFERDAM_SHIM").map(PathBuf::from));
    let folder = program.and_then(Path::parent);
    let candidates = match named {
        Some(named) => vec![named],
        // A test's program lies one folder below the programs that were built with it.
        None => [folder.map(|at| at.join(NAME)), folder.map(|at| at.join("../libexec/cofferdam").join(NAME))]
            .into_iter()
            .flatten()
            .collect(),
    };
    let found = candidates.iter().find(|path| path.is_file()).cloned();
    found.ok_or_else(|| ShimNotFound { tried: candidates.iter().map(|path| path.display().to_string()).collect() })
}
