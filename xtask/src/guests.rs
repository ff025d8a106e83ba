//! The example plugins of `plugins/guests`, built from source into `target/guests`.
//!
//! Each toolchain is downloaded once, into `.tools`, in the version that is pinned next to the guest; nothing is installed
//! elsewhere. Files that are up to date are not built again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use clap::ValueEnum;

use crate::command::{cargo, run};
use crate::npm;
use crate::packages;
use crate::plugins;
use crate::rebuild;

/// The version of wit-bindgen-cli, which generates the bindings of the guest in C.
const WIT_BINDGEN: &str = "0.63.0";

/// The stack of the C guest, in bytes: enough for a few nested calls. The linker's 16 MiB would be memory of each instance.
const C_STACK: usize = 64 << 10;

/// A guest, by its language.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Guest {
    /// Built by the toolchain of the template plugin.
    Rust,
    /// Built by componentize-qjs, with QuickJS inside; needs npm.
    Javascript,
    /// Built by zig, a C compiler with a C library for WebAssembly, and wit-bindgen.
    C,
    /// Built by componentize-py, with CPython inside.
    Python,
}

/// The guests that the tests run in addition to the committed components: one built against the current `wit/`, and the one
/// that is too large to commit.
pub const FOR_TESTS: [Guest; 2] = [Guest::Rust, Guest::Python];

/// Builds these guests. Returns the folder of the results, each as `LANGUAGE.wasm`.
pub fn build(root: &Path, guests: &[Guest]) -> anyhow::Result<PathBuf> {
    let builder = Builder::new(root)?;
    for guest in guests {
        packages::ensure(&packages::for_guest(*guest))?;
        match guest {
            Guest::Rust => builder.rust().context("building the guest in Rust"),
            Guest::Javascript => builder.javascript().context("building the guest in JavaScript"),
            Guest::C => builder.c().context("building the guest in C"),
            Guest::Python => builder.python().context("building the guest in Python"),
        }?;
    }
    Ok(builder.output)
}

/// Gets the toolchains that the tests build new plugins with, and no guest: those of JavaScript, TypeScript and C.
pub fn install_tools(root: &Path) -> anyhow::Result<()> {
    let builder = Builder::new(root)?;
    npm::install(&builder.sources.join("javascript"), &builder.tools.join("javascript"))?;
    npm::install(&builder.root.join("plugins/scaffold/ts"), &builder.tools.join("typescript"))?;
    builder.python_with("c").map(drop)
}

/// The folders of sources, toolchains and results.
struct Builder {
    root: PathBuf,
    wit: PathBuf,
    sources: PathBuf,
    output: PathBuf,
    tools: PathBuf,
}

impl Builder {
    fn new(root: &Path) -> anyhow::Result<Self> {
        let root = root.canonicalize().with_context(|| format!("looking for {}", root.display()))?;
        let output = root.join("target/guests");
        fs::create_dir_all(&output).with_context(|| format!("creating {}", output.display()))?;
        Ok(Self {
            wit: root.join("wit"),
            sources: root.join("plugins/guests"),
            tools: root.join(".tools"),
            output,
            root,
        })
    }

    /// This file: a change of how guests are built builds them again.
    fn build_script(&self) -> PathBuf {
        self.root.join("xtask/src/guests.rs")
    }

    /// Cargo itself checks what is up to date.
    fn rust(&self) -> anyhow::Result<()> {
        let built = plugins::compile(&self.root, "banhook-guest")?;
        let product = self.output.join("rust.wasm");
        fs::copy(&built, &product).with_context(|| format!("copying {} to {}", built.display(), product.display()))?;
        Ok(())
    }

    fn javascript(&self) -> anyhow::Result<()> {
        let source = self.sources.join("javascript");
        let tools = self.tools.join("javascript");
        npm::install(&source, &tools)?;

        let program = source.join("plugin.js");
        let product = self.output.join("javascript.wasm");
        rebuild::if_changed(
            &product,
            &[source.join("package-lock.json"), self.wit.clone(), self.build_script(), program.clone()],
            || {
                run(Command::new(tools.join("node_modules/.bin/componentize-qjs"))
                    .args(["--world", "plugin", "--sync", "--stub-wasi", "--opt-size", "--wit"])
                    .arg(&self.wit)
                    .arg("--js")
                    .arg(&program)
                    .arg("--output")
                    .arg(&product))
            },
        )
    }

