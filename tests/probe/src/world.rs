//! What the probe asks of the world, and what it uses up, when a test tells it to.
//!
//! | operation | payload | outcome |
//! |---|---|---|
//! | `Listen` | an address | listens there from now on; where it does |
//! | `Accept` | an address | whether what listens there still does: `open` or the error |
//! | `Connect` | an address | `connected` |
//! | `Dir` | map `{name, write, file, text}` | opens the directory, writes the text to a file in it if there is one, and reads that |
//! | `File` | map `{name, write, text}` | the same with a file |
//! | `Reopen` | a name | opens the file for reading, and that descriptor again to write to it |
//! | `Env` | ignored | map of the environment |
//! | `Eat` | bytes | takes so much memory and gives it back |
//! | `Threads`, `Descriptors` | a number | makes so many at once, and ends them; how many there were |
//! | `Burn` | ignored | keeps a processor busy, and never answers |
//! | `Grow` | bytes | makes a file of so many bytes in its own directory, which takes no room |
//! | `Fill` | bytes | the same by writing them all |
//!
//! The link value `LISTEN` makes it listen there for that link; with `KEEP`, after the link has gone, too.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cofferdam_provider::{Access, Failure, Host, Link, monotonic_deadline};
use serde::Deserialize;

/// What was handed to it.
#[derive(Default)]
pub(crate) struct World {
    listeners: Mutex<Vec<Listener>>,
}

struct Listener {
    /// What was asked for.
    address: String,
    /// For which link; none is for a call.
    actor: Option<String>,
    keep: bool,
    socket: TcpListener,
}

#[derive(Deserialize)]
struct Errand<'a> {
    name: &'a str,
    #[serde(default)]
    write: bool,
    #[serde(default)]
    file: &'a str,
    #[serde(default)]
    text: Option<&'a str>,
}

impl World {
    pub(crate) fn bind(&self, host: Host, link: &Link<'_>) -> Result<(), Failure> {
        self.unbind(link.actor());
        let Some(address) = link.get("LISTEN") else { return Ok(()) };
        let socket = host.listen(address)?;
        let (actor, keep) = (Some(link.actor().to_owned()), link.get("KEEP").is_some());
        self.listeners().push(Listener { address: address.to_owned(), actor, keep, socket });
        Ok(())
    }

    pub(crate) fn unbind(&self, actor: &str) {
        self.listeners().retain(|listener| listener.keep || listener.actor.as_deref() != Some(actor));
    }

    /// Carries an errand out. None for one that is not of this module.
    pub(crate) fn run(&self, host: Host, operation: &str, payload: &[u8]) -> Option<Result<Vec<u8>, Failure>> {
        Some(match operation {
            "Listen" => self.listen(host, payload),
            "Accept" => self.accept(payload),
            "Connect" => connect(host, payload),
            "Dir" => dir(host, payload),
            "File" => file(host, payload),
            "Reopen" => reopen(host, payload),
            "Env" => Ok(format!("{:?}", std::env::vars().collect::<BTreeMap<_, _>>()).into_bytes()),
            "Eat" => eat(payload),
            "Threads" => threads(payload),
            "Descriptors" => descriptors(payload),
            "Group" => std::fs::read("/proc/self/cgroup").map_err(Failure::from),
            "Burn" => burn(),
            "Grow" => grow(host, payload),
            "Fill" => fill(host, payload),
            _ => return None,
        })
    }

    fn listeners(&self) -> MutexGuard<'_, Vec<Listener>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listen(&self, host: Host, payload: &[u8]) -> Result<Vec<u8>, Failure> {
        let address: String = rmp_serde::from_slice(payload)?;
        let socket = host.listen(&address)?;
        let local = socket.local_addr()?.to_string();
        self.listeners().push(Listener { address, actor: None, keep: false, socket });
        Ok(local.into_bytes())
    }

    fn accept(&self, payload: &[u8]) -> Result<Vec<u8>, Failure> {
        let address: String = rmp_serde::from_slice(payload)?;
        let listeners = self.listeners();
        let listener = listeners.iter().find(|listener| listener.address == address);
        let listener = listener.ok_or_else(|| Failure::new("it does not listen there"))?;
        match listener.socket.accept() {
            Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => Ok(error.to_string().into_bytes()),
            Ok(_) | Err(_) => Ok(b"open".to_vec()),
        }
    }
}

