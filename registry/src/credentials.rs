//! Who to be at a registry: what the Docker configuration has for that very registry, else `OCI_REGISTRY_USER` and
//! `OCI_REGISTRY_PASSWORD`, which are for every registry that asks, else nobody.
//!
//! Passwords are told to the registry that challenges for them, and to nobody else: nothing here prints one.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use crate::docker_config;

const USER: &str = "OCI_REGISTRY_USER";
const PASSWORD: &str = "OCI_REGISTRY_PASSWORD";

/// Where to look for who to be. Nobody, by default.
#[derive(Clone, Default)]
pub struct Credentials {
    everywhere: Option<Login>,
    docker_config: Option<PathBuf>,
}

/// A user and a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    user: String,
    password: String,
}

/// Why nobody knows who to be.
#[derive(Debug, Error)]
pub enum CredentialsError {
    /// One of the two is missing.
    #[error("{set} is set and {missing} is not")]
    Half {
        /// What is there.
        set: &'static str,
        /// What is not.
        missing: &'static str,
    },
    /// A variable is not text.
    #[error("{0} is not UTF-8 text")]
    NotText(&'static str),
    /// The Docker configuration is of no use.
    #[error("the Docker configuration {} can't be used: {why}", path.display())]
    DockerConfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, without anything that stands in it.
        why: String,
    },
}

impl Credentials {
    /// From the variables of an environment: `OCI_REGISTRY_USER`, `OCI_REGISTRY_PASSWORD`, and `config.json` in
    /// `DOCKER_CONFIG`, else in `.docker` of `HOME`. The file is read when a registry is spoken to.
    pub fn from_environment(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, CredentialsError> {
        let filled = |name| variable(name).filter(|value| !value.is_empty());
        let text = |name| filled(name).map(|value| value.into_string().map_err(|_| CredentialsError::NotText(name)));
        let everywhere = match (text(USER).transpose()?, text(PASSWORD).transpose()?) {
            (Some(user), Some(password)) => Some(Login::new(user, password)),
            (None, None) => None,
            (Some(_), None) => return Err(CredentialsError::Half { set: USER, missing: PASSWORD }),
            (None, Some(_)) => return Err(CredentialsError::Half { set: PASSWORD, missing: USER }),
        };
        let home = || filled("HOME").map(|home| PathBuf::from(home).join(".docker"));
        let folder = filled("DOCKER_CONFIG").map(PathBuf::from).or_else(home);
        Ok(Self { everywhere, docker_config: folder.map(|folder| folder.join("config.json")) })
    }

    /// The same user at every registry that asks.
    pub fn everywhere(login: Login) -> Self {
        Self { everywhere: Some(login), docker_config: None }
    }

    /// Who to be there.
    pub(crate) fn at(&self, registry: &str) -> Result<Option<Login>, CredentialsError> {
        let found = match &self.docker_config {
            Some(path) => docker_config::login(path, registry)
                .map_err(|why| CredentialsError::DockerConfig { path: path.clone(), why })?,
            None => None,
        };
        Ok(found.or_else(|| self.everywhere.clone()))
    }
}

impl Login {
    /// This user, with this password.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: user.into(), password: password.into() }
    }

    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    pub(crate) fn password(&self) -> &str {
        &self.password
    }
}

impl CredentialsError {
    pub(crate) fn next_step(&self) -> &'static str {
        match self {
            Self::Half { .. } => "set both or neither",
            Self::NotText(_) => "set it to text",
            Self::DockerConfig { .. } => "mend it, or name another by DOCKER_CONFIG (a folder with config.json in it)",
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").finish_non_exhaustive()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Credentials");
        shown.field("everywhere", &self.everywhere.is_some()).field("docker_config", &self.docker_config).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)]) -> Result<Credentials, CredentialsError> {
        let find = |name: &str| variables.iter().find(|(own, _)| *own == name).map(|(_, value)| value.into());
        Credentials::from_environment(&find)
    }

    #[test]
    fn both_variables_or_neither() {
        let both = from(&[(USER, "u"), (PASSWORD, "hunter2")]).expect("both");
        assert_eq!(both.at("r.example").expect("no file"), Some(Login::new("u", "hunter2")));
        assert!(from(&[(USER, "")]).expect("empty is unset").at("r.example").expect("no file").is_none());
        for (variables, says) in [
            ([(USER, "u"), ("X", "")], "OCI_REGISTRY_USER is set and OCI_REGISTRY_PASSWORD is not"),
            ([(PASSWORD, "hunter2"), (USER, "")], "OCI_REGISTRY_PASSWORD is set and OCI_REGISTRY_USER is not"),
        ] {
            assert_eq!(from(&variables).expect_err("half").to_string(), says);
        }
    }

    #[test]
    fn no_password_is_shown() {
        let both = from(&[(USER, "somebody"), (PASSWORD, "hunter2")]).expect("both");
        let shown = format!("{both:?} {:?}", Login::new("somebody", "hunter2"));
        assert!(!shown.contains("hunter2") && !shown.contains("somebody"), "{shown}");
    }

    #[test]
    fn the_registrys_own_entry_wins_over_the_variables() {
        let folder = tempfile::tempdir().expect("a folder");
        let auth = "b3duOnM6M2NyZXQ="; // own:s:3cret
        let config = format!(r#"{{"auths": {{"https://r.example:5000/v1/": {{"auth": "{auth}"}}}}}}"#);
        std::fs::write(folder.path().join("config.json"), config).expect("a file");
        let path = folder.path().to_str().expect("text");
        let credentials = from(&[(USER, "u"), (PASSWORD, "p"), ("DOCKER_CONFIG", path)]).expect("good");
        assert_eq!(credentials.at("r.example:5000").expect("good"), Some(Login::new("own", "s:3cret")));
        assert_eq!(credentials.at("r.example").expect("good"), Some(Login::new("u", "p")));
        let from_home = from(&[("HOME", path)]).expect("good");
        assert_eq!(from_home.at("r.example:5000").expect("no such file"), None);
    }

    #[test]
    fn a_bad_file_is_an_error_that_quotes_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().to_str().expect("text");
        for (content, why) in [
            (r#"{"auths": {"r.example": {"auth": ["hunter2"]}}}"#, "line 1"),
            (r#"{"auths": {"r.example": {"auth": "hunter2!"}}}"#, "no user and password in Base64"),
            ("hunter2", "line 1"),
        ] {
            std::fs::write(folder.path().join("config.json"), content).expect("a file");
            let error = from(&[("DOCKER_CONFIG", path)]).expect("not read yet").at("r.example").expect_err(content);
            let text = format!("{error} {error:?}");
            assert!(text.contains(why) && !text.contains("hunter2"), "{text}");
        }
    }
}
