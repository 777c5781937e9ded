//! What a provider needs, is granted and gets, as lines for people. Values of links, variables and secrets are not in them:
//! link values stand by their names.

use cofferdam_claims::{NeededAccess, NeededPath};

use super::{Act, Allowance, STATE_DIR_NAME};
use crate::words::{Access, NetworkGrant, PathGrant, SecretGrant, SecretSource};

/// One thing of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The key of the manifest: `listen`, `dir` and so on.
    pub kind: &'static str,
    /// What it is.
    pub what: String,
    /// Why it is had; empty in what is needed or granted.
    pub why: &'static str,
}

const GRANTED: &str = "granted";
const BY_LINKS: &str = "by the values of each bound link";
const AS_NEEDED: &str = "granted, where what the archive needs leads there";

fn line(kind: &'static str, what: impl Into<String>) -> Line {
    Line { kind, what: what.into(), why: "" }
}

impl Allowance {
    /// What the archive states that it needs; none when it states nothing.
    pub fn needs_lines(&self) -> Option<Vec<Line>> {
        let needs = self.needs()?;
        let addresses = |act: Act| self.stated_addresses(act).into_iter().map(move |text| line(act.key(), text));
        let paths = |kind, paths: &[NeededPath]| {
            let path = |path: &NeededPath| match path.access {
                NeededAccess::Read => line(kind, format!("{}, read", path.name)),
                NeededAccess::Write => line(kind, format!("{}, write", path.name)),
            };
            paths.iter().map(path).collect::<Vec<_>>()
        };
        let mut lines: Vec<Line> = addresses(Act::Listen).chain(addresses(Act::Connect)).collect();
        lines.extend(paths("dir", &needs.dir));
        lines.extend(paths("file", &needs.file));
        lines.extend(needs.env.iter().map(|name| line("env", name)));
        lines.extend(needs.secret.iter().map(|name| line("secret", name)));
        if needs.network {
            lines.push(line("network", "opens sockets by itself"));
        }
        Some(lines)
    }

    /// What it is granted; none when there are no grants.
    pub fn grants_lines(&self) -> Option<Vec<Line>> {
        self.is_granted().then(|| {
            let addresses = |act: Act| self.granted_addresses(act).into_iter().map(move |text| line(act.key(), text));
            let mut lines: Vec<Line> = addresses(Act::Listen).chain(addresses(Act::Connect)).collect();
            lines.extend(self.named_lines());
            lines
        })
    }

    /// What it gets.
    pub fn effective_lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        for act in [Act::Listen, Act::Connect] {
            let (why, addresses) = match (self.needs().is_some(), self.is_granted()) {
                (_, false) => (BY_LINKS, self.linked_addresses(act)),
                (false, true) => (GRANTED, self.granted_addresses(act)),
                (true, true) if self.stated_addresses(act).is_empty() => (AS_NEEDED, Vec::new()),
                (true, true) => (AS_NEEDED, self.granted_addresses(act)),
            };
            lines.extend(addresses.into_iter().map(|what| Line { kind: act.key(), what, why }));
        }
        let what = format!("{STATE_DIR_NAME}, write, at /dirs/{STATE_DIR_NAME}");
        lines.push(Line { kind: "dir", what, why: "every provider has its own" });
        lines.extend(self.named_lines().into_iter().map(|line| Line { why: GRANTED, ..line }));
        lines
    }

    /// What goes by names, which is narrowed to the needs already.
    fn named_lines(&self) -> Vec<Line> {
        let path = |kind, grant: &PathGrant, at: &str| {
            let PathGrant { name, path, access } = grant;
            line(kind, format!("{name}, {}{at}, from {}", Access::word(*access), path.display()))
        };
        let mut lines: Vec<Line> =
            self.dirs().iter().map(|grant| path("dir", grant, &format!(", at /dirs/{}", grant.name))).collect();
        lines.extend(self.files().iter().map(|grant| path("file", grant, "")));
        lines.extend(self.env().iter().map(|grant| line("env", &grant.name)));
        lines.extend(self.secrets().iter().map(|SecretGrant { name, from }| match from {
            SecretSource::Env(variable) => line("secret", format!("{name}, from the variable {variable}")),
            SecretSource::File(path) => line("secret", format!("{name}, from the file {}", path.display())),
        }));
        if let Some(NetworkGrant { bind, connect }) = self.network() {
            lines.push(line("network", format!("the host's, TCP: bind {}, connect {}", ports(bind), ports(connect))));
        }
        lines
    }
}

fn ports(ports: &[u16]) -> String {
    if ports.is_empty() {
        return "nothing".to_owned();
    }
    ports.iter().map(u16::to_string).collect::<Vec<_>>().join(" ")
}
