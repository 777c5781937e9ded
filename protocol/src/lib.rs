//! cofferdam-protocol
