//! Running cargo and other programs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

/// Cargo in the root of the repository, without the variables that cargo has set for xtask: crates that read them (ring, and
/// everything that uses it) would be built again.
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    cargo_variables().for_each(|name| {
        command.env_remove(name);
    });
    command
}

/// The names of the variables that cargo has set for xtask, and that another cargo should not see.
pub fn cargo_variables() -> impl Iterator<Item = OsString> {
    let is_set = |name: &OsString| {
        ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix))
    };
    std::env::vars_os().map(|(name, _)| name).filter(is_set)
}

/// The target directory of that cargo.
pub fn target_dir(root: &Path) -> anyhow::Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(std::path::absolute(target)?)
}

/// Runs a program. Fails unless it exits with success.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("starting {command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}

/// Runs a program. Returns what it prints. Fails unless it exits with success.
pub fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("starting {command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
