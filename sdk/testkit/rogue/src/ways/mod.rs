//! The attempts, by what they are after. Each function makes one and says what became of it; none prepares or cleans up
//! for another.

pub(crate) mod code;
pub(crate) mod descriptors;
pub(crate) mod files;
pub(crate) mod foreign;
pub(crate) mod kernel;
pub(crate) mod limits;
pub(crate) mod memory;
pub(crate) mod mounts;
pub(crate) mod network;
pub(crate) mod processes;
pub(crate) mod rights;

/// The provider's own directory, as it sees it.
pub(crate) const OWN: &str = "/dirs/state";

/// A path as the kernel takes it.
pub(crate) fn path(text: impl Into<Vec<u8>>) -> std::ffi::CString {
    std::ffi::CString::new(text).expect("the harness sends paths without zeros")
}
