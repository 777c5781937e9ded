//! cofferdam-shim

fn main() {}
