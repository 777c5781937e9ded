//! A host that was here before: from the start of the process `cofferdam run` to the first HTTP answer of an actor that it
//! does not have to compile again.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cofferdam_claims::{KeyKind, sign_actor};
use cofferdam_tests::{artifacts, http::free_port, process};
use nix::sys::signal::Signal;
use serde_json::json;
use tempfile::TempDir;

use crate::load::PATH;
use crate::rounds::{ROUNDS, micros, pause, rounds};
use crate::row::{Row, Unit};

const CONTRACT: &str = "wasmcloud:httpserver";
/// Between two looks whether it listens: little next to a start, and far from keeping a processor busy.
const LOOK_AGAIN: Duration = Duration::from_micros(500);
/// It answers by then, or the bench has failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn measure() -> Vec<Row> {
    let place = Place::prepare();
    // The first start compiles.
    place.start();
    let [start_us] = rounds("cached starts", ROUNDS, || [place.start()]).medians();
    vec![Row::new("`cofferdam run` -> first HTTP answer", Unit::Millis, start_us / 1e3).at_most(150.0)]
}

/// A manifest, what it names, and what a host has left from the last start.
struct Place {
    folder: TempDir,
    address: SocketAddr,
}

/// A host, killed if nobody has ended it.
struct Running(Child);

impl Place {
    fn prepare() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let port = free_port();
        let (actor, provider) = (KeyKind::Actor.generate(), KeyKind::Provider.generate());
        let (module, claims) = (artifacts::guest("responder"), artifacts::claims("responder", &[CONTRACT]));
        let wasm = sign_actor("responder", &module, claims, artifacts::issuer(), &actor);
        fs::write(folder.path().join("responder.wasm"), wasm.expect("a good module can be signed")).expect("room");
        let mut archive = artifacts::archive("httpserver", CONTRACT);
        let written = archive.write(folder.path().join("httpserver.par.gz"), artifacts::issuer(), &provider, true);
        written.expect("it can be written");
        let (actor, provider) = (actor.public_key(), provider.public_key());
        let manifest = json!({
            "actors": ["responder.wasm"],
            "capabilities": [{ "image_ref": "httpserver.par.gz" }],
            "links": [{
                "actor": actor,
                "provider_id": provider,
                "contract_id": CONTRACT,
                "values": { "PORT": port.to_string() },
            }],
        });
        fs::write(folder.path().join("manifest.json"), manifest.to_string()).expect("room");
        Self { folder, address: (Ipv4Addr::LOCALHOST, port).into() }
    }

    /// In µs, until it answers. It has ended when this returns.
    fn start(&self) -> f64 {
        let log = fs::File::create(self.folder.path().join("log")).expect("room");
        let began = Instant::now();
        let mut command = Command::new(artifacts::programs().join("cofferdam"));
        command.args(["run", "--manifest", "manifest.json", "--socket", "host.sock"]);
        command.arg("--state-dir").arg(self.folder.path().join("state"));
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut host = Running(command.spawn().expect("the program is built"));
        while let Err(error) = self.get() {
            let has_ended = host.0.try_wait().expect("it is a child").is_some();
            assert!(!has_ended && began.elapsed() < PATIENCE, "no answer ({error}); it said: {}", self.said());
            pause(LOOK_AGAIN);
        }
        let took = micros(began);
        process::signal(host.0.id(), Signal::SIGTERM);
        host.0.wait().expect("it is a child");
        took
    }

    fn get(&self) -> io::Result<()> {
        let mut stream = TcpStream::connect(self.address)?;
        let request = format!("GET {PATH} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address);
        stream.write_all(request.as_bytes())?;
        let mut response = String::new();
        stream.read_to_string(&mut response)?;
        let is_good = response.starts_with("HTTP/1.1 200 ");
        is_good.then_some(()).ok_or_else(|| io::Error::other(format!("the answer was {response:?}")))
    }

    fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_else(|error| error.to_string())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
