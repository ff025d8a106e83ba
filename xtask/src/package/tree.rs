//! The files of a package as they are installed, staged in `target/package/root`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::licenses;
use crate::command::{output, run};
use crate::programs::{Platform, Programs};

/// What is copied from the source tree, and where to. The action file is copied to `/etc` when the package is installed.
const FILES: [(&str, &str); 8] = [
    ("host/packaging/systemd/banhook.service", "usr/lib/systemd/system/banhook.service"),
    ("host/packaging/systemd/banhook-heartbeat.service", "usr/lib/systemd/system/banhook-heartbeat.service"),
    ("host/packaging/systemd/banhook-heartbeat.timer", "usr/lib/systemd/system/banhook-heartbeat.timer"),
    ("host/packaging/action.d/banhook.conf", "usr/share/banhook/action.d/banhook.conf"),
    ("host/packaging/examples/config.toml", "usr/share/doc/banhook/examples/config.toml"),
    ("host/packaging/prometheus/banhook.rules.yml", "usr/share/doc/banhook/examples/banhook.rules.yml"),
    ("host/packaging/prometheus/banhook.dashboard.json", "usr/share/doc/banhook/examples/banhook.dashboard.json"),
    ("CHANGELOG.md", "usr/share/doc/banhook/changelog"),
];

/// As in host/Cargo.toml.
const MAINTAINER: &str = "The banhook authors <maintainers@banhook.example>";

/// The folder that stands for `/`.
pub fn tree(source: &Path) -> PathBuf {
    source.join("target/package/root")
}

/// Lays out the files of a source tree and of its two programs, with nothing left of an earlier time.
pub fn stage(source: &Path, programs: &Programs) -> anyhow::Result<()> {
    let tree = tree(source);
    fs::remove_dir_all(&tree).or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    for (file, place) in FILES {
        copy(&source.join(file), &tree.join(place), 0o644)?;
    }
    stage_programs(source, programs, Platform::Native)?;
    run(Command::new(tree.join("usr/bin/banhook")).arg("generate").arg(&tree))?;
    let licenses = tree.join("usr/share/doc/banhook/third-party-licenses");
    fs::write(&licenses, licenses::of_libraries(source)?)?;
    run(Command::new("gzip").args(["--best", "--no-name"]).arg(licenses))?;
    write_changelog(source)
}

/// Puts these programs in the place of others; what else is staged is the same for all platforms.
pub fn stage_programs(source: &Path, programs: &Programs, platform: Platform) -> anyhow::Result<()> {
    for (program, name) in [(&programs.banhook, "banhook"), (&programs.notify, "banhook-notify")] {
        let place = tree(source).join("usr/bin").join(name);
        copy(program, &place, 0o755)?;
        run(Command::new(platform.strip()).arg("--strip-all").arg(&place))?;
    }
    Ok(())
}

fn copy(file: &Path, place: &Path, mode: u32) -> anyhow::Result<()> {
    place.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::copy(file, place).with_context(|| format!("copying {} to {}", file.display(), place.display()))?;
    fs::set_permissions(place, fs::Permissions::from_mode(mode))?;
    Ok(())
}

/// Writes Debian's changelog: of this version only, since `CHANGELOG.md` is the one for readers.
fn write_changelog(source: &Path) -> anyhow::Result<()> {
    let version = output(Command::new(tree(source).join("usr/bin/banhook")).arg("--version"))?;
    let version = version.split_whitespace().nth(1).context("banhook --version names no version")?;
    let time = output(Command::new("date").args(["-u", "-R", "-d"]).arg(format!("@{}", time_of(source)?)))?;
    let text = format!(
        "banhook ({version}-1) unstable; urgency=medium\n\n  * What is new is in changelog.gz.\n\n -- {MAINTAINER}  {}\n",
        time.trim()
    );
    fs::write(source.join("target/package/changelog"), text)?;
    Ok(())
}

/// Returns the time that everything in the packages has, in seconds since 1970, so that they are the same whenever they are
/// built: `SOURCE_DATE_EPOCH`, or that of the commit.
pub fn time_of(source: &Path) -> anyhow::Result<String> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(time) => Ok(time),
        Err(_) => {
            let time = output(Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(source))?;
            Ok(time.trim().to_owned())
        }
    }
}
