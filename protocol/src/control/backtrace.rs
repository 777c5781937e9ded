//! Where a process was when a signal ended it.

use crate::codec::{Decode, Encode};

/// Where a thread was. All of it comes from a library and from what its process left: their own word.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Backtrace {
    /// From the innermost outwards.
    pub frames: Vec<Frame>,
    /// What is missing of it and why, for people.
    pub remark: Option<String>,
}

/// One function that had been called and had not returned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Frame {
    /// Where it was executing, in the memory of the process.
    pub address: u64,
    /// The file it comes from, without its folder. Empty when it is unknown.
    pub module: String,
    /// The place in that file.
    pub offset: u64,
    /// Its name.
    pub function: Option<String>,
    /// File and line of the source.
    pub source: Option<String>,
    /// Whether it is part of the next one's code.
    pub inlined: bool,
}
