//! The shim: one process that holds one provider's library and nothing else.
//!
//! It knows neither claims, links nor actors. What it is told comes from the host over descriptors it inherits; what it
//! runs is foreign, so the story is in this order and no other: inherit, meet, confine, load, serve, drain. No thread and
//! no foreign code exists before it is confined. Another one of it, as confined, explains how it died (`crash/`).
//!
//! It is started by the host only, with the control socket as its standard input and an empty environment. It dies with
//! the host: by the parent-death signal, and by the end of the control socket.
//!
//! It begins with the C library's `main`, and not with the standard library's, which prepares for programs that may
//! overflow their first thread's stack or close a standard stream: that takes a tenth of what a plain `exec` takes.
#![deny(unsafe_code)]
#![cfg_attr(not(test), no_main)]

mod asks;
mod calls;
mod confine;
mod crash;
mod exports;
mod fault;
mod inherit;
mod jobs;
mod library;
mod linker;
mod load;
mod logging;
mod sealed;
mod serve;
mod sink;
mod ways;

use std::convert::Infallible;
use std::ffi::{c_char, c_int};
use std::time::Duration;

use cofferdam_channel::control::{self, ControlReceiver, ControlSender};
use cofferdam_channel::protocol::ShimHello;

use crate::confine::Confined;
use crate::fault::ShimFault;
use crate::load::Order;
use crate::serve::{Kept, Serving};

/// How long the host may take to greet. It has just started us, so it is there.
const GREETING_TIMEOUT: Duration = Duration::from_secs(10);

/// Takes no arguments, and never returns.
#[allow(unsafe_code, reason = "the C library calls it by this name, and nothing else here has it")]
#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn main(_: c_int, _: *const *const c_char) -> c_int {
    let Err(fault) = run();
    eprintln!("cofferdam-shim: {fault}");
    serve::exit(fault.exit_code())
}

fn run() -> Result<Infallible, ShimFault> {
    inherit::ignore_broken_pipes()?;
    let stream = inherit::control_socket()?;
    let greeting = control::meet(&stream, GREETING_TIMEOUT)?;
    let mut receiver = ControlReceiver::new(stream.try_clone().map_err(ShimFault::Inherit)?);
    let Confined { confinement, dirs } = confine::confine(load::confine_order(&mut receiver)?, &stream)?;
    let hello = ShimHello { pid: std::process::id(), confinement };
    control::say_hello(&stream, &hello)?;
    let serving = Serving::prepare(ControlSender::new(stream), Kept { dirs, rules: greeting.host });
    match load::receive(&mut receiver)? {
        Order::Load(delivery) => {
            crash::watch(&delivery.crash)?;
            serving.serve(&mut receiver, delivery)
        }
        Order::Explain { record, library, program } => crash::explain(&record, &library, program, serving.sender()),
    }
}
