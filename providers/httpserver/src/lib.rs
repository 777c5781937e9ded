//! httpserver
