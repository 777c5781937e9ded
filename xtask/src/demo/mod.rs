//! `cargo xtask demo`: builds everything, signs and packs it with development keys, and runs a host on `demo/manifest.yaml`
//! until Ctrl-C. With `--check` it plays the demo itself instead, and fails when something is not as it says.
//!
//! It does what a person would do, by the commands that users have; it never reaches into the host. [`show`] is the place
//! to start reading, [`mod@check`] the part that continuous integration runs.

mod check;
mod host;
mod http;
mod package;
mod ps;

use std::env;
use std::ffi::OsString;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use crate::Failure;
use crate::command::cargo;
pub(crate) use check::check;
pub(crate) use host::become_host;
use host::{ENDS_WITHIN, Event, HostProcess};

const PORT: u16 = 8080;
const ECHO_PORT: u16 = 8081;

/// Where the programs and libraries of the workspace are: beside this one.
struct Built {
    folder: PathBuf,
}

/// One run of the demo: what the manifest's variables say.
struct Stage<'a> {
    root: &'a Path,
    built: Built,
    signed: package::Signed,
    port: u16,
    echo_port: u16,
}

/// Runs the demo until it is asked to end.
pub(crate) fn show(root: &Path) -> Result<(), Failure> {
    let (port, echo_port) = (port_of("DEMO_PORT", PORT)?, port_of("DEMO_ECHO_PORT", ECHO_PORT)?);
    // Before the build, which may take minutes.
    refuse_taken("DEMO_PORT", port)?;
    refuse_taken("DEMO_ECHO_PORT", echo_port)?;
    let built = build(root)?;
    let signed = package::all(root, &built, &built.demo())?;
    let stage = Stage { root, built, signed, port, echo_port };
    let mut host = HostProcess::start(&stage, |command| command.stderr(Stdio::inherit()))?;
    host.ready()?;
    println!("{}", stage.invitation()?);
    serve(&mut host)
}

/// Passes what happens on, until the host has ended.
fn serve(host: &mut HostProcess) -> Result<(), Failure> {
    let mut end_by = None;
    loop {
        match host.next(end_by)? {
            Event::Line(line) => println!("{line}"),
            Event::Asked => {
                println!("\nending the host; once more ends it without waiting for calls in flight");
                host.ask_to_end()?;
                end_by = end_by.or_else(|| Some(Instant::now() + ENDS_WITHIN));
            }
            Event::Ended(status) if status.success() && end_by.is_some() => return Ok(()),
            Event::Ended(status) => {
                return Err(Failure::new(format!("the host ended with {status}")).next("see what it logged above"));
            }
            Event::Quiet => return host.end().map(drop),
        }
    }
}

/// The same command as the tests', so that the demo builds nothing that they have not.
fn build(root: &Path) -> Result<Built, Failure> {
    cargo(root, ["build", "--locked", "--workspace", "--all-targets"]).advice("mend the first error above").run()?;
    let own = env::current_exe().map_err(|error| format!("this program does not know where it is: {error}"))?;
    let folder = own.parent().ok_or("this program lies in no folder")?.to_owned();
    Ok(Built { folder })
}

impl Built {
    fn cofferdam(&self) -> String {
        self.folder.join("cofferdam").display().to_string()
    }

    /// `target/demo`, where keys, packages and state are kept from one run to the next.
    fn demo(&self) -> PathBuf {
        self.folder.with_file_name("demo")
    }
}

impl Stage<'_> {
    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/visits", self.port)
    }

    /// What the manifest asks for.
    fn variables(&self) -> Vec<(String, OsString)> {
        let mut variables = self.signed.variables();
        variables.push(("DEMO_PORT".to_owned(), self.port.to_string().into()));
        variables.push(("DEMO_ECHO_PORT".to_owned(), self.echo_port.to_string().into()));
        variables
    }

    /// What the reader sees once the demo is up.
    fn invitation(&self) -> Result<String, Failure> {
        let (url, cofferdam) = (self.url(), self.built.cofferdam());
        let keyvalue = ps::Report::ask(&cofferdam, None)?.ready(self.signed.public_key("keyvalue"))?.pid;
        Ok(format!(
            "
The demo is up: {url}

Three things to try, in another terminal:

  1. Count: an actor counts, in WebAssembly; the number is on disk, behind another process.
       curl {url}
       curl {url}
  2. Look at what runs.
       {cofferdam} ps
  3. Kill the key-value provider, and count on: it is started again, and the number goes on.
       kill -9 {keyvalue}
       curl {url}
     The first curl right after the kill may get a 502, because the provider is only just being started again. Before
     you kill it once more, take its new PID from `ps`.

Ctrl-C ends the demo."
        ))
    }
}

fn port_of(variable: &str, default: u16) -> Result<u16, Failure> {
    let Some(text) = env::var_os(variable) else { return Ok(default) };
    let port = text.to_str().and_then(|text| text.parse().ok()).filter(|port| *port != 0);
    port.ok_or_else(|| Failure::new(format!("{variable} is {text:?}")).next("give a port from 1 to 65535, or unset it"))
}

fn refuse_taken(variable: &str, port: u16) -> Result<(), Failure> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(drop).map_err(|error| {
        Failure::new(format!("the demo cannot listen on 127.0.0.1:{port}: {error}"))
            .next(format!("end what listens there, or choose another port: `{variable}=9080 cargo xtask demo`"))
    })
}

/// Two ports that nobody listens on, at this moment.
fn free_ports() -> Result<(u16, u16), Failure> {
    let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
    let both = || {
        let (one, other) = (free()?, free()?);
        Ok((port(&one)?, port(&other)?))
    };
    both().map_err(|error: std::io::Error| format!("loopback has no free port: {error}").into())
}
