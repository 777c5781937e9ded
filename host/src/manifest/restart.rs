//! What a manifest says of restarts: `capabilities[].restart`.

use std::time::Duration;

use super::cursor::{Cursor, Known};
use super::fault::{Fault, shown};
use super::{ManifestError, quantity};
use crate::words::{Restart, RestartBudget, RestartPolicy, WhileDown};

const RESTART: Known = Known { keys: &["policy", "budget", "window", "while_down"], later: &[], may_grow: false };
const POLICIES: [(&str, Restart); 3] =
    [("always", Restart::Always), ("on-failure", Restart::OnFailure), ("never", Restart::Never)];
const WHILE_DOWN: [(&str, WhileDown); 2] = [("fail", WhileDown::Fail), ("wait", WhileDown::Wait)];
const WINDOW: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(24 * 3600));

/// How one provider is restarted; what is `None` is left to the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RestartEntry {
    /// Whether it is at all.
    pub policy: Option<Restart>,
    /// How many crashes it takes to be held.
    pub budget: Option<RestartBudget>,
    /// Within which time.
    pub window: Option<Duration>,
    /// What calls find meanwhile.
    pub while_down: Option<WhileDown>,
}

impl RestartEntry {
    /// This policy, and `host`'s where there is none.
    pub fn over(&self, host: RestartPolicy) -> RestartPolicy {
        RestartPolicy {
            restart: self.policy.unwrap_or(host.restart),
            budget: self.budget.unwrap_or(host.budget),
            window: self.window.unwrap_or(host.window),
            while_down: self.while_down.unwrap_or(host.while_down),
            ..host
        }
    }
}

pub(super) fn restart(section: &Cursor<'_>) -> Result<RestartEntry, ManifestError> {
    let fields = section.fields(&RESTART, "a mapping of policy, budget, window and while_down")?;
    let window = |value: &Cursor<'_>| {
        quantity::duration(value.filled("a time")?, WINDOW.0, WINDOW.1).map_err(|fault| value.refuse(fault))
    };
    Ok(RestartEntry {
        policy: fields
            .get("policy")
            .map(|value| one_of(value, POLICIES, &["always", "on-failure", "never"]))
            .transpose()?,
        budget: fields.get("budget").map(budget).transpose()?,
        window: fields.get("window").map(window).transpose()?,
        while_down: fields.get("while_down").map(|value| one_of(value, WHILE_DOWN, &["fail", "wait"])).transpose()?,
    })
}

fn one_of<T, const N: usize>(
    value: &Cursor<'_>,
    words: [(&str, T); N],
    known: &'static [&'static str],
) -> Result<T, ManifestError> {
    let text = value.filled("a word")?;
    let found = words.into_iter().find(|(word, _)| *word == text).map(|(_, meaning)| meaning);
    found.ok_or_else(|| value.refuse(Fault::NotOneOf { found: shown(text), known }))
}

fn budget(value: &Cursor<'_>) -> Result<RestartBudget, ManifestError> {
    let (text, max) = (value.filled("a whole number, or none")?, RestartBudget::CRASHES_MAX);
    match quantity::count(text, max) {
        _ if text == "none" => Ok(RestartBudget::None),
        Ok(crashes) => Ok(RestartBudget::Crashes(crashes)),
        Err(_) => Err(value.refuse(Fault::NotABudget { found: shown(text), max })),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::manifest::{Format, HostManifest};

    /// What the host does, where the manifest of a provider says this of restarts.
    fn check(restart: &str) -> RestartPolicy {
        let text = format!("capabilities: [{{image_ref: a, restart: {restart}}}]");
        let manifest = HostManifest::parse("m.yaml", &text, Format::Yaml, Path::new("/m"), &|_| None);
        manifest.expect("a good manifest").capabilities[0].restart.over(RestartPolicy::default())
    }

    #[test]
    fn each_key_changes_its_part_of_the_policy() {
        let default = RestartPolicy::default();
        let window = Duration::from_secs(300);
        for (text, expected) in [
            ("{}", default),
            ("{policy: always, budget: 5, window: 60s, while_down: fail}", default),
            ("{policy: on-failure}", RestartPolicy { restart: Restart::OnFailure, ..default }),
            ("{policy: never}", RestartPolicy { restart: Restart::Never, ..default }),
            ("{budget: none}", RestartPolicy { budget: RestartBudget::None, ..default }),
            ("{budget: 1000, window: 5m}", RestartPolicy { budget: RestartBudget::Crashes(1000), window, ..default }),
            ("{while_down: wait}", RestartPolicy { while_down: WhileDown::Wait, ..default }),
        ] {
            assert_eq!(check(text), expected, "{text}");
        }
    }
}
