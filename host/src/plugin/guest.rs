//! Plugins for tests, made of a few lines of WebAssembly text.

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Skips with the numbers that it gets about past bans; see the file.
pub(crate) fn asks_history() -> Vec<u8> {
    plugin(include_str!("testdata/history.wat"), "plugin")
}

/// Skips with the country of its subject.
pub(crate) fn asks_geo() -> Vec<u8> {
    plugin(include_str!("testdata/geo.wat"), "plugin")
}

/// Holds an event as its jail says, and formats digests; see the file, which the end-to-end tests use as well.
pub(crate) fn digests() -> Vec<u8> {
    plugin(include_str!("../../../tests/e2e/plugins/digests.wat"), "plugin-with-digest")
}

/// A core module that carries its component type, as cargo leaves it.
pub(crate) fn plugin(text: &str, exports: &str) -> Vec<u8> {
    // A world with all imports, and with the exports of one of banhook's.
    let world = format!(
        "package test:guest@0.1.0; world guest {{
            include banhook:plugin/{exports}@0.1.0;
            import banhook:plugin/history@0.1.0;
            import banhook:plugin/geo@0.1.0;
        }}"
    );
    let mut resolve = Resolve::default();
    resolve.push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit")).unwrap();
    let package = resolve.push_str("guest.wit", &world).unwrap();
    let world = resolve.select_world(&[package], Some("guest")).unwrap();
    let mut module = wat::parse_str(text).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    module
}
