//! Compile bombs.
