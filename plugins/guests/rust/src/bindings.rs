//! The host's interface as Rust, generated from `wit/`.

#![allow(missing_docs, unsafe_code, unused_qualifications, dead_code, clippy::all)]

wit_bindgen::generate!({ path: "../../../wit", world: "plugin" });
