//! One call, one link and one reply, as a provider sees them.
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cofferdam_abi as abi;

use crate::{Failure, host::monotonic_now_ns, raw};

/// One call of a linked actor.
#[derive(Debug)]
pub struct Call<'a> {
    raw: &'a abi::Call,
}

impl<'a> Call<'a> {
    /// # Safety
    /// `raw` must have come from the shim in a call that has not returned within `'a`.
    pub(crate) unsafe fn new(raw: &'a abi::Call) -> Self {
        Self { raw }
    }

    /// Names the call in logs.
    pub fn id(&self) -> u64 {
        self.raw.id
    }

    /// The public key of the calling actor, vouched for by the host.
    pub fn actor(&self) -> &'a str {
        // SAFETY: by the promise of `new`.
        unsafe { raw::text(self.raw.actor) }
    }

    /// The operation, such as `Get`.
    pub fn operation(&self) -> &'a str {
        // SAFETY: by the promise of `new`.
        unsafe { raw::text(self.raw.operation) }
    }

    /// The argument, MessagePack by convention.
    pub fn payload(&self) -> &'a [u8] {
        // SAFETY: by the promise of `new`.
        unsafe { raw::bytes(self.raw.payload) }
    }

    /// When the caller stops waiting, on `CLOCK_MONOTONIC`, in ns. Calls made on behalf of this one pass it on.
    pub fn deadline_ns(&self) -> u64 {
        self.raw.deadline_ns
    }

    /// How long the caller still waits.
    pub fn time_left(&self) -> Duration {
        Duration::from_nanos(self.raw.deadline_ns.saturating_sub(monotonic_now_ns()))
    }

    /// Whether the caller has gone: its answer would be dropped, so long work may stop.
    pub fn is_cancelled(&self) -> bool {
        // SAFETY: the ABI keeps the flag alive until the call returns.
        unsafe { self.raw.cancelled.as_ref() }.is_some_and(|flag| flag.load(Ordering::Relaxed) != 0)
    }
}

/// A link between an actor and this provider.
#[derive(Debug)]
pub struct Link<'a> {
    actor: &'a str,
    values: Vec<(&'a str, &'a str)>,
}

impl<'a> Link<'a> {
    /// # Safety
    /// `raw` must have come from the shim in a call that has not returned within `'a`.
    pub(crate) unsafe fn new(raw: &'a abi::Link) -> Self {
        let values = if raw.value_count == 0 {
            &[]
        } else {
            // SAFETY: the ABI promises `value_count` values until the call returns.
            unsafe { std::slice::from_raw_parts(raw.values, raw.value_count) }
        };
        // SAFETY: by the promise above.
        let pair = |value: &abi::Value| unsafe { (raw::text(value.name), raw::text(value.value)) };
        // SAFETY: by the promise above.
        Self { actor: unsafe { raw::text(raw.actor) }, values: values.iter().map(pair).collect() }
    }

    /// The actor's public key.
    pub fn actor(&self) -> &'a str {
        self.actor
    }

    /// The value of a setting.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.values.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    /// All settings. Values may be secrets: don't log them.
    pub fn values(&self) -> impl Iterator<Item = (&'a str, &'a str)> + '_ {
        self.values.iter().copied()
    }
}

/// Where the answer of one call goes.
#[derive(Debug)]
pub struct Reply<'a> {
    sink: *mut abi::Sink,
    lifetime: PhantomData<&'a mut abi::Sink>,
}

impl Reply<'_> {
    /// # Safety
    /// `sink` must be a live sink of the shim, used by nobody else until the reply is dropped.
    pub(crate) unsafe fn new(sink: *mut abi::Sink) -> Self {
        Self { sink, lifetime: PhantomData }
    }

    /// Appends to the answer, straight into the host's buffer.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        // SAFETY: by the promise of `new`.
        let accepted = unsafe { raw::append(self.sink, bytes) };
        if accepted { Ok(()) } else { Err(Failure::new("the answer exceeds the payload limit of the host")) }
    }
}

impl std::io::Write for Reply<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Reply::write(self, bytes).map_err(|failure| std::io::Error::other(failure.to_string()))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
