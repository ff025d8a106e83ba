//! Plugins for tests, out of a few lines of WebAssembly text.

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Skips with what it is told of past bans; see the file.
pub(crate) fn asks_history() -> Vec<u8> {
    plugin(include_str!("testdata/history.wat"))
}

/// Skips with the country of its subject.
pub(crate) fn asks_geo() -> Vec<u8> {
    plugin(include_str!("testdata/geo.wat"))
}

/// A core module that carries its component type, as cargo leaves it.
fn plugin(text: &str) -> Vec<u8> {
    // The world with all imports, and no export but the one that a plugin must have.
    const WORLD: &str = "package test:guest@0.1.0; world guest {
        include banhook:plugin/plugin@0.1.0;
        import banhook:plugin/history@0.1.0;
        import banhook:plugin/geo@0.1.0;
    }";
    let mut resolve = Resolve::default();
    resolve.push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit")).unwrap();
    let package = resolve.push_str("guest.wit", WORLD).unwrap();
    let world = resolve.select_world(&[package], Some("guest")).unwrap();
    let mut module = wat::parse_str(text).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    module
}
