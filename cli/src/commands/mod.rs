//! One module for each command: its flags, what it does, what it prints.

pub(crate) mod audit;
pub(crate) mod call;
pub(crate) mod claims;
pub(crate) mod crashes;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod inspect;
pub(crate) mod keys;
pub(crate) mod par;
pub(crate) mod provider;
pub(crate) mod ps;
pub(crate) mod registry;
pub(crate) mod run;
mod signing;
