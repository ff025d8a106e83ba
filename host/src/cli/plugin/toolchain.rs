//! The tools that build a plugin in its language: how they are found, got and called.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, anyhow, bail, ensure};
use wasmparser::{Parser, Payload};

use super::scaffold::{BINDINGS, Language};

/// What every build makes.
pub(super) const PRODUCT: &str = "plugin.wasm";

/// Where the tools of Python and C are, in the plugin's directory.
const PYTHON_TOOLS: &str = ".venv";

/// Where a plugin in JavaScript begins: its exports, by the names of the interface. Without it the source is all there is.
const JS_ENTRY: &str = "sdk/entry.js";

/// Where a plugin in TypeScript is without its types.
const TS_OUTPUT: &str = "build";

/// The WebAssembly target of Rust.
const RUST_TARGET: &str = "wasm32-unknown-unknown";

/// Debian's Rust for WebAssembly: the compiler of `rustc-web`, the sources of `rust-web-src` and the linker of `lld-19`.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src/rust";
const DEBIAN_LINKER: &str = "/usr/bin/wasm-ld-19";

/// Bytes of the stack of a plugin in C: the linker's 16 MiB would be memory of each instance.
const C_STACK: usize = 64 << 10;

/// A tool that is not there, and the one command that gets it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Missing {
    /// What is missing.
    pub tool: &'static str,
    /// For `sh`, in the plugin's directory. It may be run for the author: it changes nothing outside that directory.
    pub command: String,
    /// Whether that is so.
    pub is_local: bool,
}

impl Missing {
    /// Returns the error that names it, and the command.
    pub(super) fn error(&self) -> anyhow::Error {
        let hint = if self.is_local { " in the plugin's directory, or add --install-tools" } else { "" };
        anyhow!("{} is missing; run{hint}: {}", self.tool, self.command)
    }
}

/// Returns the language of the plugin in a directory, by its files.
///
/// # Errors
/// When there is no plugin.
pub(super) fn language(directory: &Path) -> anyhow::Result<Language> {
    let languages = [Language::Rust, Language::Ts, Language::Js, Language::Python, Language::C];
    let found = languages.into_iter().find(|language| directory.join(language.source()).is_file());
    found.with_context(|| {
        let sources = languages.map(Language::source).join(", ");
        format!("there is no plugin in {} (none of {sources}); make one with `banhook plugin new`", directory.display())
    })
}

/// Returns the commands that build the plugin in a directory into [`PRODUCT`], one after the other, or what is missing.
///
/// # Errors
/// When a part of the plugin is missing.
pub(super) fn build(directory: &Path, language: Language) -> anyhow::Result<Result<Vec<Command>, Missing>> {
    let found = match language {
        Language::Rust => rust(),
        Language::Js => js(directory),
        Language::Ts => return Ok(ts(directory)),
        Language::Python => python(directory),
        Language::C => c(directory)?,
    };
    Ok(found.map(|command| vec![command]))
}

/// Makes [`PRODUCT`] of what the command left, where that is another file.
pub(super) fn finish(directory: &Path, language: Language) -> anyhow::Result<()> {
    if language == Language::C {
        let product = directory.join(PRODUCT);
        let module = std::fs::read(&product).with_context(|| format!("cannot read {}", product.display()))?;
        return std::fs::write(&product, without_debug(&module)?)
            .with_context(|| format!("cannot write {}", product.display()));
    }
    if language != Language::Rust {
        return Ok(());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| directory.join("target"), PathBuf::from);
    let built = target.join(RUST_TARGET).join("release").join(PRODUCT);
    let product = directory.join(PRODUCT);
    let bytes = std::fs::read(&built)
        .with_context(|| format!("cannot read {}; the library's name must be \"plugin\"", built.display()))?;
    // Not a copy with cargo's permissions, which let it be executed.
    std::fs::write(&product, bytes).with_context(|| format!("cannot write {}", product.display()))
}