fn connect(host: Host, payload: &[u8]) -> Result<Vec<u8>, Failure> {
    let address: String = rmp_serde::from_slice(payload)?;
    host.connect(&address, monotonic_deadline(Duration::from_secs(2)))?;
    Ok(b"connected".to_vec())
}

fn access(write: bool) -> Access {
    if write { Access::WRITE } else { Access::READ }
}

fn dir(host: Host, payload: &[u8]) -> Result<Vec<u8>, Failure> {
    let Errand { name, write, file, text } = rmp_serde::from_slice(payload)?;
    let dir = host.open_dir(name, access(write))?;
    let path = format!("/proc/self/fd/{}/{file}", dir.as_raw_fd());
    if let Some(text) = text {
        std::fs::write(&path, text)?;
    }
    Ok(std::fs::read(&path)?)
}

fn file(host: Host, payload: &[u8]) -> Result<Vec<u8>, Failure> {
    let Errand { name, write, text, .. } = rmp_serde::from_slice(payload)?;
    let mut file = host.open_file(name, access(write))?;
    if let Some(text) = text {
        file.write_all(text.as_bytes())?;
        file.seek(SeekFrom::Start(0))?;
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn reopen(host: Host, payload: &[u8]) -> Result<Vec<u8>, Failure> {
    let name: String = rmp_serde::from_slice(payload)?;
    let file = host.open_file(&name, Access::READ)?;
    let mut again = File::options().write(true).open(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    again.write_all(b"x")?;
    Ok(b"written".to_vec())
}

fn eat(payload: &[u8]) -> Result<Vec<u8>, Failure> {
    let bytes: usize = rmp_serde::from_slice(payload)?;
    let mut eaten: Vec<u8> = Vec::new();
    eaten.try_reserve_exact(bytes).map_err(|error| Failure::new(error.to_string()))?;
    eaten.resize(bytes, 1);
    Ok(format!("{} bytes", std::hint::black_box(&eaten).len()).into_bytes())
}

fn threads(payload: &[u8]) -> Result<Vec<u8>, Failure> {
    let wanted: usize = rmp_serde::from_slice(payload)?;
    let hold = Arc::new(Mutex::new(()));
    let held = hold.lock().unwrap_or_else(PoisonError::into_inner);
    let mut made = Vec::new();
    while made.len() < wanted {
        let wait = hold.clone();
        let thread = std::thread::Builder::new().spawn(move || drop(wait.lock()));
        let Ok(thread) = thread else { break };
        made.push(thread);
    }
    let count = made.len();
    drop(held);
    made.into_iter().for_each(|thread| drop(thread.join()));
    Ok(count.to_string().into_bytes())
}

fn descriptors(payload: &[u8]) -> Result<Vec<u8>, Failure> {
    let wanted: usize = rmp_serde::from_slice(payload)?;
    let mut made = Vec::new();
    while made.len() < wanted {
        let Ok(file) = File::open("/proc/self/stat") else { break };
        made.push(file);
    }
    Ok(made.len().to_string().into_bytes())
}

fn burn() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

fn grow(host: Host, payload: &[u8]) -> Result<Vec<u8>, Failure> {
    let bytes: u64 = rmp_serde::from_slice(payload)?;
    let dir = host.open_dir("state", Access::WRITE)?;
    let file = File::create(format!("/proc/self/fd/{}/grown", dir.as_raw_fd()))?;
    file.set_len(bytes)?;
    Ok(format!("{} bytes", file.metadata()?.len()).into_bytes())
}

fn fill(host: Host, payload: &[u8]) -> Result<Vec<u8>, Failure> {
    let bytes: u64 = rmp_serde::from_slice(payload)?;
    let dir = host.open_dir("state", Access::WRITE)?;
    let mut file = File::create(format!("/proc/self/fd/{}/filled", dir.as_raw_fd()))?;
    let written = std::io::copy(&mut std::io::repeat(b'x').take(bytes), &mut file)?;
    Ok(format!("{written} bytes").into_bytes())
}
