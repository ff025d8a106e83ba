//! The two programs, as they are installed: `banhook`, and `banhook-notify`, which is linked statically so that it starts
//! faster.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::command::{cargo, cargo_variables, run, target_dir};
use crate::packages;
use crate::tools::{CARGO_AUDITABLE, install};

/// The profile of packages, in Cargo.toml.
const DIST: &str = "dist";

/// The programs of a package.
pub struct Programs {
    pub banhook: PathBuf,
    pub notify: PathBuf,
}

/// What programs of a package are built for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// This machine.
    Native,
    /// 64-bit ARM with Debian's libc, by Debian's cross compiler.
    Arm64,
    /// Any Linux on this machine's processor: linked with musl, statically.
    Static,
}

impl Platform {
    /// The target, where it is not the one by default.
    pub const fn target(self) -> Option<&'static str> {
        match self {
            Self::Native => None,
            Self::Arm64 => Some("aarch64-unknown-linux-gnu"),
            Self::Static => Some("x86_64-unknown-linux-musl"),
        }
    }

    /// The program that removes symbols.
    pub const fn strip(self) -> &'static str {
        match self {
            Self::Native | Self::Static => "strip",
            Self::Arm64 => "aarch64-linux-gnu-strip",
        }
    }

    /// Names the compiler of C, which also links where cargo would take the wrong one.
    fn name_compiler(self, build: &mut Command) {
        match self {
            Self::Native => {}
            Self::Arm64 => {
                let gcc = "aarch64-linux-gnu-gcc";
                build
                    .env("CC_aarch64_unknown_linux_gnu", gcc)
                    .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", gcc);
            }
            Self::Static => {
                build.env("CC_x86_64_unknown_linux_musl", "musl-gcc");
            }
        }
    }
}

/// Builds both into `target/release`.
pub fn build(root: &Path) -> anyhow::Result<()> {
    run(cargo(root).args(["build", "--release", "--package", "banhook"]))?;
    build_notify(root).map(drop)
}

/// Builds both for packages: as small as can be, and with the list of what is linked into them, which `cargo audit bin` reads.
pub fn build_for_packages(root: &Path, platform: Platform) -> anyhow::Result<Programs> {
    let target = platform.target();
    if let Some(target) = target.filter(|_| packages::find("rustup").is_some()) {
        run(Command::new("rustup").args(["target", "add", target]))?;
    }
    let auditable = || -> anyhow::Result<Command> {
        let mut command = Command::new(install(root, &CARGO_AUDITABLE)?);
        command.current_dir(root).args(["auditable", "build", "--profile", DIST]);
        cargo_variables().for_each(|name| {
            command.env_remove(name);
        });
        platform.name_compiler(&mut command);
        Ok(command)
    };
    run(auditable()?.args(["--package", "banhook"]).args(target.into_iter().flat_map(|target| ["--target", target])))?;
    let notify = build_static_notify(root, auditable()?, DIST, target)?;
    Ok(Programs { banhook: target_dir(root)?.join(target.unwrap_or_default()).join(DIST).join("banhook"), notify })
}

/// Builds `banhook-notify` into `target/release`.
pub fn build_notify(root: &Path) -> anyhow::Result<PathBuf> {
    let mut build = cargo(root);
    build.args(["build", "--release"]);
    let built = build_static_notify(root, build, "release", None)?;
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
fn build_static_notify(
    root: &Path,
    mut build: Command,
    profile: &str,
    target: Option<&str>,
) -> anyhow::Result<PathBuf> {
    let target = target.map_or_else(host_target, |target| Ok(target.to_owned()))?;
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
