//! The types and exports that wasmtime generates from `wit/`. The functions of imports are defined by name, in `host/`.
#![allow(missing_docs, unused_qualifications, dead_code, clippy::all, clippy::pedantic, reason = "generated code")]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "banhook:plugin/everything",
});
