//! Preface and hello, as a good shim says them or as the fault wants it.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use cofferdam_channel::protocol::control::HostMessage;
use cofferdam_channel::protocol::frame::{LENGTH_BYTES, body_bytes};
use cofferdam_channel::protocol::limits::CONTROL_FRAME_BYTES_MAX;
use cofferdam_channel::protocol::{Confinement, Features, HELLO_BYTES, PREFACE_BYTES, Preface, ShimHello, Side};
use cofferdam_faults::{Fault, ShimFault, Stage};

use crate::hang;
use crate::orders::Orders;
use crate::wrong::send_with_descriptors;

/// Where the preface has the version.
const VERSIONS: std::ops::Range<usize> = 8..12;

/// Meets the host. Returns what is left to be done wrong.
pub(crate) fn greet(mut control: &UnixStream, orders: Orders) -> Result<Orders, Box<dyn std::error::Error>> {
    let mut theirs = [0; PREFACE_BYTES];
    control.read_exact(&mut theirs)?;
    let generation = Preface::generation_of(&theirs);
    let again = if generation > 1 { orders.at(Stage::Restarting) } else { None };
    let fault = match orders.at(Stage::Greeting).or(again) {
        Some(Fault::Shim(fault)) => Some(fault),
        _ => None,
    };
    let mut preface = Preface::ours(Side::Shim, Features::LANES, generation).to_bytes();
    match fault {
        Some(ShimFault::ExitBeforeHello) => std::process::exit(3),
        Some(ShimFault::HangBeforeHello) => hang(),
        Some(ShimFault::WrongMagic) => preface[0] ^= 0xff,
        Some(ShimFault::WrongVersion) => preface[VERSIONS].fill(0x7f),
        Some(ShimFault::StaleGeneration) => {
            preface = Preface::ours(Side::Shim, Features::LANES, generation - 1).to_bytes();
        }
        Some(ShimFault::TruncatedFrame) => {
            control.write_all(&preface[..PREFACE_BYTES / 2])?;
            control.shutdown(std::net::Shutdown::Both)?;
            hang();
        }
        Some(ShimFault::StallsMidFrame) => {
            control.write_all(&preface[..PREFACE_BYTES / 2])?;
            hang();
        }
        _ => {}
    }
    control.write_all(&preface)?;
    control.read_exact(&mut [0; HELLO_BYTES])?;
    read_confine(control)?;

    let all = Confinement::MEASURES.iter().fold(Confinement::NONE, |all, (measure, _)| all | *measure);
    let confinement = match fault {
        Some(ShimFault::Unconfined) => Confinement::NONE,
        // It lies: none is in force.
        _ => all.without(Confinement::CONTROL_GROUP),
    };
    let hello = ShimHello { pid: std::process::id(), confinement }.to_bytes();
    if fault == Some(ShimFault::SendsDescriptors) {
        send_with_descriptors(control, &hello)?;
    } else {
        control.write_all(&hello)?;
    }
    Ok(if generation == 1 { orders } else { Orders::none() })
}

/// What it is told to give up, which it does not.
fn read_confine(mut control: &UnixStream) -> Result<(), Box<dyn std::error::Error>> {
    let mut length = [0; LENGTH_BYTES];
    control.read_exact(&mut length)?;
    let mut body = vec![0; body_bytes(length, CONTROL_FRAME_BYTES_MAX)?];
    control.read_exact(&mut body)?;
    match HostMessage::from_body(&body)? {
        HostMessage::Confine(_) => Ok(()),
        other => Err(io::Error::other(format!("{other:?} came first")).into()),
    }
}
