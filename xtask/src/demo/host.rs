//! The host as a child of this process: started, watched and ended, so that it never outlives the demo.
//!
//! Signals are blocked and read from a descriptor beside the host's stdout, so one thread waits for all that can happen, and
//! nothing is polled for. The host runs in a group of its own: Ctrl-C reaches us alone and is passed on once. Should we be
//! killed, the kernel tells the host: that is asked for between fork and exec by this very program, as [`become_host`],
//! which needs no unsafe code for it.

use std::ffi::OsString;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, kill, killpg};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{Pid, getppid};

use super::Stage;
use crate::Failure;

/// Compiling the actors is most of it.
const READY_WITHIN: Duration = Duration::from_secs(120);
pub(super) const ENDS_WITHIN: Duration = Duration::from_secs(30);

/// What asks the demo to end: Ctrl-C, a supervisor, a terminal that is closed.
const ASKING: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// A running host.
pub(super) struct HostProcess {
    child: Child,
    stdout: Option<ChildStdout>,
    /// What came from stdout and is not a whole line yet.
    pending: Vec<u8>,
    signals: SignalFd,
    ended: Option<ExitStatus>,
}

/// What happened.
pub(super) enum Event {
    /// The host printed a line.
    Line(String),
    /// This process was asked to end.
    Asked,
    /// The host has ended.
    Ended(ExitStatus),
    /// Nothing, in the time that was given.
    Quiet,
}

impl HostProcess {
    /// Starts it on the demo's manifest. `configure` says where its log goes, and what else is in its environment.
    pub(super) fn start(
        stage: &Stage<'_>,
        configure: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Result<Self, Failure> {
        let signals = block_signals().map_err(|error| format!("the signals could not be blocked: {error}"))?;
        // Under this name it can be started even when cargo has just replaced the file.
        let mut command = Command::new("/proc/self/exe");
        command.args(["become-host", &std::process::id().to_string(), &stage.built.cofferdam(), "run", "-m"]);
        command.arg(stage.root.join("demo/manifest.yaml")).envs(stage.variables());
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped());
        let spawned = configure(&mut command).spawn();
        let mut child = spawned.map_err(|error| format!("the host could not be started: {error}"))?;
        let stdout = child.stdout.take();
        Ok(Self { child, stdout, pending: Vec::new(), signals, ended: None })
    }

