//! Builds the plugins that are written in Rust, and updates the committed `plugins/dist/template.wasm`.
//!
//! The result is a core module with its component type; the host makes a component of it. Two toolchains can build it:
//! rustup's with the WebAssembly target, or Debian's `rustc-web`, which compiles the standard library from source (a minute
//! and a half, once). Their code differs, its behaviour must not.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::command::{cargo, run, target_dir};

const TARGET: &str = "wasm32-unknown-unknown";

/// The compiler of Debian's `rustc-web`: newer than its `rustc`, and of the same version as `rust-web-src`.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// The standard library's source, of `rust-web-src`.
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src/rust";

/// The linker of `lld-19`; Debian's Rust has none for WebAssembly.
const DEBIAN_LINKER: &str = "/usr/bin/wasm-ld-19";

/// Builds and pre-initializes the template plugin, so that its compiled templates are part of the file. Returns its path.
pub fn build(root: &Path) -> anyhow::Result<PathBuf> {
    let module = compile(root, "banhook-template")?;
    // Builds all programs, as the tests do: with the same selection of packages, so that wasmtime is compiled only once.
    run(cargo(root).args(["build", "--workspace", "--bins"]))?;
    let initialized = root.join("target/wasm/template.wasm");
    run(Command::new(target_dir(root)?.join("debug/banhook-preinitialize")).arg(module).arg(&initialized))?;
    Ok(initialized)
}

/// Compiles a package of the workspace to WebAssembly. Returns its path.
pub fn compile(root: &Path, package: &str) -> anyhow::Result<PathBuf> {
    let root = root.canonicalize().with_context(|| format!("looking for {}", root.display()))?;
    // A folder of its own: the flags differ, and each build would discard the other.
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

/// Builds the template plugin and copies it to `plugins/dist`.
pub fn install(root: &Path) -> anyhow::Result<()> {
    let built = build(root)?;
    let dist = root.join("plugins/dist");
    fs::create_dir_all(&dist).with_context(|| format!("creating {}", dist.display()))?;
    let file = dist.join("template.wasm");
    // Not `fs::copy`, which would copy the execute permission.
    let module = fs::read(&built).with_context(|| format!("reading {}", built.display()))?;
    fs::write(&file, module).with_context(|| format!("writing {}", file.display()))
}

/// Whether the current toolchain can build for WebAssembly, as after `rustup target add`.
pub fn has_wasm_target() -> bool {
    let asked = Command::new("rustc").args(["--print=target-libdir", "--target", TARGET]).output();
    asked.is_ok_and(|answer| Path::new(String::from_utf8_lossy(&answer.stdout).trim()).is_dir())
}

fn use_debian(command: &mut Command) -> anyhow::Result<()> {
    if let Some(missing) = [DEBIAN_RUSTC, DEBIAN_SOURCE, DEBIAN_LINKER].iter().find(|path| !Path::new(path).exists()) {
        bail!(
            "this Rust cannot build for WebAssembly, and {missing} does not exist; run `rustup target add {TARGET}`, or on \
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

/// Compiler flags that keep local paths out of the module: panics contain the path of their source.
fn without_paths(root: &Path) -> OsString {
    let cargo_home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let mut folders = vec![(root.to_owned(), ""), (PathBuf::from(DEBIAN_SOURCE), "/rustc")];
    if let Some(cargo_home) = cargo_home {
        // One folder per registry, named after its host; the last matching flag applies.
        let registries = fs::read_dir(cargo_home.join("registry/src")).into_iter().flatten().flatten();
        folders.push((cargo_home, "/cargo"));
        folders.extend(registries.map(|entry| (entry.path(), "/cargo")));
    }
    let mut flags = OsString::new();
    for (folder, name) in folders {
        if !flags.is_empty() {
            // The separator of flags in CARGO_ENCODED_RUSTFLAGS.
            flags.push("\x1f");
        }
        flags.push("--remap-path-prefix=");
        flags.push(folder);
        flags.push("=");
        flags.push(name);
    }
    flags
}
