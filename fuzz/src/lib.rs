//! What the fuzz targets share: honest signatures, and what holds for every error.
//!
//! A target feeds one parser. It never reads a file, never asks the clock and never sleeps: the same input does the same.
#![forbid(unsafe_code)]

pub mod errors;
pub mod signing;
