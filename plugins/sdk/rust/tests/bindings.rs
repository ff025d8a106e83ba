//! The bindings are what wit-bindgen generates from `wit/`; `UPDATE_GOLDEN=1` writes them.

use std::fs;
use std::path::Path;

use wit_bindgen_core::wit_parser::Resolve;
use wit_bindgen_core::{Files, WorldGenerator as _};
use wit_bindgen_rust::{Opts, WithOption};

/// The world with everything that a plugin may import, and the interfaces whose types the other worlds share.
const IMPORTS: &str = "imports";
const SHARED: [&str; 2] = ["types", "messages"];

/// Each world has a file.
const WORLDS: &str = "
    package banhook:sdk;
    world imports {
        import banhook:plugin/types@0.1.0;
        import banhook:plugin/messages@0.1.0;
        import banhook:plugin/log@0.1.0;
        import banhook:plugin/settings@0.1.0;
        import banhook:plugin/clock@0.1.0;
        import banhook:plugin/history@0.1.0;
        import banhook:plugin/geo@0.1.0;
    }
    world formatter { export banhook:plugin/formatter@0.1.0; }
    world digester { export banhook:plugin/digester@0.1.0; }
    world settings { export banhook:plugin/descriptor@0.1.0; export banhook:plugin/checker@0.1.0; }
";

#[test]
fn bindings_are_generated_from_the_interface() {
    for (world, shared) in [(IMPORTS, &[][..]), ("formatter", &SHARED), ("digester", &SHARED), ("settings", &[])] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/bindings/{world}.rs"));
        let generated = generate(world, shared);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&path, &generated).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(found == generated, "{} is not what wit/ says; write it with UPDATE_GOLDEN=1", path.display());
    }
}

fn generate(world: &str, shared: &[&str]) -> String {
    let mut resolve = Resolve::default();
    resolve.push_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../wit")).unwrap();
    let package = resolve.push_str("sdk.wit", WORLDS).unwrap();
    let id = resolve.select_world(&[package], Some(world)).unwrap();
    let with = shared.iter().map(|interface| {
        let path = format!("crate::bindings::{IMPORTS}::banhook::plugin::{interface}");
        (format!("banhook:plugin/{interface}@0.1.0"), WithOption::Path(path))
    });
    let options = Opts {
        generate_all: true,
        generate_unused_types: true,
        pub_export_macro: true,
        additional_derive_attributes: vec!["PartialEq".to_owned()],
        with: with.collect(),
        ..Opts::default()
    };
    let mut files = Files::default();
    options.build().generate(&mut resolve, id, &mut files).unwrap();
    let (_, text) = files.iter().next().unwrap();
    // Indentation would be two thirds of it.
    let lines = std::str::from_utf8(text).unwrap().lines().map(str::trim_start);
    lines.filter(|line| !line.is_empty()).flat_map(|line| [line, "\n"]).collect()
}
