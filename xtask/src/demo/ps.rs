//! What `cofferdam ps -o json` says of the providers.

use std::path::Path;

use serde_json::Value;

use crate::Failure;
use crate::command::program;

/// The host at one moment.
pub(super) struct Report(Value);

/// A provider that is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ready {
    pub(super) pid: i32,
    pub(super) generation: u64,
    pub(super) restarts: u64,
}

impl Report {
    /// Asks the host behind this socket, or the one that `cofferdam ps` finds by itself.
    pub(super) fn ask(cofferdam: &str, socket: Option<&Path>) -> Result<Self, Failure> {
        let mut ps = program(cofferdam, ["ps", "-o", "json"]);
        if let Some(socket) = socket {
            ps = ps.env("COFFERDAM_SOCKET", socket);
        }
        let said = ps.capture()?;
        let report = serde_json::from_str(&said).map_err(|error| format!("`cofferdam ps` printed no JSON: {error}"))?;
        Ok(Self(report))
    }

    /// The provider of this public key; an error if it is not ready, or no process.
    pub(super) fn ready(&self, public_key: &str) -> Result<Ready, String> {
        let providers = self.0["providers"].as_array().map_or(&[][..], Vec::as_slice);
        let row = providers.iter().find(|row| row["id"] == public_key);
        let row = row.ok_or_else(|| format!("`cofferdam ps` shows no provider {public_key}"))?;
        let number = |field: &str| row[field].as_u64();
        let pid = number("pid").and_then(|pid| i32::try_from(pid).ok()).filter(|pid| *pid > 1);
        match (row["state"].as_str(), pid, number("generation"), number("restarts")) {
            (Some("ready"), Some(pid), Some(generation), Some(restarts)) => Ok(Ready { pid, generation, restarts }),
            _ => Err(format!("`cofferdam ps` shows a provider that is not ready: {row}")),
        }
    }

    /// How many actors and links there are. Providers are not counted: those that are built into the host are among them.
    pub(super) fn counts(&self) -> [usize; 2] {
        ["actors", "links"].map(|section| self.0[section].as_array().map_or(0, Vec::len))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Ready, Report};

    #[test]
    fn only_a_ready_provider_with_a_process_counts() {
        let row = |state: &str, pid: Option<u32>| json!({"id": state, "state": state, "pid": pid, "generation": 2, "restarts": 1});
        let report = Report(json!({"providers": [row("ready", Some(7)), row("backoff", None)], "actors": [{}]}));
        assert_eq!(report.ready("ready"), Ok(Ready { pid: 7, generation: 2, restarts: 1 }));
        assert!(report.ready("backoff").expect_err("no process").contains("not ready"));
        assert!(report.ready("other").expect_err("no such row").contains("shows no provider other"));
        assert!(Report(json!({"providers": [row("ready", None)]})).ready("ready").is_err());
        assert_eq!(report.counts(), [1, 0]);
    }
}
