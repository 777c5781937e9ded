//! Hosts that start what is in registries.
