//! The host's interface as Rust, generated from `wit/` by `tests/bindings.rs`, so that no plugin compiles the generator.
//!
//! One module for what a plugin may import, and one for each of its exports, so that it exports only what it has.

#![allow(missing_docs, unused_qualifications, clippy::all)]

#[rustfmt::skip]
pub mod digester;
#[rustfmt::skip]
pub mod formatter;
#[rustfmt::skip]
pub mod imports;
#[rustfmt::skip]
pub mod settings;
