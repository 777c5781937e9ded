//! cofferdam-tests
