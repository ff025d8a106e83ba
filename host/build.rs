//! Generates what plugins in C are built with: the interface as C, and the object file with the component type. So nobody
//! who writes one compiles a generator. One set for each combination of exports; what a plugin does not import falls away
//! when it is linked.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use wit_bindgen_core::Files;
use wit_bindgen_core::wit_parser::Resolve;

/// Combinations of exports, by the names of their directories, and the worlds that have them.
const WORLDS: [(&str, &[&str]); 4] = [
    ("format", &[]),
    ("format-digest", &["plugin-with-digest"]),
    ("format-check", &["plugin-with-settings"]),
    ("format-digest-check", &["plugin-with-digest", "plugin-with-settings"]),
];

/// The name of the world in every plugin that banhook scaffolds.
const WORLD: &str = "mine";

fn main() -> Result<(), Box<dyn Error>> {
    let wit = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../wit");
    println!("cargo::rerun-if-changed={}", wit.display());
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for (name, worlds) in WORLDS {
        let directory = out.join("c").join(name);
        fs::create_dir_all(&directory)?;
        for (file, content) in bindings(&wit, worlds)?.iter() {
            fs::write(directory.join(file), content)?;
        }
    }
    Ok(())
}

fn bindings(wit: &Path, worlds: &[&str]) -> Result<Files, Box<dyn Error>> {
    let mut resolve = Resolve::default();
    resolve.push_dir(wit)?;
    let includes = ["plugin-with-history", "plugin-with-geo"].iter().chain(worlds);
    let includes: String = includes.map(|world| format!("include banhook:plugin/{world}@0.1.0; ")).collect();
    let package = resolve.push_str("mine.wit", &format!("package plugin:scaffold; world {WORLD} {{ {includes} }}"))?;
    let world = resolve.select_world(&[package], Some(WORLD))?;
    let mut files = Files::default();
    wit_bindgen_c::Opts::default().build().generate(&mut resolve, world, &mut files)?;
    Ok(files)
}
