//! A provider's library behind a safe face. All calls into foreign code are in this file.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::os::fd::{AsRawFd, OwnedFd};

use cofferdam_abi as abi;
use cofferdam_channel::protocol::control::{LoadFault, Setting};
use cofferdam_channel::protocol::limits::{CALLS_MAX, clip};
use cofferdam_channel::{Deadline, Incoming};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use crate::fault::ShimFault;
use crate::sink;

/// What a foreign function answered: its status, and what it wrote.
pub(crate) type Answer = (abi::Status, Vec<u8>);

/// A provider that was made.
pub(crate) struct LoadedLibrary {
    descriptor: &'static abi::ProviderV1,
    context: *mut c_void,
    pub(crate) name: String,
    pub(crate) concurrency: u32,
}

// SAFETY: the ABI says that the provider's functions are called from several threads at once.
unsafe impl Send for LoadedLibrary {}
// SAFETY: as above.
unsafe impl Sync for LoadedLibrary {}

/// Opens the library, checks its descriptor once more where it lies now, and makes the provider.
///
/// `memfd` holds exactly the bytes that [`cofferdam_library::check`] passed; it is sealed.
pub(crate) fn open(memfd: &OwnedFd, host: &'static abi::HostV1) -> Result<LoadedLibrary, ShimFault> {
    let path = format!("/proc/self/fd/{}", memfd.as_raw_fd());
    // SAFETY: this runs foreign constructors, which is what this process is for: it is confined, and holds nothing.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) };
    let library = library.map_err(|error| ShimFault::load(LoadFault::Open, with_cause(&error)))?;
    // SAFETY: the symbol is data, as `cofferdam_library::check` saw; what it points to is checked next.
    let symbol = unsafe { library.get::<*const abi::ProviderV1>(abi::ENTRY_SYMBOL.as_bytes()) };
    let symbol = symbol.map_err(|error| ShimFault::load(LoadFault::Symbol, with_cause(&error)))?;
    let descriptor: *const abi::ProviderV1 = *symbol;
    // Never closed: its threads and thread-locals may outlive every call.
    std::mem::forget(library);
    // SAFETY: `cofferdam_library::check` saw version and size of this ABI at this address, and the library is never closed.
    let descriptor = unsafe { &*descriptor };
    check_descriptor(descriptor)?;
    let context = create(descriptor, host)?;
    // SAFETY: the ABI says that the name is static.
    let name = unsafe { sink::text(descriptor.name) }.unwrap_or("a provider without a readable name");
    let name = clip(name).to_owned();
    Ok(LoadedLibrary { descriptor, context, name, concurrency: descriptor.concurrency })
}

/// Constructors have run since the file was read, and may have written to the descriptor.
fn check_descriptor(descriptor: &abi::ProviderV1) -> Result<(), ShimFault> {
    if descriptor.abi_version != abi::ABI_VERSION {
        return Err(ShimFault::load(LoadFault::Abi, "its constructors changed the ABI version"));
    }
    if !(1..=CALLS_MAX).contains(&descriptor.concurrency) {
        let reason = format!("it declares {} calls at once, allowed is 1 to {CALLS_MAX}", descriptor.concurrency);
        return Err(ShimFault::load(LoadFault::Abi, reason));
    }
    Ok(())
}

fn create(descriptor: &abi::ProviderV1, host: &'static abi::HostV1) -> Result<*mut c_void, ShimFault> {
    let mut context = std::ptr::null_mut();
    let (status, words) = sink::collect(usize::MAX, |why| {
        // SAFETY: the library speaks this ABI; host, place and sink live as long as it says.
        unsafe { (descriptor.create)(host, &raw mut context, why) }
    });
    match status {
        abi::Status::OK => Ok(context),
        abi::Status::PANICKED => {
            Err(ShimFault::load(LoadFault::Create, format!("it panicked: {}", sink::words(&words))))
        }
        _ => Err(ShimFault::load(LoadFault::Create, sink::words(&words))),
    }
}

impl LoadedLibrary {
    pub(crate) fn bind(&self, actor: &str, values: &[Setting]) -> Answer {
        let values: Vec<abi::Value> = values
            .iter()
            .map(|Setting { name, value }| abi::Value {
                name: sink::slice(name.as_bytes()),
                value: sink::slice(value.as_bytes()),
            })
            .collect();
        let link =
            abi::Link { actor: sink::slice(actor.as_bytes()), values: values.as_ptr(), value_count: values.len() };
        // SAFETY: the link borrows what lives until the call returns.
        sink::collect(usize::MAX, |why| unsafe { (self.descriptor.bind)(self.context, &raw const link, why) })
    }

    pub(crate) fn unbind(&self, actor: &str) -> abi::Status {
        let link = abi::Link { actor: sink::slice(actor.as_bytes()), values: std::ptr::null(), value_count: 0 };
        // SAFETY: the link borrows what lives until the call returns.
        unsafe { (self.descriptor.unbind)(self.context, &raw const link) }
    }

    /// Runs one call on this thread; the answer goes into `answer`, up to the payload limit. Returns, too, how long the
    /// answer would have been that was refused for its length.
    pub(crate) fn handle(
        &self,
        call: &Incoming<'_>,
        payload_bytes_max: usize,
        answer: &mut cofferdam_channel::Answer<'_>,
    ) -> (abi::Status, Option<usize>) {
        let call = abi::Call {
            size: size_of::<abi::Call>() as u32,
            reserved: 0,
            id: call.call,
            actor: sink::slice(call.actor.as_bytes()),
            operation: sink::slice(call.operation.as_bytes()),
            payload: sink::slice(call.payload),
            deadline_ns: call.deadline.as_monotonic_ns(),
            cancelled: call.cancelled.flag().map_or(std::ptr::null(), std::ptr::from_ref),
        };
        sink::write_into(answer, payload_bytes_max, |reply| {
            // SAFETY: the call borrows what lives until it returns, the sink is ours.
            unsafe { (self.descriptor.handle)(self.context, &raw const call, reply) }
        })
    }

    pub(crate) fn health(&self) -> Answer {
        // SAFETY: the sink is ours.
        sink::collect(usize::MAX, |why| unsafe { (self.descriptor.health)(self.context, why) })
    }

    /// Frees the provider.
    pub(crate) fn destroy(&self) {
        // SAFETY: the caller has made sure that nothing runs any more, and ends the process next.
        unsafe { (self.descriptor.destroy)(self.context) }
    }

    pub(crate) fn shutdown(&self, deadline: Deadline) -> abi::Status {
        // SAFETY: the context is the one of `create`.
        unsafe { (self.descriptor.shutdown)(self.context, deadline.as_monotonic_ns()) }
    }
}

fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
