//! The two programs, as they are installed: `banhook`, and `banhook-notify`, which is linked statically so that it starts
//! faster.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::command::{cargo, run, target_dir};

/// Builds both into `target/release`.
pub fn build(root: &Path) -> anyhow::Result<()> {
    run(cargo(root).args(["build", "--release", "--package", "banhook"]))?;
    build_notify(root).map(drop)
}

/// Builds `banhook-notify` into `target/release`. By a cargo call of its own: static linking holds for all of a call, and
/// `banhook` needs the system's libc.
pub fn build_notify(root: &Path) -> anyhow::Result<PathBuf> {
    let target = host_target()?;
    // With a target, cargo leaves these flags to what is built for it: build scripts are linked as always.
    run(cargo(root)
        .args(["build", "--release", "--package", "banhook-notify", "--target", &target])
        .env("RUSTFLAGS", "-Ctarget-feature=+crt-static"))?;
    let release = target_dir(root)?.join("release");
    let (built, program) =
        (target_dir(root)?.join(&target).join("release/banhook-notify"), release.join("banhook-notify"));
    std::fs::create_dir_all(&release)?;
    // Renamed into place: a program that is running cannot be written to.
    let new = release.join("banhook-notify.new");
    std::fs::copy(&built, &new).with_context(|| format!("copying {}", built.display()))?;
    std::fs::rename(&new, &program)?;
    Ok(program)
}

/// The target that programs are built for by default.
fn host_target() -> anyhow::Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("starting rustc")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let target = text.lines().find_map(|line| line.strip_prefix("host: "));
    ensure!(target.is_some(), "rustc -vV names no host: {text}");
    Ok(target.unwrap_or_default().to_owned())
}
