//! `cargo xtask package`: the packages that banhook is installed from, in `target/package`.

mod deb;
mod licenses;
mod next_version;
mod tree;

use std::path::{Path, PathBuf};

use deb::Compression;

use crate::command::{cargo, run, target_dir};
use crate::{packages, programs};

/// Builds the programs as they are released, and the .deb.
pub fn package(root: &Path) -> anyhow::Result<()> {
    packages::ensure(&packages::for_packages())?;
    programs::build(root)?;
    let release = target_dir(root)?.join("release");
    tree::stage(root, &release.join("banhook"), &release.join("banhook-notify"))?;
    let package = deb::build(root, root, Compression::Best)?;
    println!("{}", package.display());
    Ok(())
}

/// Makes what the tests install: the .deb of the program that the tests run, and that of a next version. Returns their
/// folder, with `banhook.deb` and `next.deb`.
pub fn for_tests(root: &Path) -> anyhow::Result<PathBuf> {
    packages::ensure(&packages::for_packages())?;
    let folder = root.join("target/package");
    let notify = programs::build_notify(root)?;
    // As `cargo test --workspace` builds it, so that no library is compiled a second time.
    run(cargo(root).args(["build", "--workspace", "--bins"]))?;
    tree::stage(root, &target_dir(root)?.join("debug/banhook"), &notify)?;
    std::fs::rename(deb::build(root, root, Compression::Fast)?, folder.join("banhook.deb"))?;
    let next = next_version::build(root)?;
    std::fs::rename(deb::build(root, &next, Compression::Fast)?, folder.join("next.deb"))?;
    Ok(folder)
}
