//! `cargo xtask demo --check`: plays the demo to its end, beside one that may be running: on free ports, in a temporary
//! folder, with a socket of its own. Every step says what happened; the first that is not as it should be fails.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::host::HostProcess;
use super::ps::{Ready, Report};
use super::{Stage, build, free_ports, http, package};
use crate::Failure;

const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// A second for the provider to be started again, and a second for the answer.
const BACK_WITHIN: Duration = Duration::from_secs(2);
const BETWEEN_TRIES: Duration = Duration::from_millis(10);
const LOG_LINES_QUOTED_MAX: usize = 20;

const PROVIDERS: [&str; 3] = ["httpserver", "keyvalue", "logging"];

/// Variables that would make this host another one than the demo's.
const NOT_INHERITED: [&str; 4] = ["COFFERDAM_NAMESPACE", "COFFERDAM_SHIM", "COFFERDAM_STATE_DIR", "COFFERDAM_TRUST"];

/// The demo being played.
struct Play<'a> {
    stage: &'a Stage<'a>,
    socket: &'a Path,
    host: HostProcess,
    /// The last number that the counter answered.
    count: u64,
}

/// Plays the demo.
pub(crate) fn check(root: &Path) -> Result<(), Failure> {
    let built = build(root)?;
    let folder = tempfile::Builder::new().prefix("cofferdam-demo-").tempdir();
    let folder = folder.map_err(|error| format!("there is no temporary folder: {error}"))?;
    let signed = package::all(root, &built, folder.path())?;
    println!(
        "demo: signed two actors and packed three providers with the keys in {}",
        built.demo().join("keys").display()
    );
    let (port, echo_port) = free_ports()?;
    let stage = Stage { root, built, signed, port, echo_port };
    play(&stage, folder.path()).map_err(|failure| match last_lines(&folder.path().join("host.log")) {
        lines if lines.is_empty() => failure,
        lines => failure.with_lines(["the host logged last:".to_owned()].into_iter().chain(lines)),
    })
}

fn play(stage: &Stage<'_>, folder: &Path) -> Result<(), Failure> {
    let (socket, log) = (folder.join("host.sock"), folder.join("host.log"));
    let log = File::create(&log).map_err(|error| format!("could not create {}: {error}", log.display()))?;
    let mut host = HostProcess::start(stage, |command| {
        for name in NOT_INHERITED {
            command.env_remove(name);
        }
        command.stderr(log).env("COFFERDAM_SOCKET", &socket)
    })?;
    println!("demo: {}", host.ready()?);
    let mut play = Play { stage, socket: &socket, host, count: 0 };
    play.count_twice()?;
    play.echo()?;
    play.look()?;
    play.kill_and_count("keyvalue")?;
    play.kill_and_count("httpserver")?;
    play.end()
}

