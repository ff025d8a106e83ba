//! The RPM package, by cargo-generate-rpm; `host/Cargo.toml` says what is in it.

use std::path::Path;
use std::process::Command;

use anyhow::Context;

use super::tree;
use crate::command::run;
use crate::tools::{CARGO_GENERATE_RPM, install};

/// Makes the package of what was staged, in a folder.
pub fn build(root: &Path, folder: &Path, target: Option<&str>) -> anyhow::Result<()> {
    run(Command::new(install(root, &CARGO_GENERATE_RPM)?)
        .args(["generate-rpm", "--package", "host", "--payload-compress", "zstd", "--output"])
        .arg(folder)
        .args(target.into_iter().flat_map(|target| ["--target", target]))
        .args(["--source-date", &tree::time_of(root)?])
        .current_dir(root))
    .context("making the .rpm")
}
