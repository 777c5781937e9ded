//! `cargo xtask test`: everything that must pass before a change is merged, cheapest first, in one command.
//!
//! Each step is a row of [`STEPS`] and stops the run when it fails. All of them build with the dev profile that the demo uses, and
//! all select the whole workspace with what its tests need: another selection has other features, and compiles wasmer again.

mod deny;
mod rules;
mod runner;
mod tools;

use std::path::Path;
use std::time::{Duration, Instant};

use crate::command::cargo;
use crate::{Failure, guests, layers};

/// What the tests ran and how they ended, once they did.
type Outcome = Result<Option<runner::Tally>, Failure>;

struct Step {
    name: &'static str,
    what: &'static str,
    run: fn(&Path) -> Outcome,
}

#[rustfmt::skip]
const STEPS: &[Step] = &[
    Step { name: "tools",   what: "the programs that the other steps need",                    run: |root| nothing(tools::provide(root)) },
    Step { name: "format",  what: "cargo fmt --all --check",                                   run: |root| nothing(format(root)) },
    Step { name: "rules",   what: "file sizes, module headers, unsafe and unfinished code",    run: |root| nothing(rules::check(root)) },
    Step { name: "layers",  what: "who may import whom",                                       run: |root| nothing(layers::check(root)) },
    Step { name: "guests",  what: "the built test actors are what their sources make",         run: |root| nothing(guests::check(root)) },
    Step { name: "deny",    what: "licence, name and source of every dependency",              run: |root| nothing(deny::check(root)) },
    Step { name: "lints",   what: "cargo clippy, warnings are errors",                         run: |root| nothing(lints(root)) },
    Step { name: "build",   what: "cargo build of everything",                                 run: |root| nothing(build(root)) },
    Step { name: "docs",    what: "cargo doc, warnings are errors",                            run: |root| nothing(docs(root)) },
    Step { name: "tests",   what: "every test",                                                run: |root| runner::run(root).map(Some) },
];

/// Runs every step, or those named in `only`, up to the first that fails.
pub(crate) fn run(root: &Path, only: &[String]) -> Result<(), Failure> {
    let steps = choose(only)?;
    let began = Instant::now();
    let mut tally = None;
    for (index, step) in steps.iter().enumerate() {
        let place = format!("[{}/{}] {}", index + 1, steps.len(), step.name);
        println!("\n{place}: {}", step.what);
        let step_began = Instant::now();
        let outcome = (step.run)(root);
        let verdict = if outcome.is_ok() { "ok" } else { "FAILED" };
        println!("{place}: {verdict} in {}", seconds(step_began.elapsed()));
        tally = outcome?.or(tally);
    }
    println!("\npassed: {} of {} steps, in {}", steps.len(), STEPS.len(), seconds(began.elapsed()));
    if let Some(tally) = tally {
        println!("{}", tally.closing_line(began.elapsed()));
    }
    Ok(())
}

fn choose(only: &[String]) -> Result<Vec<&'static Step>, Failure> {
    if let Some(unknown) = only.iter().find(|name| STEPS.iter().all(|step| step.name != **name)) {
        let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        return Err(Failure::new(format!("no step is called `{unknown}`"))
            .next(format!("name one or more of: {}", names.join(", "))));
    }
    Ok(STEPS.iter().filter(|step| only.is_empty() || only.iter().any(|name| name == step.name)).collect())
}

fn format(root: &Path) -> Result<(), Failure> {
    cargo(root, ["fmt", "--all", "--check"]).advice("run `cargo fmt --all`").run()?;
    // A workspace of its own, which is not built here; so at least its syntax is looked at.
    cargo(root, ["fmt", "--check", "--manifest-path", "fuzz/Cargo.toml"])
        .advice("run `cargo fmt --manifest-path fuzz/Cargo.toml`")
        .run()
}

fn lints(root: &Path) -> Result<(), Failure> {
    let args = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    cargo(root, args).advice("mend the first warning above; --fix mends many").run()
}

fn build(root: &Path) -> Result<(), Failure> {
    let args = ["build", "--workspace", "--all-targets", "--locked"];
    cargo(root, args).advice("mend the first error above").run()
}

fn docs(root: &Path) -> Result<(), Failure> {
    // Private items too: module headers are for those who work on the code, and link to what is not public.
    // And `--examples`, of which there are none, because with it cargo selects the features that the lints were checked with.
    let what = ["doc", "--workspace", "--lib", "--bins", "--examples"];
    let args = what.into_iter().chain(["--no-deps", "--document-private-items", "--locked"]);
    cargo(root, args)
        .env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private-intra-doc-links")
        .advice("mend the first link or tag named above")
        .run()
}

fn nothing(result: Result<(), Failure>) -> Outcome {
    result.map(|()| None)
}

fn seconds(time: Duration) -> String {
    let whole = time.as_secs();
    if whole < 60 { format!("{:.1} s", time.as_secs_f32()) } else { format!("{} min {:02} s", whole / 60, whole % 60) }
}
