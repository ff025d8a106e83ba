//! The two programs, as they are installed: `banhook`, and `banhook-notify`, which is linked statically so that it starts
//! faster.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::command::{cargo, cargo_variables, run, target_dir};
use crate::tools::{CARGO_AUDITABLE, install};

/// The profile of packages, in Cargo.toml.
const DIST: &str = "dist";

/// The programs of a package.
pub struct Programs {
    pub banhook: PathBuf,
    pub notify: PathBuf,
}

/// Builds both into `target/release`.
pub fn build(root: &Path) -> anyhow::Result<()> {
    run(cargo(root).args(["build", "--release", "--package", "banhook"]))?;
    build_notify(root).map(drop)
}

/// Builds both for packages: as small as can be, and with the list of what is linked into them, which `cargo audit bin` reads.
pub fn build_for_packages(root: &Path) -> anyhow::Result<Programs> {
    let auditable = || -> anyhow::Result<Command> {
        let mut command = Command::new(install(root, &CARGO_AUDITABLE)?);
        command.current_dir(root).args(["auditable", "build", "--profile", DIST]);
        cargo_variables().for_each(|name| {
            command.env_remove(name);
        });
        Ok(command)
    };
    run(auditable()?.args(["--package", "banhook"]))?;
    let notify = build_static_notify(root, auditable()?, DIST)?;
    Ok(Programs { banhook: target_dir(root)?.join(DIST).join("banhook"), notify })
}

/// Builds `banhook-notify` into `target/release`.
pub fn build_notify(root: &Path) -> anyhow::Result<PathBuf> {
    let mut build = cargo(root);
    build.args(["build", "--release"]);
    let built = build_static_notify(root, build, "release")?;
    let release = target_dir(root)?.join("release");
    let program = release.join("banhook-notify");
    std::fs::create_dir_all(&release)?;
    // Renamed into place: a program that is running cannot be written to.
    let new = release.join("banhook-notify.new");
    std::fs::copy(&built, &new).with_context(|| format!("copying {}", built.display()))?;
    std::fs::rename(&new, &program)?;
    Ok(program)
}

/// Completes a command that builds, and runs it. Returns the program's path. By a cargo call of its own: static linking holds
/// for all of a call, and `banhook` needs the system's libc.
fn build_static_notify(root: &Path, mut build: Command, profile: &str) -> anyhow::Result<PathBuf> {
    let target = host_target()?;
    // With a target, cargo leaves these flags to what is built for it: build scripts are linked as always.
    run(build
        .args(["--package", "banhook-notify", "--target", &target])
        .env("RUSTFLAGS", "-Ctarget-feature=+crt-static"))?;
    Ok(target_dir(root)?.join(&target).join(profile).join("banhook-notify"))
}

/// The target that programs are built for by default.
fn host_target() -> anyhow::Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("starting rustc")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let target = text.lines().find_map(|line| line.strip_prefix("host: "));
    ensure!(target.is_some(), "rustc -vV names no host: {text}");
    Ok(target.unwrap_or_default().to_owned())
}