/// Drops debugging information and keeps the names of functions, which backtraces need. zig can only drop or keep both, and
/// the former is 50 times as large as a plugin, since it has that of the C library.
fn without_debug(module: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut kept = Vec::new();
    let mut start = 0;
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.context("the compiler made no WebAssembly module")?;
        let end = match &payload {
            Payload::Version { range, .. } => range.end,
            other => match other.as_section() {
                Some((_, range)) => range.end,
                None => continue,
            },
        };
        let is_debug = matches!(&payload, Payload::CustomSection(section) if section.name().starts_with(".debug_"));
        if !is_debug {
            kept.extend_from_slice(module.get(start..end).unwrap_or_default());
        }
        start = end;
    }
    Ok(kept)
}

fn rust() -> Result<Command, Missing> {
    if on_path("cargo").is_none() {
        let command = "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh".to_owned();
        return Err(Missing { tool: "cargo, of Rust", command, is_local: false });
    }
    let mut command = Command::new("cargo");
    command.args(["build", "--release", "--target", RUST_TARGET]);
    let asked = Command::new("rustc").args(["--print=target-libdir", "--target", RUST_TARGET]).output();
    if asked.is_ok_and(|answer| Path::new(String::from_utf8_lossy(&answer.stdout).trim()).is_dir()) {
        return Ok(command);
    }
    if [DEBIAN_RUSTC, DEBIAN_SOURCE, DEBIAN_LINKER].iter().all(|path| Path::new(path).exists()) {
        command
            .args(["-Z", "build-std=std,panic_abort", "-Z", "build-std-features="])
            .env("RUSTC", DEBIAN_RUSTC)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", DEBIAN_LINKER);
        return Ok(command);
    }
    let command = match on_path("rustup") {
        Some(_) => format!("rustup target add {RUST_TARGET}"),
        None => "apt-get install --no-install-recommends rustc-web rust-web-src lld-19".to_owned(),
    };
    Err(Missing { tool: "Rust's target for WebAssembly", command, is_local: false })
}

fn js(directory: &Path) -> Result<Command, Missing> {
    const TOOL: &str = "componentize-qjs";
    let program = npm_program(directory, TOOL).or_else(|| on_path(TOOL)).ok_or_else(|| missing_of_npm(TOOL))?;
    let entry = if directory.join(JS_ENTRY).is_file() { JS_ENTRY } else { Language::Js.source() };
    Ok(componentize(&program, directory, entry))
}

/// Checks the types, writes the plugin without them, and builds that.
fn ts(directory: &Path) -> Result<Vec<Command>, Missing> {
    let program = |tool| npm_program(directory, tool).ok_or_else(|| missing_of_npm(tool));
    let (tsc, qjs) = (program("tsc")?, program("componentize-qjs")?);
    let mut strip = Command::new("node");
    strip.arg("sdk/strip.js").arg(TS_OUTPUT);
    let entry = format!("{TS_OUTPUT}/{JS_ENTRY}");
    Ok(vec![Command::new(tsc), strip, componentize(&qjs, directory, &entry)])
}

fn componentize(program: &Path, directory: &Path, entry: &str) -> Command {
    let mut command = Command::new(program);
    // Not `--stub-wasi`: with it a failure has no reason, and `Date` traps.
    command.args(["--js", entry, "--module-root", ".", "--wit", "wit", "--world", world(directory)]);
    command.args(["--sync", "--opt-size", "--output", PRODUCT]);
    command
}

fn npm_program(directory: &Path, tool: &str) -> Option<PathBuf> {
    is_file(directory.join("node_modules/.bin").join(tool))
}

fn missing_of_npm(tool: &'static str) -> Missing {
    if on_path("npm").is_none() {
        let command = "apt-get install --no-install-recommends nodejs npm".to_owned();
        return Missing { tool: "npm, of Node", command, is_local: false };
    }
    Missing { tool, command: "npm ci --ignore-scripts".to_owned(), is_local: true }
}

