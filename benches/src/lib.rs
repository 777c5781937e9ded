//! cofferdam-benches
