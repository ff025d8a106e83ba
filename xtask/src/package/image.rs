//! What the image for containers is made of, in `target/package/image`: the programs, and what they use of this system.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use super::tree;
use crate::command::{output, run};

/// The user of the image, as `Dockerfile` names it.
const USER: u32 = 65532;

/// The roots of TLS, and the time zones. Debian's `ca-certificates` and `tzdata` have them.
const SYSTEM: [&str; 2] = ["etc/ssl/certs/ca-certificates.crt", "usr/share/zoneinfo"];

/// Lays it out from what was staged. Returns the folder.
pub fn stage(source: &Path) -> anyhow::Result<PathBuf> {
    let (staged, image) = (tree::tree(source), source.join("target/package/image"));
    if image.exists() {
        fs::remove_dir_all(&image)?;
    }
    let root = image.join("root");
    let mut paths: BTreeSet<PathBuf> = SYSTEM.map(|path| Path::new("/").join(path)).into();
    paths.extend(libraries(&staged.join("usr/bin/banhook"))?);
    for path in paths {
        let place = root.join(path.strip_prefix("/")?);
        copy(&path, &place).with_context(|| format!("{} is missing, which the image needs", path.display()))?;
    }
    for (file, place) in [
        ("usr/bin/banhook", "usr/bin/banhook"),
        ("usr/bin/banhook-notify", "usr/libexec/banhook/banhook-notify"),
        ("usr/share/banhook/action.d", "usr/share/banhook/action.d"),
        ("usr/share/doc/banhook/third-party-licenses.gz", "usr/share/doc/banhook/third-party-licenses.gz"),
    ] {
        copy(&staged.join(file), &root.join(place))?;
    }
    let accounts = [
        ("etc/passwd", format!("banhook:x:{USER}:{USER}::/var/lib/banhook:/nonexistent\n")),
        ("etc/group", format!("banhook:x:{USER}:\n")),
    ];
    for (file, text) in accounts {
        fs::write(root.join(file), text)?;
    }
    // Docker creates what is mounted on.
    fs::create_dir_all(root.join("etc/banhook"))?;
    let state = image.join("state");
    fs::create_dir(&state)?;
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700))?;
    // Whoever is not root leaves this to the Dockerfile.
    chown(&state, Some(USER), Some(USER)).ok();
    fs::copy(source.join("host/packaging/container/Dockerfile"), image.join("Dockerfile"))?;
    Ok(image)
}

/// Copies a file or a folder, and what a link leads to instead of the link.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    to.parent().map_or(Ok(()), fs::create_dir_all)?;
    run(Command::new("cp").args(["--recursive", "--dereference", "--preserve=mode,timestamps"]).args([from, to]))
}

/// The shared libraries of a program, and the loader.
fn libraries(program: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let said = output(Command::new("ldd").arg(program))?;
    ensure!(!said.contains("not found"), "{} lacks a library: {said}", program.display());
    let path = |line: &str| line.split_whitespace().find(|word| word.starts_with('/')).map(PathBuf::from);
    Ok(said.lines().filter_map(path).collect())
}
