//! Where the operator's socket and the host's state are. Pure: the environment and the user come in as arguments.
//!
//! | | flag | variable | root | others |
//! |---|---|---|---|---|
//! | socket | `--socket` | `COFFERDAM_SOCKET` | `/run/cofferdam/NAMESPACE.sock` | `$XDG_RUNTIME_DIR/cofferdam/NAMESPACE.sock` |
//! | state | `--state-dir` | `COFFERDAM_STATE_DIR` | `/var/lib/cofferdam/NAMESPACE` | `$XDG_STATE_HOME/cofferdam/NAMESPACE` |
//!
//! `XDG_STATE_HOME` defaults to `$HOME/.local/state`. Where there is no `XDG_RUNTIME_DIR` (a container, `su`) the socket
//! lies among the state, which is as private. Relative XDG folders are ignored, as their specification asks.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::words::{NAMESPACE_RULE, is_namespace};

/// Names the socket.
pub const SOCKET_VARIABLE: &str = "COFFERDAM_SOCKET";
/// Names the state folder.
pub const STATE_VARIABLE: &str = "COFFERDAM_STATE_DIR";

/// How much of a wrong namespace is repeated.
const SHOWN_CHARS_MAX: usize = 64;

/// Who asks, for what. Empty variables count as unset.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// The lattice namespace of the host.
    pub namespace: &'a str,
    /// The environment.
    pub environment: &'a BTreeMap<String, OsString>,
    /// The effective user id.
    pub uid: u32,
}

/// Why there is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The namespace would be a path of its own.
    #[error("{namespace:?} is no namespace; one is {NAMESPACE_RULE}")]
    Namespace {
        /// The text.
        namespace: String,
    },
    /// Neither XDG folders nor a home.
    #[error("there is no place for the {what}: neither {variable} nor HOME is set")]
    Homeless {
        /// What was looked for.
        what: &'static str,
        /// What would have named it.
        variable: &'static str,
    },
}

impl PathError {
    /// What a person can do about it.
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::Namespace { .. } => "choose another --namespace",
            Self::Homeless { .. } => "set HOME, or give --socket and --state-dir",
        }
    }
}

