//! Plugins assembled from WebAssembly text, for behaviour that no sane toolchain produces.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{PackageId, Resolve};

use crate::binary::root;

/// Misbehaves as the event's jail says (`~trap`, `~loop`, `~hog`, `~error`, `~blank`) and skips any other event.
pub fn faulty() -> Vec<u8> {
    plugin(include_str!("plugins/faulty.wat"))
}

/// Holds events whose jail begins with `~hold`, posts the others, and formats digests as `2 events (held, ~hold), …`; see
/// the file.
pub fn digests() -> Vec<u8> {
    of_world(include_str!("plugins/digests.wat"), "plugin-with-digest")
}

/// Traps on every event, and therefore also when it is loaded.
pub fn always_traps() -> Vec<u8> {
    plugin(include_str!("plugins/always_traps.wat"))
}

/// Queries past bans and skips with the answer.
pub fn asks_history() -> Vec<u8> {
    with_grants(include_str!("../../host/src/plugin/testdata/history.wat"))
}

/// Skips with the country of its subject.
pub fn asks_geo() -> Vec<u8> {
    with_grants(include_str!("../../host/src/plugin/testdata/geo.wat"))
}

/// A core module that carries no component type, as a plain `cargo build --target wasm32-unknown-unknown` makes it.
pub fn core_module() -> Vec<u8> {
    wat::parse_str(r#"(module (memory (export "memory") 1) (func (export "format") (result i32) i32.const 0))"#)
        .unwrap()
}

/// A valid component that is not a banhook plugin.
pub fn of_another_world() -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve
        .push_str("other.wit", "package some:thing@1.0.0; world clockwork { export wind-up: func(turns: u32); }")
        .unwrap();
    component(r#"(module (func (export "wind-up") (param i32)))"#, &resolve, package, "clockwork")
}

/// `text` as a component of the world `plugin`.
fn plugin(text: &str) -> Vec<u8> {
    of_world(text, "plugin")
}

/// `text` as a component of one of banhook's worlds.
fn of_world(text: &str, world: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(root().join("wit")).unwrap();
    component(text, &resolve, package, world)
}

/// `text` as a component of a world that includes the imports that routes grant.
fn with_grants(text: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    resolve.push_dir(root().join("wit")).unwrap();
    let world = "package test:guest@0.1.0; world guest {
        include banhook:plugin/plugin@0.1.0;
        import banhook:plugin/history@0.1.0;
        import banhook:plugin/geo@0.1.0;
    }";
    let package = resolve.push_str("guest.wit", world).unwrap();
    component(text, &resolve, package, "guest")
}

/// `text`, a core module, as a component of a world. Not validated: that is the job of the program under test.
pub fn component(text: &str, resolve: &Resolve, package: PackageId, world: &str) -> Vec<u8> {
    let mut module = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"));
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8).unwrap();
    let encoder = ComponentEncoder::default().module(&module).unwrap_or_else(|error| panic!("{error:#}"));
    encoder.validate(false).encode().unwrap_or_else(|error| panic!("{error:#}"))
}
