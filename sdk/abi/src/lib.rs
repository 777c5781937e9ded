//! cofferdam-abi
