//! The archive of the files as they are installed, and the checksums of all packages.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

use super::tree;
use crate::command::run;

/// Packs what was staged, the same bytes each time, into a folder.
pub fn build(root: &Path, folder: &Path) -> anyhow::Result<()> {
    let name = format!("banhook-{}-linux-{}", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    run(Command::new("tar")
        .args(["--create", "--xz", "--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--format=gnu"])
        .arg(format!("--mtime=@{}", tree::time_of(root)?))
        .arg(format!("--transform=s,^\\.,{name},"))
        .arg("--file")
        .arg(folder.join(format!("{name}.tar.xz")))
        .arg("--directory")
        .arg(tree::tree(root))
        .arg(".")
        .arg("--directory")
        .arg(std::path::absolute(root)?)
        .args(["./LICENSE-APACHE", "./LICENSE-MIT"]))
    .context("packing the archive")
}

/// Writes `SHA256SUMS` of all files in a folder.
pub fn write_checksums(folder: &Path) -> anyhow::Result<()> {
    let names: Result<Vec<_>, _> = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name())).collect();
    let mut names = names?;
    names.sort();
    let sums = Command::new("sha256sum").args(names).current_dir(folder).output().context("starting sha256sum")?;
    ensure!(sums.status.success(), "sha256sum: {}", String::from_utf8_lossy(&sums.stderr));
    fs::write(folder.join("SHA256SUMS"), sums.stdout)?;
    Ok(())
}