impl Play<'_> {
    fn count_twice(&mut self) -> Result<(), Failure> {
        let (first, second) = (self.get()?, self.get()?);
        if (first, second) != (1, 2) {
            return Err(format!("a new counter answered {first}, then {second}, where 1 and 2 were due").into());
        }
        self.count = second;
        println!("demo: GET {} answered {first}, then {second}", self.stage.url());
        Ok(())
    }

    fn echo(&self) -> Result<(), Failure> {
        let body = http::get(self.stage.echo_port, "/demo?test=kthxbye", ANSWER_WITHIN)?;
        if !body.contains("test=kthxbye") {
            return Err(format!("echo answered without the query: {body}").into());
        }
        println!("demo: GET http://127.0.0.1:{}/demo?test=kthxbye answered the query", self.stage.echo_port);
        Ok(())
    }

    fn look(&self) -> Result<(), Failure> {
        let report = self.ps()?;
        let counts = report.counts();
        if counts != [2, 3] {
            return Err(format!("ps shows {counts:?} actors and links, where 2 and 3 are due").into());
        }
        let mut shown = Vec::new();
        for name in PROVIDERS {
            let pid = report.ready(self.stage.signed.public_key(name))?.pid;
            if !living(|process| process.parent == self.host.pid().as_raw()).any(|process| process.pid == pid) {
                return Err(format!("ps shows {name} as process {pid}, which does not run below the host").into());
            }
            shown.push(format!("{name} is {pid}"));
        }
        println!("demo: cofferdam ps shows 2 actors, 3 links and 3 ready providers: {}", shown.join(", "));
        Ok(())
    }

    /// Kills a provider. The next answer comes soon, from a new process, and counts on.
    fn kill_and_count(&mut self, name: &str) -> Result<(), Failure> {
        let before = self.ready(name)?;
        let killed = Instant::now();
        kill(Pid::from_raw(before.pid), Signal::SIGKILL)
            .map_err(|error| format!("{name} (process {}) could not be killed: {error}", before.pid))?;
        let mut failed = 0;
        let count = loop {
            match self.get() {
                Ok(count) => break count,
                Err(error) if killed.elapsed() > BACK_WITHIN => {
                    let late = format!("{name} was killed, and {BACK_WITHIN:?} later there is no answer: {error}");
                    return Err(late.into());
                }
                Err(_) => failed += 1,
            }
            self.host.pause(BETWEEN_TRIES)?;
        };
        let took = killed.elapsed();
        // What was on its way when the provider died may have been counted, and the answer lost.
        let due = self.count + 1..=self.count + 1 + failed;
        if !due.contains(&count) || took > BACK_WITHIN {
            let late = format!("{name} was killed at {}; {took:?} later the answer was {count}", self.count);
            return Err(Failure::new(late).next(format!("{due:?} is due, within {BACK_WITHIN:?}")));
        }
        let after = self.restarted(name, before)?;
        println!(
            "demo: kill -9 {} ({name}): process {} answered {count} after {} ms and {failed} refusals",
            before.pid,
            after.pid,
            took.as_millis()
        );
        self.count = count;
        Ok(())
    }

    /// Waits until ps shows a later process of the provider as ready.
    fn restarted(&mut self, name: &str, before: Ready) -> Result<Ready, Failure> {
        let by = Instant::now() + BACK_WITHIN;
        loop {
            match self.ready(name) {
                Ok(after) if after.generation > before.generation && after.restarts > before.restarts => {
                    return Ok(after);
                }
                other if Instant::now() > by => {
                    return Err(format!("ps does not show that {name} was started again: {other:?}").into());
                }
                _ => self.host.pause(BETWEEN_TRIES)?,
            }
        }
    }

    /// Ends the host, as Ctrl-C would; nothing of it may be left.
    fn end(mut self) -> Result<(), Failure> {
        // Each provider's processes are a group of their own, whose number outlives its first process.
        let host = self.host.pid().as_raw();
        let groups: Vec<i32> = living(|process| process.parent == host).map(|process| process.group).collect();
        let asked = Instant::now();
        let status = self.host.end()?;
        let left: Vec<i32> = living(|process| process.pid == host || groups.contains(&process.group))
            .map(|process| process.pid)
            .collect();
        if !status.success() {
            return Err(format!("the host was asked to end, and ended with {status}").into());
        }
        if !left.is_empty() {
            return Err(format!("the host has ended, and these processes of it are left: {left:?}").into());
        }
        println!("demo: SIGTERM: the host ended after {} ms, and no process is left", asked.elapsed().as_millis());
        Ok(())
    }

    fn get(&self) -> Result<u64, String> {
        let body = http::get(self.stage.port, "/visits", ANSWER_WITHIN)?;
        let counter = serde_json::from_str::<Value>(&body).ok().and_then(|value| value["counter"].as_u64());
        counter.ok_or_else(|| format!("the counter answered {body:?}, where {{\"counter\": N}} is due"))
    }

    fn ready(&self, name: &str) -> Result<Ready, Failure> {
        Ok(self.ps()?.ready(self.stage.signed.public_key(name))?)
    }

    fn ps(&self) -> Result<Report, Failure> {
        Report::ask(&self.stage.built.cofferdam(), Some(self.socket))
    }
}

/// A process, as `/proc/PID/stat` has it.
struct Process {
    pid: i32,
    parent: i32,
    group: i32,
}

/// The living processes that are such.
fn living(such: impl Fn(&Process) -> bool) -> impl Iterator<Item = Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let process = |pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name before the last bracket may hold anything; state, parent and group follow it.
        let mut fields = stat.rsplit(')').next()?.split_whitespace();
        let state = fields.next()?;
        let mut number = || fields.next()?.parse().ok();
        let process = Process { pid, parent: number()?, group: number()? };
        (!matches!(state, "Z" | "X")).then_some(process)
    };
    pids.filter_map(process).filter(such)
}

fn last_lines(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES_QUOTED_MAX)..].iter().map(|line| (*line).to_owned()).collect()
}
