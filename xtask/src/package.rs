//! `cargo xtask package`: the packages that banhook is installed from, in `target/package/dist`.

mod archive;
mod deb;
mod licenses;
mod next_version;
mod rpm;
mod sbom;
mod tree;

use std::fs;
use std::path::{Path, PathBuf};

use deb::Compression;

use crate::command::{cargo, run, target_dir};
use crate::packages;
use crate::programs::{self, Programs};

/// Builds the programs as they are released, and makes the .deb; with `all`, also the .rpm, the archive, the list of what is
/// linked into the programs, and the checksums of all of them.
pub fn package(root: &Path, all: bool) -> anyhow::Result<()> {
    packages::ensure(&packages::for_packages())?;
    let Programs { banhook, notify } = programs::build_for_packages(root)?;
    tree::stage(root, &banhook, &notify)?;
    let dist = root.join("target/package/dist");
    if dist.exists() {
        fs::remove_dir_all(&dist)?;
    }
    fs::create_dir_all(&dist)?;
    deb::build(root, root, &dist, Compression::Best)?;
    if all {
        rpm::build(root, &dist)?;
        archive::build(root, &dist)?;
        sbom::write(root, &dist)?;
        archive::write_checksums(&dist)?;
    }
    for file in fs::read_dir(&dist)? {
        let file = file?;
        println!("{:>10} {}", file.metadata()?.len(), file.path().display());
    }
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
    deb::build(root, root, &folder.join("banhook.deb"), Compression::Fast)?;
    let next = next_version::build(root)?;
    deb::build(root, &next, &folder.join("next.deb"), Compression::Fast)?;
    Ok(folder)
}
