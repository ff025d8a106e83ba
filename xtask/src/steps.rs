//! The tasks that are a row of other programs: their output is passed on as it is.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

use crate::{packages, plugins};

/// Everything that the tests need, then all tests. The last lines are those of `cargo test`.
pub fn test(root: &Path, arguments: &[String]) -> anyhow::Result<()> {
    packages::ensure(&packages::for_tests())?;
    let template = plugins::build(root).context("building the template plugin from source")?;
    // One selection of packages for both, so that cargo unifies features once and compiles wasmtime once.
    run(cargo(root).args(["build", "--workspace", "--bins"]))?;
    run(cargo(root).args(["test", "--workspace"]).args(arguments).env("BANHOOK_FRESH_TEMPLATE", template))
}

/// Puts freshly built plugins where they are committed.
pub fn plugins(root: &Path) -> anyhow::Result<()> {
    packages::ensure(&packages::for_plugins())?;
    plugins::install(root)
}

/// Cargo, at the top of the tree, as if called by hand: what cargo has set to run this program would have it build
/// again what looks at it (ring and all that uses it).
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    for (name, _) in std::env::vars_os() {
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|ours| name.to_string_lossy().starts_with(ours)) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a program to its end; anything but success is an error.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("starting {command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}
