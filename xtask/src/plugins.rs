//! Builds the plugins that are written in Rust, and puts the one in place that is committed as `plugins/dist/template.wasm`.
//!
//! What comes out is a core module that carries its component type; the host makes a component of it. Two
//! toolchains can do it: one of rustup's with the WebAssembly target added, or Debian's `rustc-web`, which brings
//! the source of the standard library and so compiles that, too (a minute and a half, once). Their code differs,
//! what it does must not.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::command::{cargo, run, target_dir};

const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's `rustc-web`: newer than its `rustc`, and the one that `rust-web-src` belongs to.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// Of `rust-web-src`.
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src/rust";

/// Of `lld-19`; Debian's Rust brings no linker for WebAssembly.
const DEBIAN_LINKER: &str = "/usr/bin/wasm-ld-19";

/// Builds the template plugin and says where it is. It is initialized then: what its templates compile to is part of it.
pub fn build(root: &Path) -> anyhow::Result<PathBuf> {
    let module = compile(root, "banhook-template")?;
    // All programs, as the tests build them too: one selection of packages, so wasmtime is compiled once.
    run(cargo(root).args(["build", "--workspace", "--bins"]))?;
    let initialized = root.join("target/wasm/template.wasm");
    run(Command::new(target_dir(root)?.join("debug/banhook-preinitialize")).arg(module).arg(&initialized))?;
    Ok(initialized)
}

/// Compiles a package of the workspace to WebAssembly and says where it is.
pub fn compile(root: &Path, package: &str) -> anyhow::Result<PathBuf> {
    let root = root.canonicalize().with_context(|| format!("looking for {}", root.display()))?;
    // Apart from the usual folder: the flags differ, and the two would evict each other.
    let target_dir = root.join("target/wasm");

    let mut command = cargo(&root);
    command
        .args(["build", "--package", package, "--lib", "--profile", "plugin", "--target", TARGET])
        .env("CARGO_TARGET_DIR", &target_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", without_paths(&root));
    if !has_wasm_target() {
        use_debian(&mut command)?;
    }
    run(&mut command)?;
    Ok(target_dir.join(TARGET).join(format!("plugin/{}.wasm", package.replace('-', "_"))))
}

/// Builds the template plugin and puts it where it is committed.
pub fn install(root: &Path) -> anyhow::Result<()> {
    let built = build(root)?;
    let dist = root.join("plugins/dist");
    fs::create_dir_all(&dist).with_context(|| format!("making {}", dist.display()))?;
    let file = dist.join("template.wasm");
    // Not `fs::copy`, which would make the file executable.
    let module = fs::read(&built).with_context(|| format!("reading {}", built.display()))?;
    fs::write(&file, module).with_context(|| format!("writing {}", file.display()))
}

/// If the toolchain in use can build for WebAssembly as it is, as after `rustup target add`.
pub fn has_wasm_target() -> bool {
    let asked = Command::new("rustc").args(["--print=target-libdir", "--target", TARGET]).output();
    asked.is_ok_and(|answer| Path::new(String::from_utf8_lossy(&answer.stdout).trim()).is_dir())
}

fn use_debian(command: &mut Command) -> anyhow::Result<()> {
    if let Some(missing) = [DEBIAN_RUSTC, DEBIAN_SOURCE, DEBIAN_LINKER].iter().find(|path| !Path::new(path).exists()) {
        bail!(
            "this Rust cannot build for WebAssembly (and {missing} is not there): `rustup target add {TARGET}`, or on \
             Debian `apt-get install --no-install-recommends rustc-web rust-web-src lld-19`"
        );
    }
    command
        .args(["-Z", "build-std=std,panic_abort", "-Z", "build-std-features="])
        .env("RUSTC", DEBIAN_RUSTC)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", DEBIAN_LINKER);
    Ok(())
}

/// Flags that keep the names of folders out of the module: panics carry the path of their source.
fn without_paths(root: &Path) -> OsString {
    let cargo_home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let mut folders = vec![(root.to_owned(), ""), (PathBuf::from(DEBIAN_SOURCE), "/rustc")];
    if let Some(cargo_home) = cargo_home {
        // One folder for each registry, named after its host; the last flag that fits counts.
        let registries = fs::read_dir(cargo_home.join("registry/src")).into_iter().flatten().flatten();
        folders.push((cargo_home, "/cargo"));
        folders.extend(registries.map(|entry| (entry.path(), "/cargo")));
    }
    let mut flags = OsString::new();
    for (folder, name) in folders {
        if !flags.is_empty() {
            // How cargo separates flags in CARGO_ENCODED_RUSTFLAGS.
            flags.push("\x1f");
        }
        flags.push("--remap-path-prefix=");
        flags.push(folder);
        flags.push("=");
        flags.push(name);
    }
    flags
}