impl Place<'_> {
    /// The operator's socket. The namespace must be one, also where the path does not need it.
    pub fn socket(&self, flag: Option<&Path>) -> Result<PathBuf, PathError> {
        let file = format!("{}.sock", self.checked_namespace()?);
        if let Some(path) = self.named(flag, SOCKET_VARIABLE) {
            return Ok(path);
        }
        let folder = match (self.uid, self.absolute("XDG_RUNTIME_DIR")) {
            (0, _) => PathBuf::from("/run"),
            (_, Some(runtime)) => runtime,
            (_, None) => self.state_home("socket", "XDG_RUNTIME_DIR")?,
        };
        Ok(folder.join("cofferdam").join(file))
    }

    /// The folder of the host's state. `manifest` is its `host.state_dir`.
    pub fn state_dir(&self, flag: Option<&Path>, manifest: Option<&Path>) -> Result<PathBuf, PathError> {
        let namespace = self.checked_namespace()?;
        if let Some(path) = self.named(flag, STATE_VARIABLE) {
            return Ok(path);
        }
        if let Some(path) = manifest {
            return Ok(path.to_owned());
        }
        let folder = match self.uid {
            0 => PathBuf::from("/var/lib"),
            _ => self.state_home("state", "XDG_STATE_HOME")?,
        };
        Ok(folder.join("cofferdam").join(namespace))
    }

    fn state_home(&self, what: &'static str, variable: &'static str) -> Result<PathBuf, PathError> {
        let home = || Some(self.absolute("HOME")?.join(".local/state"));
        self.absolute("XDG_STATE_HOME").or_else(home).ok_or(PathError::Homeless { what, variable })
    }

    fn named(&self, flag: Option<&Path>, variable: &str) -> Option<PathBuf> {
        flag.map(Path::to_owned).or_else(|| self.variable(variable))
    }

    fn absolute(&self, variable: &str) -> Option<PathBuf> {
        self.variable(variable).filter(|path| path.is_absolute())
    }

    fn variable(&self, name: &str) -> Option<PathBuf> {
        self.environment.get(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    fn checked_namespace(&self) -> Result<&str, PathError> {
        if is_namespace(self.namespace) {
            return Ok(self.namespace);
        }
        Err(PathError::Namespace { namespace: self.namespace.chars().take(SHOWN_CHARS_MAX).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        uid: u32,
        environment: &'static [(&'static str, &'static str)],
        flag: Option<&'static str>,
        manifest: Option<&'static str>,
        namespace: &'static str,
    }

    const USER: Case = Case { uid: 1000, environment: &[], flag: None, manifest: None, namespace: "default" };
    const ROOT: Case = Case { uid: 0, ..USER };
    const XDG: &[(&str, &str)] =
        &[("XDG_RUNTIME_DIR", "/run/user/1000"), ("XDG_STATE_HOME", "/home/me/state"), ("HOME", "/home/me")];

    fn check(case: &Case) -> [String; 2] {
        let environment: BTreeMap<String, OsString> =
            case.environment.iter().map(|(k, v)| ((*k).to_owned(), OsString::from(v))).collect();
        let place = Place { namespace: case.namespace, environment: &environment, uid: case.uid };
        let flag = case.flag.map(Path::new);
        let shown = |path: Result<PathBuf, PathError>| match path {
            Ok(path) => path.display().to_string(),
            Err(error) => format!("error: {error}"),
        };
        [shown(place.socket(flag)), shown(place.state_dir(flag, case.manifest.map(Path::new)))]
    }

    #[test]
    fn flag_then_variable_then_manifest_then_default() {
        let cases = [
            (ROOT, ["/run/cofferdam/default.sock", "/var/lib/cofferdam/default"]),
            (Case { environment: XDG, ..ROOT }, ["/run/cofferdam/default.sock", "/var/lib/cofferdam/default"]),
            (
                Case { environment: XDG, namespace: "east-1", ..USER },
                ["/run/user/1000/cofferdam/east-1.sock", "/home/me/state/cofferdam/east-1"],
            ),
            (
                Case { environment: &[("HOME", "/home/me"), ("XDG_RUNTIME_DIR", "")], ..USER },
                ["/home/me/.local/state/cofferdam/default.sock", "/home/me/.local/state/cofferdam/default"],
            ),
            (
                Case { environment: &[("XDG_STATE_HOME", "relative"), ("HOME", "/h")], ..USER },
                ["/h/.local/state/cofferdam/default.sock", "/h/.local/state/cofferdam/default"],
            ),
            (
                USER,
                [
                    "error: there is no place for the socket: neither XDG_RUNTIME_DIR nor HOME is set",
                    "error: there is no place for the state: neither XDG_STATE_HOME nor HOME is set",
                ],
            ),
            (Case { manifest: Some("kept"), ..ROOT }, ["/run/cofferdam/default.sock", "kept"]),
            (
                Case {
                    environment: &[(SOCKET_VARIABLE, "/s"), (STATE_VARIABLE, "/d")],
                    manifest: Some("/kept"),
                    namespace: "any",
                    ..ROOT
                },
                ["/s", "/d"],
            ),
            (
                Case { environment: &[(SOCKET_VARIABLE, "/s"), (STATE_VARIABLE, "/d")], flag: Some("here"), ..USER },
                ["here", "here"],
            ),
        ];
        for (case, expected) in cases {
            assert_eq!(check(&case), expected);
        }
    }

    #[test]
    fn a_namespace_is_one_plain_file_name() {
        let long = Box::leak("x".repeat(65).into_boxed_str());
        for (namespace, flag) in [("../up", None), ("a.b", None), (&*long, None), ("../up", Some("a/path/of/its/own"))]
        {
            for path in check(&Case { namespace, flag, ..ROOT }) {
                assert!(path.starts_with("error: ") && path.contains("is no namespace"), "{namespace:?}: {path}");
            }
        }
        let longest = Box::leak("x".repeat(64).into_boxed_str());
        assert_eq!(check(&Case { namespace: longest, ..ROOT })[1], format!("/var/lib/cofferdam/{longest}"));
    }
}
