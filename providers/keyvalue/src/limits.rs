//! What is bounded, and by how much.

use std::time::Duration;

/// The longest key, in bytes of UTF-8.
pub(crate) const KEY_BYTES_MAX: usize = 64 * 1024;
/// The most keys of one union or intersection.
pub(crate) const KEYS_MAX: usize = 1024;
/// The most items of a list: its length is an `i32` on the wire.
pub(crate) const LIST_ITEMS_MAX: u64 = i32::MAX as u64;
/// The most writes in one commit.
pub(crate) const GROUP_WRITES_MAX: usize = 256;
/// The most writes that wait for their commit.
pub(crate) const WAITING_WRITES_MAX: usize = 1024;
/// The most expired values that one commit sweeps.
pub(crate) const SWEPT_VALUES_MAX: usize = 64;
/// The most databases open at once; each has a thread and a cache.
pub(crate) const DATABASES_MAX: usize = 32;
/// The cache of one database, in bytes.
pub(crate) const CACHE_BYTES: usize = 16 * 1024 * 1024;
/// How long a bind waits for an earlier process, one that is still dying, to let go of the file.
pub(crate) const LOCK_WAIT: Duration = Duration::from_secs(3);
