//! cofferdam

fn main() {}
