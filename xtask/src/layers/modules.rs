//! The layers inside `host/src`: a module imports only from layers below its own, never sideways.
//!
//! The check reads text, not types: it is a fence for people of good will, cheap enough to run always.

use std::fs;
use std::path::{Path, PathBuf};

use super::paths;
use crate::Failure;

/// The folder whose modules are in layers.
const FOLDER: &str = "host/src";

/// From the bottom up: the name of each layer and its modules.
const LAYERS: &[(&str, &[&str])] = &[
    ("words", &["words"]),
    ("pure", &["grants", "policy", "links", "manifest", "router", "supervision"]),
    ("kept", &["crash"]),
    ("world", &["actor", "provider", "broker", "extras", "control", "audit"]),
    ("root", &["host"]),
];

/// The file that declares the modules and re-exports the public names: it may name them all.
const DECLARES: &str = "lib";

/// One line for each import that does not point downwards, and for each module that is in no layer.
pub(super) fn check(root: &Path) -> Result<Vec<String>, Failure> {
    let folder = root.join(FOLDER);
    let mut files = Vec::new();
    collect(&folder, &mut files)?;
    files.sort();
    let mut wrong = Vec::new();
    for file in files {
        let within = file.strip_prefix(&folder).unwrap_or(&file);
        let text =
            fs::read_to_string(&file).map_err(|error| format!("{} could not be read: {error}", file.display()))?;
        wrong.extend(judge(within, &text));
    }
    Ok(wrong)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let unreadable = |error| format!("the folder {} could not be read: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// What is wrong with the imports of one file; `within` is its path below `host/src`.
fn judge(within: &Path, text: &str) -> Vec<String> {
    let module = module_path(within);
    let Some(top) = module.first().filter(|top| *top != DECLARES) else {
        return Vec::new();
    };
    let Some(own) = layer_of(top) else {
        return vec![format!("{FOLDER}/{}: the module `{top}` is in no layer", within.display())];
    };
    let mut wrong = Vec::new();
    for import in paths::imports(text, module.len()) {
        let complaint = match layer_of(&import.module) {
            _ if import.module == *top => continue,
            Some(other) if other < own => continue,
            Some(other) if other == own => format!("imports `{}` sideways, in its own layer", import.module),
            Some(other) => format!("imports `{}` upwards, from the layer {}", import.module, LAYERS[other].0),
            None => {
                format!("imports `crate::{}`, which is no module of a layer; name the module it lies in", import.module)
            }
        };
        let layer = LAYERS[own].0;
        wrong.push(format!("{FOLDER}/{}:{}: `{top}` (layer {layer}) {complaint}", within.display(), import.line));
    }
    wrong
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|(_, modules)| modules.contains(&module))
}

/// `actor/pool.rs` is `[actor, pool]`, `actor/mod.rs` and `actor.rs` are `[actor]`.
fn module_path(within: &Path) -> Vec<String> {
    let stem = within.with_extension("");
    let mut module: Vec<String> = stem.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if module.len() > 1 && module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    module
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::judge;

    #[test]
    fn imports_point_downwards() {
        let cases: &[(&str, &str, &[&str])] = &[
            ("actor/pool.rs", "use crate::words::Limits;", &[]),
            ("actor/pool.rs", "use crate::actor::Instance;\nuse super::Instance;", &[]),
            (
                "links.rs",
                "\nuse crate::router::Route;",
                &["host/src/links.rs:2: `links` (layer pure) imports `router` sideways, in its own layer"],
            ),
            (
                "actor/mod.rs",
                "use super::host::Host;",
                &["host/src/actor/mod.rs:1: `actor` (layer world) imports `host` upwards, from the layer root"],
            ),
            (
                "actor/pool.rs",
                "use super::super::host::Host;",
                &["host/src/actor/pool.rs:1: `actor` (layer world) imports `host` upwards, from the layer root"],
            ),
            ("actor/pool.rs", "use super::policy::Own;", &[]),
            ("actor/pool.rs", "// use crate::host::Host;", &[]),
            (
                "words/ids.rs",
                "fn f() { crate::links::get() }",
                &["host/src/words/ids.rs:1: `words` (layer words) imports `links` upwards, from the layer pure"],
            ),
            (
                "actor.rs",
                "use crate::{words::Id, provider};",
                &["host/src/actor.rs:1: `actor` (layer world) imports `provider` sideways, in its own layer"],
            ),
            (
                "actor.rs",
                "use crate::Host;",
                &[
                    "host/src/actor.rs:1: `actor` (layer world) imports `crate::Host`, which is no module of a layer; name the module it lies in",
                ],
            ),
            ("misc.rs", "", &["host/src/misc.rs: the module `misc` is in no layer"]),
            ("lib.rs", "pub use crate::host::Host;", &[]),
            ("host.rs", "use crate::{actor, links, words};", &[]),
        ];
        for (file, text, expected) in cases {
            assert_eq!(judge(Path::new(file), text), *expected, "{file}: {text}");
        }
    }
}