    /// The process, and the group of it and its providers.
    pub(super) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("Linux counts processes up to 2^22"))
    }

    /// Waits for the line that says that everything in the manifest is up.
    pub(super) fn ready(&mut self) -> Result<String, Failure> {
        match self.next(Some(Instant::now() + READY_WITHIN))? {
            Event::Line(line) => Ok(line),
            Event::Asked => Err("asked to end before the host was up".into()),
            Event::Ended(status) => Err(format!("the host ended with {status} before everything was up").into()),
            Event::Quiet => Err(format!("the host was not up after {} s", READY_WITHIN.as_secs()).into()),
        }
    }

    /// Lets the host run on for a while; an error as soon as it ends, or as this process is asked to.
    pub(super) fn pause(&mut self, time: Duration) -> Result<(), Failure> {
        let until = Instant::now() + time;
        loop {
            match self.next(Some(until))? {
                Event::Line(line) => println!("{line}"),
                Event::Asked => return Err("asked to end".into()),
                Event::Ended(status) => return Err(format!("the host ended by itself, with {status}").into()),
                Event::Quiet => return Ok(()),
            }
        }
    }

    /// Waits for the next event, for ever or up to a moment.
    pub(super) fn next(&mut self, until: Option<Instant>) -> Result<Event, Failure> {
        loop {
            if let Some(line) = self.take_line() {
                return Ok(Event::Line(line));
            }
            if let Some(status) = self.ended {
                return Ok(Event::Ended(status));
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let (signalled, printed) = self.wait(left)?;
            if printed {
                self.read_stdout()?;
            }
            if signalled && self.read_signal()? {
                return Ok(Event::Asked);
            }
            if !signalled && !printed && left.is_some_and(|left| left.is_zero()) {
                return Ok(Event::Quiet);
            }
        }
    }

    /// Asks the host to drain and end; a second time, to end at once.
    pub(super) fn ask_to_end(&mut self) -> Result<(), Failure> {
        match self.ended {
            Some(_) => Ok(()),
            None => kill(self.pid(), Signal::SIGTERM)
                .map_err(|error| format!("the host could not be asked to end: {error}").into()),
        }
    }

    /// Asks the host to end and waits for it. One that does not is killed with all of its group, and that is an error.
    pub(super) fn end(&mut self) -> Result<ExitStatus, Failure> {
        self.ask_to_end()?;
        let by = Instant::now() + ENDS_WITHIN;
        loop {
            match self.next(Some(by))? {
                Event::Line(_) | Event::Asked => {}
                Event::Ended(status) => return Ok(status),
                Event::Quiet => break,
            }
        }
        // It is our child and not reaped, so the number is still its own.
        let _ = killpg(self.pid(), Signal::SIGKILL);
        let _ = self.child.wait().map(|status| self.ended = Some(status));
        Err(format!("the host did not end within {} s of being asked; it was killed", ENDS_WITHIN.as_secs()).into())
    }

    /// Waits, and says whether there are signals and whether there is output.
    fn wait(&self, left: Option<Duration>) -> Result<(bool, bool), Failure> {
        // Rounded up: a poll that returns early would spin through the last millisecond.
        let timeout =
            left.map(|left| PollTimeout::try_from(left.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX));
        let mut watched = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        watched.extend(self.stdout.iter().map(|stdout| PollFd::new(stdout.as_fd(), PollFlags::POLLIN)));
        match poll(&mut watched, timeout.unwrap_or(PollTimeout::NONE)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(format!("waiting for the host failed: {error}").into()),
        }
        let stirred = |index: usize| watched.get(index).is_some_and(|fd| fd.any().unwrap_or(true));
        Ok((stirred(0), stirred(1)))
    }

    fn read_stdout(&mut self) -> Result<(), Failure> {
        let Some(stdout) = &mut self.stdout else { return Ok(()) };
        let mut chunk = [0; 4096];
        match stdout.read(&mut chunk).map_err(|error| format!("the host's output could not be read: {error}"))? {
            0 => self.stdout = None,
            count => self.pending.extend_from_slice(&chunk[..count]),
        }
        Ok(())
    }

    fn take_line(&mut self) -> Option<String> {
        let end = self.pending.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.pending.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    /// Takes one signal; whether it asks this process to end.
    fn read_signal(&mut self) -> Result<bool, Failure> {
        let read = self.signals.read_signal().map_err(|error| format!("the signals could not be read: {error}"))?;
        let Some(signal) = read.and_then(|info| Signal::try_from(i32::try_from(info.ssi_signo).ok()?).ok()) else {
            return Ok(false);
        };
        if signal == Signal::SIGCHLD {
            self.ended = self.child.try_wait().map_err(|error| format!("the host was lost: {error}"))?.or(self.ended);
        }
        Ok(ASKING.contains(&signal))
    }
}

impl Drop for HostProcess {
    /// However the demo ends, its host ends before.
    fn drop(&mut self) {
        if self.ended.is_none()
            && let Err(failure) = self.end()
        {
            eprintln!("{failure}");
        }
    }
}

/// Turns this process into the host: whatever becomes of the demo, the host is asked to end with it.
pub(crate) fn become_host(parent: i32, command: &[OsString]) -> Failure {
    let [program, args @ ..] = command else { return Failure::from("there is no program to become") };
    let prepared = prctl::set_pdeathsig(Signal::SIGTERM).and_then(|()| SigSet::all().thread_unblock());
    if let Err(error) = prepared {
        return format!("the host's process could not be prepared: {error}").into();
    }
    if getppid() != Pid::from_raw(parent) {
        return Failure::from("the demo ended before its host was started");
    }
    let error = Command::new(program).args(args).exec();
    format!("{} could not be started: {error}", program.display()).into()
}

/// From here on, signals wait until they are read. Called before this process has a second thread.
fn block_signals() -> nix::Result<SignalFd> {
    let signals: SigSet = ASKING.into_iter().chain([Signal::SIGCHLD]).collect();
    signals.thread_block()?;
    SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}
