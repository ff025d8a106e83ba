//! What wasmtime generates from `wit/`.
#![allow(missing_docs, unused_qualifications, clippy::all, clippy::pedantic, reason = "generated code")]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "banhook:plugin/everything",
    // Without an answer the plugin fails: see `History`.
    imports: { "banhook:plugin/history.bans": trappable },
});
