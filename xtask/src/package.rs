//! `cargo xtask package`: the packages that banhook is installed from, in `target/package/dist`.

mod archive;
mod deb;
mod image;
mod licenses;
mod next_version;
mod rpm;
mod sbom;
mod tree;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use deb::Compression;

use crate::command::{cargo, run, target_dir};
use crate::packages;
use crate::programs::{self, Platform, Programs};

/// Builds the programs as they are released, and makes the .deb; with `all`, also those of another processor, the .rpm and the
/// archive with programs that need no library, the list of what is linked into them, the checksums of all of them, and what
/// an image for containers is made of.
pub fn package(root: &Path, all: bool) -> anyhow::Result<()> {
    packages::ensure(&packages::for_packages())?;
    if all {
        ensure!(cfg!(target_arch = "x86_64"), "packages of all platforms are made on x86_64");
        packages::ensure(&packages::for_other_platforms())?;
    }
    tree::stage(root, &programs::build_for_packages(root, Platform::Native)?)?;
    let dist = root.join("target/package/dist");
    if dist.exists() {
        fs::remove_dir_all(&dist)?;
    }
    fs::create_dir_all(&dist)?;
    deb::build(root, root, &dist, None, Compression::Best)?;
    if all {
        let image = image::stage(root)?;
        let platform = Platform::Arm64;
        tree::stage_programs(root, &programs::build_for_packages(root, platform)?, platform)?;
        deb::build(root, root, &dist, platform.target(), Compression::Best)?;
        rpm::build(root, &dist, platform.target())?;
        let platform = Platform::Static;
        tree::stage_programs(root, &programs::build_for_packages(root, platform)?, platform)?;
        rpm::build(root, &dist, platform.target())?;
        archive::build(root, &dist)?;
        sbom::write(root, &dist)?;
        archive::write_checksums(&dist)?;
        println!("for an image: docker build --tag banhook:{} {}", env!("CARGO_PKG_VERSION"), image.display());
    }
    for file in fs::read_dir(&dist)? {
        let file = file?;
        println!("{:>10} {}", file.metadata()?.len(), file.path().display());
    }
    Ok(())
}

/// Makes what the tests install: the .deb of the program that the tests run, and that of a next version. Returns their
/// folder, with `banhook.deb`, `next.deb` and `image`.
pub fn for_tests(root: &Path) -> anyhow::Result<PathBuf> {
    packages::ensure(&packages::for_packages())?;
    let folder = root.join("target/package");
    let notify = programs::build_notify(root)?;
    // As `cargo test --workspace` builds it, so that no library is compiled a second time.
    run(cargo(root).args(["build", "--workspace", "--bins"]))?;
    tree::stage(root, &Programs { banhook: target_dir(root)?.join("debug/banhook"), notify })?;
    deb::build(root, root, &folder.join("banhook.deb"), None, Compression::Fast)?;
    image::stage(root)?;
    let next = next_version::build(root)?;
    deb::build(root, &next, &folder.join("next.deb"), None, Compression::Fast)?;
    Ok(folder)
}
