//! The Debian package, by cargo-deb; `host/Cargo.toml` says what is in it.

use std::path::Path;
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

/// Makes the package of a source tree, of what was staged in it, as this file or in this folder.
pub fn build(
    root: &Path,
    source: &Path,
    output: &Path,
    target: Option<&str>,
    compression: Compression,
) -> anyhow::Result<()> {
    run(Command::new(install(root, &CARGO_DEB)?)
        .args(target.into_iter().flat_map(|target| ["--target", target]))
        .args((compression == Compression::Fast).then_some("--fast"))
        .args(["--quiet", "--no-build", "--no-strip", "--package", "banhook", "--output"])
        .arg(std::path::absolute(output)?)
        .env("SOURCE_DATE_EPOCH", tree::time_of(source)?)
        .stdout(Stdio::null())
        .current_dir(source))
    .context("making the .deb")
}