    fn c(&self) -> anyhow::Result<()> {
        let python = self.python_with("c")?;
        let bindgen = self.wit_bindgen()?;
        let source = self.sources.join("c");
        let generated = self.output.join("c");
        let product = self.output.join("c.wasm");
        rebuild::if_changed(&product, &[source.clone(), self.wit.clone(), self.build_script()], || {
            run(Command::new(bindgen).args(["c", "--world", "plugin", "--out-dir"]).arg(&generated).arg(&self.wit))?;
            // By default zig caches its C library in the user's home.
            let cache = self.tools.join("zig-cache");
            run(Command::new(python)
                .env("ZIG_GLOBAL_CACHE_DIR", &cache)
                .env("ZIG_LOCAL_CACHE_DIR", &cache)
                .args(["-m", "ziglang", "cc", "-target", "wasm32-wasi", "-mexec-model=reactor", "-Os", "-s"])
                .args(["-std=c11", "-Wall", "-Wextra", "-Werror"])
                .arg(format!("-Wl,-z,stack-size={C_STACK}"))
                .arg("-I")
                .arg(&generated)
                .arg(source.join("guest.c"))
                .args(["plugin.c", "plugin_component_type.o"].map(|file| generated.join(file)))
                .arg("-o")
                .arg(&product))
        })
    }

    fn python(&self) -> anyhow::Result<()> {
        let python = self.python_with("python")?;
        let source = self.sources.join("python/app.py");
        let product = self.output.join("python.wasm");
        rebuild::if_changed(&product, &[self.sources.join("python"), self.wit.clone(), self.build_script()], || {
            // From a copy, since Python creates `__pycache__` next to the source.
            let copies = self.output.join("python");
            fs::create_dir_all(&copies).with_context(|| format!("creating {}", copies.display()))?;
            fs::copy(&source, copies.join("app.py")).with_context(|| format!("copying {}", source.display()))?;
            // Run by the interpreter, since the first line of the script names a folder that may have moved.
            let program = python.with_file_name("componentize-py");
            run(Command::new(&python)
                .arg(program)
                .arg("--wit-path")
                .arg(&self.wit)
                .args(["--world", "plugin", "componentize", "--python-path"])
                .arg(&copies)
                .args(["app", "--output"])
                .arg(&product))
        })
    }

    /// The Python interpreter of an environment with the guest's `requirements.txt`.
    fn python_with(&self, guest: &str) -> anyhow::Result<PathBuf> {
        let requirements = self.sources.join(guest).join("requirements.txt");
        let tools = self.tools.join(guest);
        let python = tools.join("bin/python");
        rebuild::if_changed(&tools, std::slice::from_ref(&requirements), || {
            run(Command::new("python3").args(["-m", "venv"]).arg(&tools))?;
            run(Command::new(&python)
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
                .arg(&requirements))
        })?;
        Ok(python)
    }

    /// The wit-bindgen program. Built unoptimised, since it runs for a second and an optimised build takes minutes.
    fn wit_bindgen(&self) -> anyhow::Result<PathBuf> {
        let program = self.tools.join("bin/wit-bindgen");
        let found = Command::new(&program).arg("--version").output();
        if found.is_ok_and(|found| String::from_utf8_lossy(&found.stdout).contains(WIT_BINDGEN)) {
            return Ok(program);
        }
        run(cargo(&self.root)
            .args(["install", "--quiet", "--locked", "--debug", "--no-default-features", "--features=c", "--root"])
            .arg(&self.tools)
            .args(["--target-dir", "target/tools"])
            .arg(format!("wit-bindgen-cli@{WIT_BINDGEN}")))?;
        Ok(program)
    }
}
