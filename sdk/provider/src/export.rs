//! From a [`Provider`] to the C ABI: one static, seven functions, no unwinding across any of them.
#![allow(unsafe_code)]

use std::any::Any;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use cofferdam_abi as abi;

use crate::host::monotonic_now_ns;
use crate::{Call, Failure, Host, Link, Provider, Reply, raw};

/// Makes a type that implements [`Provider`] the one that this library provides.
#[macro_export]
macro_rules! export {
    ($provider:ty) => {
        /// What the shim looks for.
        #[unsafe(no_mangle)]
        #[allow(non_upper_case_globals)]
        pub static cofferdam_provider_v1: $crate::__abi::Exported = $crate::__export::<$provider>();
    };
}

/// The static of [`export!`]. Not for direct use.
#[doc(hidden)]
pub const fn __export<P: Provider>() -> abi::Exported {
    abi::Exported(abi::ProviderV1 {
        abi_version: abi::ABI_VERSION,
        size: size_of::<abi::ProviderV1>() as u32,
        name: abi::Slice { ptr: P::NAME.as_ptr(), len: P::NAME.len() },
        concurrency: P::CONCURRENCY,
        reserved: 0,
        create: create::<P>,
        bind: bind::<P>,
        unbind: unbind::<P>,
        handle: handle::<P>,
        health: health::<P>,
        shutdown: shutdown::<P>,
        destroy: destroy::<P>,
    })
}

unsafe extern "C" fn create<P: Provider>(
    host: *const abi::HostV1,
    context: *mut *mut c_void,
    why: *mut abi::Sink,
) -> abi::Status {
    guarded(why, || {
        // SAFETY: the shim's host lives until `destroy` returns, and nothing of the provider lives after that.
        let host = unsafe { Host::new(&*host) };
        let provider = Box::new(P::create(host)?);
        // SAFETY: the shim gave a place to write to.
        unsafe { *context = Box::into_raw(provider).cast() };
        Ok(())
    })
}

unsafe extern "C" fn bind<P: Provider>(
    context: *mut c_void,
    link: *const abi::Link,
    why: *mut abi::Sink,
) -> abi::Status {
    // SAFETY: `context` is the one of `create`; the link lives until we return.
    guarded(why, || unsafe { provider::<P>(context).bind(&Link::new(&*link)) })
}

unsafe extern "C" fn unbind<P: Provider>(context: *mut c_void, link: *const abi::Link) -> abi::Status {
    guarded(std::ptr::null_mut(), || {
        // SAFETY: as for `bind`.
        unsafe { provider::<P>(context).unbind(raw::text((*link).actor)) };
        Ok(())
    })
}

unsafe extern "C" fn handle<P: Provider>(
    context: *mut c_void,
    call: *const abi::Call,
    reply: *mut abi::Sink,
) -> abi::Status {
    // SAFETY: `context` is the one of `create`; call and sink live until we return.
    guarded(reply, || unsafe { provider::<P>(context).handle(&Call::new(&*call), &mut Reply::new(reply)) })
}

unsafe extern "C" fn health<P: Provider>(context: *mut c_void, why: *mut abi::Sink) -> abi::Status {
    // SAFETY: `context` is the one of `create`.
    guarded(why, || unsafe { provider::<P>(context).health() })
}

unsafe extern "C" fn shutdown<P: Provider>(context: *mut c_void, deadline_ns: u64) -> abi::Status {
    guarded(std::ptr::null_mut(), || {
        let timeout = Duration::from_nanos(deadline_ns.saturating_sub(monotonic_now_ns()));
        // SAFETY: `context` is the one of `create`.
        unsafe { provider::<P>(context).shutdown(timeout) };
        Ok(())
    })
}

unsafe extern "C" fn destroy<P: Provider>(context: *mut c_void) {
    // SAFETY: `create` made the box, and the ABI says that nobody else uses it now or later.
    let drop_it = || drop(unsafe { Box::from_raw(context.cast::<P>()) });
    let _ = catch_unwind(AssertUnwindSafe(drop_it));
}

/// # Safety
/// `context` must be what `create::<P>` stored, before `destroy`.
unsafe fn provider<'a, P: Provider>(context: *mut c_void) -> &'a P {
    // SAFETY: by the promise above.
    unsafe { &*context.cast::<P>() }
}

/// Runs one method; words of a failure or panic take the place of the answer.
fn guarded(sink: *mut abi::Sink, run: impl FnOnce() -> Result<(), Failure>) -> abi::Status {
    let (status, words) = match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(())) => return abi::Status::OK,
        Ok(Err(failure)) => (abi::Status::FAILED, failure.to_string()),
        Err(panic) => (abi::Status::PANICKED, panic_words(panic.as_ref())),
    };
    if !sink.is_null() {
        // SAFETY: a non-null sink is the shim's, live until we return; nobody else uses it.
        unsafe { raw::replace(sink, words.as_bytes()) };
    }
    status
}

fn panic_words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}
