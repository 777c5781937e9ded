//! cofferdam's host as a library: actors, providers, and the broker between them.

pub mod actor;
pub mod words;