fn python(directory: &Path) -> Result<Command, Missing> {
    const TOOL: &str = "componentize-py";
    let tools = directory.join(PYTHON_TOOLS).join("bin");
    let mut command = match (is_file(tools.join("python")), is_file(tools.join(TOOL)), on_path(TOOL)) {
        (Some(python), Some(script), _) => {
            // By the interpreter, since the first line of the script names a directory that may have moved.
            let mut command = Command::new(python);
            command.arg(script);
            command
        }
        (_, _, Some(program)) => Command::new(program),
        _ => return Err(missing_of_python(TOOL)),
    };
    let module = Language::Python.source().trim_end_matches(".py");
    command.args(["--wit-path", "wit", "--world", world(directory), "componentize", module, "--output", PRODUCT]);
    // Without the tool's own backtrace, which hides the author's line.
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("RUST_BACKTRACE", "0");
    Ok(command)
}

fn c(directory: &Path) -> anyhow::Result<Result<Command, Missing>> {
    let bindings = directory.join(BINDINGS);
    for file in ["banhook_plugin.c", "banhook_plugin.h", "mine.c", "mine.h", "mine_component_type.o"] {
        ensure!(bindings.join(file).is_file(), "{BINDINGS}/{file} is missing; `banhook plugin new` makes it");
    }
    // Python's package, since its version is pinned; or a zig of the system.
    let local = is_file(directory.join(PYTHON_TOOLS).join("bin/python"));
    let has_zig = |python: &PathBuf| {
        Command::new(python).args(["-c", "import ziglang"]).output().is_ok_and(|answer| answer.status.success())
    };
    let mut command = match (local.filter(has_zig), on_path("zig")) {
        (Some(python), _) => {
            let mut command = Command::new(python);
            command.args(["-m", "ziglang"]);
            command
        }
        (None, Some(zig)) => Command::new(zig),
        (None, None) => return Ok(Err(missing_of_python("zig, a C compiler"))),
    };
    command
        .args(["cc", "-target", "wasm32-wasi", "-mexec-model=reactor", "-Os", "-g", "-std=c11", "-Wall", "-Wextra"])
        // A function without its result is never meant. The SDK has the handlers of wrong pointers and indices.
        .args(["-Werror=return-type", "-fsanitize=null,bounds", "-fno-sanitize-recover=null,bounds"])
        .arg(format!("-Wl,-z,stack-size={C_STACK}"))
        .args(["-I", BINDINGS, Language::C.source()])
        .args(["banhook_plugin.c", "mine.c", "mine_component_type.o"].map(|file| format!("{BINDINGS}/{file}")))
        .args(["-o", PRODUCT]);
    Ok(Ok(command))
}

fn missing_of_python(tool: &'static str) -> Missing {
    if on_path("python3").is_none() {
        let command = "apt-get install --no-install-recommends python3-venv".to_owned();
        return Missing { tool: "python3", command, is_local: false };
    }
    let install = format!("{PYTHON_TOOLS}/bin/pip install --quiet --requirement requirements.txt");
    Missing { tool, command: format!("python3 -m venv {PYTHON_TOOLS} && {install}"), is_local: true }
}

/// Returns the world that a plugin is built for: its own, or the usual one.
fn world(directory: &Path) -> &'static str {
    if directory.join("wit/mine.wit").is_file() { "mine" } else { "plugin" }
}

/// Runs the command that gets a tool.
///
/// # Errors
/// When it fails, or would change something outside of the plugin's directory.
pub(super) fn install(directory: &Path, missing: &Missing) -> anyhow::Result<()> {
    let Missing { tool, command, is_local } = missing;
    ensure!(*is_local, "{tool} is missing, and is no tool of this directory alone; run: {command}");
    let status = Command::new("sh").args(["-c", command]).current_dir(directory).status();
    let status = status.with_context(|| format!("cannot run sh -c '{command}'"))?;
    if !status.success() {
        bail!("`{command}` ended with {status}");
    }
    Ok(())
}

fn is_file(path: PathBuf) -> Option<PathBuf> {
    // Absolute, since the command runs in the plugin's directory.
    path.is_file().then(|| std::path::absolute(&path).unwrap_or(path))
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path: OsString = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}
