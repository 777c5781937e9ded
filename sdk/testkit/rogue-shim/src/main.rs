//! A shim that breaks the rules of the protocol, each when it is told to, and keeps them else. Never shipped.
//!
//! Nothing confines it and it holds no library; it serves calls by itself: `Echo` answers its argument, `Acted` whether
//! the fault was done, `Act` is the call in which a fault of the stage `calling` is done, `Linger` is answered when
//! the provider is told to end, and `Lingering` says whether one waits for that.
//!
//! Where the host has lanes it takes them, and does in them what is to be done in a call: what a frame would say wrongly, a lane
//! says. It takes and answers calls there as a good shim does, by the crate `channel`, and keeps the descriptors to write over
//! all of it.
//!
//! A file named `fault` beside the path that it was started by says what to do wrong and when: `GarbageFrame calling`. A
//! second start of the same provider keeps to the rules, unless it is `restarting` that it says.
//!
//! The story is that of a good shim: meet, load, serve. Start reading at `wrong.rs`, and for
//! lanes at `spoil.rs`.
#![deny(unsafe_code)]

mod ask;
mod called;
mod calls;
mod greet;
mod lanes;
mod memory;
mod noise;
mod orders;
mod serve;
mod spoil;
mod world;
mod wrong;

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use cofferdam_channel::control::ControlReceiver;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cofferdam-rogue-shim: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    // Whatever it hangs in, it does not outlive the tests.
    set_pdeathsig(Signal::SIGKILL)?;
    let control = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let orders = orders::read()?;
    let orders = greet::greet(&control, orders)?;
    let mut receiver = ControlReceiver::new(control.try_clone()?);
    let world = serve::load(&mut receiver, control, orders)?;
    serve::serve(&mut receiver, &world)
}

/// Does nothing any more, and lives on.
fn hang() -> ! {
    loop {
        std::thread::park();
    }
}
