//! The example plugins of `plugins/guests`, built from source into `target/guests`.
//!
//! Each toolchain is fetched once, into `.tools`, in the version that is pinned beside the guest; nothing is installed
//! outside. What is up to date is left alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use clap::ValueEnum;

use crate::command::{cargo, run};
use crate::packages;
use crate::plugins;
use crate::product;

/// Of wit-bindgen-cli, which makes the bindings of the guest in C.
const WIT_BINDGEN: &str = "0.63.0";

/// Bytes of the C guest's stack: a few calls deep. The linker's 16 MiB would be memory of every instance.
const C_STACK: usize = 64 << 10;

/// A guest, by its language.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Guest {
    /// By the toolchain that also builds the template plugin.
    Rust,
    /// By componentize-qjs, with QuickJS inside; needs npm.
    Javascript,
    /// By zig, as a C compiler with a C library for WebAssembly, and wit-bindgen.
    C,
    /// By componentize-py, with CPython inside.
    Python,
}

/// What the tests run beside the components that are committed: one built against `wit/` as it is now, and the one that is
/// too large to be committed.
pub const FOR_TESTS: [Guest; 2] = [Guest::Rust, Guest::Python];

/// Builds these guests and says in which folder they are, each as `LANGUAGE.wasm`.
pub fn build(root: &Path, guests: &[Guest]) -> anyhow::Result<PathBuf> {
    let place = Place::new(root)?;
    for guest in guests {
        packages::ensure(&packages::for_guest(*guest))?;
        match guest {
            Guest::Rust => place.rust().context("building the guest in Rust"),
            Guest::Javascript => place.javascript().context("building the guest in JavaScript"),
            Guest::C => place.c().context("building the guest in C"),
            Guest::Python => place.python().context("building the guest in Python"),
        }?;
    }
    Ok(place.products)
}

/// The folders that matter here.
struct Place {
    root: PathBuf,
    wit: PathBuf,
    sources: PathBuf,
    products: PathBuf,
    tools: PathBuf,
}

impl Place {
    fn new(root: &Path) -> anyhow::Result<Self> {
        let root = root.canonicalize().with_context(|| format!("looking for {}", root.display()))?;
        let products = root.join("target/guests");
        fs::create_dir_all(&products).with_context(|| format!("making {}", products.display()))?;
        Ok(Self {
            wit: root.join("wit"),
            sources: root.join("plugins/guests"),
            tools: root.join(".tools"),
            products,
            root,
        })
    }

    /// How guests are built: this file. A change to it makes them anew.
    fn recipe(&self) -> PathBuf {
        self.root.join("xtask/src/guests.rs")
    }

    /// Cargo knows itself what is up to date.
    fn rust(&self) -> anyhow::Result<()> {
        let built = plugins::compile(&self.root, "banhook-guest")?;
        let product = self.products.join("rust.wasm");
        fs::copy(&built, &product).with_context(|| format!("copying {} to {}", built.display(), product.display()))?;
        Ok(())
    }

    fn javascript(&self) -> anyhow::Result<()> {
        let source = self.sources.join("javascript");
        let tools = self.tools.join("javascript");
        let lists = ["package.json", "package-lock.json"].map(|list| source.join(list));
        product::make(&tools, &lists, || {
            fs::create_dir_all(&tools).with_context(|| format!("making {}", tools.display()))?;
            for list in &lists {
                let copy = tools.join(list.file_name().unwrap_or_default());
                fs::copy(list, &copy).with_context(|| format!("copying {}", list.display()))?;
            }
            let npm = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
            run(Command::new("npm").args(npm).current_dir(&tools))
        })?;

        let program = source.join("plugin.js");
        let product = self.products.join("javascript.wasm");
        product::make(&product, &[lists[1].clone(), self.wit.clone(), self.recipe(), program.clone()], || {
            run(Command::new(tools.join("node_modules/.bin/componentize-qjs"))
                .args(["--world", "plugin", "--sync", "--stub-wasi", "--opt-size", "--wit"])
                .arg(&self.wit)
                .arg("--js")
                .arg(&program)
                .arg("--output")
                .arg(&product))
        })
    }

    fn c(&self) -> anyhow::Result<()> {
        let python = self.python_with("c")?;
        let bindgen = self.wit_bindgen()?;
        let source = self.sources.join("c");
        let generated = self.products.join("c");
        let product = self.products.join("c.wasm");
        product::make(&product, &[source.clone(), self.wit.clone(), self.recipe()], || {
            run(Command::new(bindgen).args(["c", "--world", "plugin", "--out-dir"]).arg(&generated).arg(&self.wit))?;
            // Else zig keeps what it has built (the C library) in the user's home.
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
        let product = self.products.join("python.wasm");
        product::make(&product, &[self.sources.join("python"), self.wit.clone(), self.recipe()], || {
            // From a copy, since it leaves `__pycache__` beside what it reads.
            let copies = self.products.join("python");
            fs::create_dir_all(&copies).with_context(|| format!("making {}", copies.display()))?;
            fs::copy(&source, copies.join("app.py")).with_context(|| format!("copying {}", source.display()))?;
            // The script by its interpreter: its first line names a folder, and that may have moved.
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

    /// A Python interpreter with what `requirements.txt` of that guest names.
    fn python_with(&self, guest: &str) -> anyhow::Result<PathBuf> {
        let requirements = self.sources.join(guest).join("requirements.txt");
        let tools = self.tools.join(guest);
        let python = tools.join("bin/python");
        product::make(&tools, std::slice::from_ref(&requirements), || {
            run(Command::new("python3").args(["-m", "venv"]).arg(&tools))?;
            run(Command::new(&python)
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
                .arg(&requirements))
        })?;
        Ok(python)
    }

    /// Unoptimised, since it runs for a second and would compile for minutes.
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
