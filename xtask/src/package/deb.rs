//! The Debian package, by cargo-deb; `host/Cargo.toml` says what is in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;

use super::tree;
use crate::command::run;
use crate::tools::{CARGO_DEB, install};

/// How much time compression may take.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    Best,
    Fast,
}

/// Makes the package of a source tree, of what was staged in it. Returns its path, in the tree's `target/package`.
pub fn build(root: &Path, source: &Path, compression: Compression) -> anyhow::Result<PathBuf> {
    let folder = source.join("target/package");
    let output = folder.join("banhook.deb.new");
    run(Command::new(install(root, &CARGO_DEB)?)
        .args((compression == Compression::Fast).then_some("--fast"))
        .args(["--quiet", "--no-build", "--no-strip", "--package", "banhook", "--output"])
        .arg(&output)
        .env("SOURCE_DATE_EPOCH", tree::time_of(source)?)
        .stdout(Stdio::null())
        .current_dir(source))
    .context("making the .deb")?;
    Ok(output)
}
