//! A provider that tries to get out of its sandbox, or does wrong what it can. Never shipped.
//!
//! An operation is the name of an [`Attempt`], its argument an [`Outside`] as a MessagePack map. The attempt is made with
//! raw system calls, and the answer says in a line what became of it: `refused: …`, `bounded: …`, `unbounded: …`, or
//! `OUT: …` when it got what it must not get. An attempt that ends the process answers nothing.
//!
//! `Rest` does nothing and answers `here`. What it does wrong when it is told to is in `faulty.rs`. Nothing here may harm the machine of whoever runs the tests when it succeeds.
#![deny(unsafe_code)]

mod attempt;
mod faulty;
mod outcome;
mod raw;
mod ways;

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::time::Duration;

pub use attempt::Attempt;
use cofferdam_faults::Stage;
use cofferdam_provider::{Call, Failure, Host, Link, Provider, Reply};
use faulty::Faulty;
pub use faulty::{MARK, VARIABLE};
use serde::{Deserialize, Serialize};

/// What there is outside, to be reached.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outside {
    /// The name of a directory that was granted for reading, though anybody may write to it.
    pub readable_dir: String,
    /// The name of a file that was granted for reading, though anybody may write to it.
    pub readable_file: String,
    /// An address that was granted to be listened on.
    pub listen_address: String,
    /// The port of 127.0.0.1 on which something accepts TCP.
    pub tcp_port: u16,
    /// The port of 127.0.0.1 on which something receives UDP.
    pub udp_port: u16,
    /// The abstract name, without its zero, of a UNIX socket that receives datagrams.
    pub abstract_name: String,
    /// The path, as the provider sees it, of a UNIX socket that receives datagrams.
    pub socket_path: String,
    /// A file that only root, or nobody, may read, as the provider sees it.
    pub forbidden_path: String,
    /// The host's state directory.
    pub state_dir: String,
    /// The directory of another provider.
    pub other_dir: String,
    /// The host's process.
    pub host_pid: u32,
}

/// The provider.
pub struct Rogue {
    host: Host,
    faulty: Faulty,
    listener: OnceLock<TcpListener>,
    /// The descriptor that this library was opened from: the shim closes its own.
    _library: Vec<OwnedFd>,
}

/// What an attempt has.
struct Scene<'a> {
    host: Host,
    /// What was granted to be listened on, once it was asked for.
    listener: &'a OnceLock<TcpListener>,
    outside: Outside,
}

impl Provider for Rogue {
    const NAME: &'static str = "rogue";
    const CONCURRENCY: u32 = 4;

    fn create(host: Host) -> Result<Self, Failure> {
        let faulty = Faulty::create()?;
        let library = ways::descriptors::library_again();
        Ok(Self { host, faulty, listener: OnceLock::new(), _library: library })
    }

    fn bind(&self, link: &Link<'_>) -> Result<(), Failure> {
        self.faulty.bind(link)
    }

    fn unbind(&self, _actor: &str) {}

    fn health(&self) -> Result<(), Failure> {
        self.faulty.act_at(Stage::Ready)
    }

    fn shutdown(&self, _timeout: Duration) {
        self.faulty.drain();
    }

    fn handle(&self, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Failure> {
        if call.operation() == "Rest" {
            return reply.write(b"here");
        }
        if let Some(outcome) = self.faulty.handle(call) {
            return reply.write(&outcome?);
        }
        let found = Attempt::ALL.iter().find(|attempt| attempt.name() == call.operation());
        let Some(attempt) = found else { return Err(Failure::unknown_operation(call.operation())) };
        let outside = rmp_serde::from_slice(call.payload())?;
        let outcome = attempt.make(&Scene { host: self.host, listener: &self.listener, outside });
        reply.write(outcome.to_string().as_bytes())
    }
}

#[allow(unsafe_code, reason = "the exported symbol is what makes this library a provider")]
mod exported {
    cofferdam_provider::export!(super::Rogue);
}

pub use exported::cofferdam_provider_v1;
