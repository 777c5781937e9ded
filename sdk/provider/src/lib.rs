//! cofferdam-provider
