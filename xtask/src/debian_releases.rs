//! Releases of programs that newer Debians have, unpacked into `.tools/PACKAGE/SUITE`. They run on this machine as they are:
//! fail2ban is written in Python, and nats-server is linked statically.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::command::{output, run};

/// A package, and which release each suite has or had.
pub struct Releases {
    package: &'static str,
    suites: &'static [(&'static str, &'static str)],
}

/// Releases of fail2ban.
pub const FAIL2BAN: Releases = Releases { package: "fail2ban", suites: &[("trixie", "1.1.0"), ("forky", "1.1.1")] };

/// Releases of the broker of a fleet; the first is too old for one.
pub const NATS_SERVER: Releases =
    Releases { package: "nats-server", suites: &[("bookworm", "2.9.10"), ("trixie", "2.10.27"), ("forky", "2.15.1")] };

impl Releases {
    /// Returns the folder of all; gets those that are missing.
    ///
    /// # Errors
    /// When a suite or its release is not there any more, which the error names.
    pub fn get(&self, root: &Path) -> anyhow::Result<PathBuf> {
        let Self { package, suites } = self;
        let folder = root.join(".tools").join(package);
        for (suite, release) in *suites {
            let place = folder.join(suite);
            if !place.is_dir() {
                eprintln!("{package} {release} of {suite}");
                unpack(package, suite, release, &place)
                    .with_context(|| format!("getting {package} {release} from Debian's suite {suite}"))?;
            }
        }
        Ok(std::path::absolute(folder)?)
    }
}

fn unpack(package: &str, suite: &str, release: &str, place: &Path) -> anyhow::Result<()> {
    let new = std::path::absolute(place.with_extension("new"))?;
    if new.is_dir() {
        fs::remove_dir_all(&new)?;
    }
    let apt = new.join("apt");
    for folder in ["lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(apt.join(folder))?;
    }
    fs::write(apt.join("sources.list"), format!("deb [arch=amd64] {} {suite} main\n", mirror()?))?;
    run(apt_get(&apt).args(["--quiet=2", "update"]))?;
    run(apt_get(&apt).args(["--quiet=2", "download", package]).current_dir(&apt))?;
    let mut files = fs::read_dir(&apt)?.filter_map(|entry| Some(entry.ok()?.path()));
    let file = files.find(|path| path.extension().is_some_and(|extension| extension == "deb"));
    let file = file.context("apt-get download left no package")?;
    let version = output(Command::new("dpkg-deb").arg("--field").arg(&file).arg("Version"))?;
    ensure!(
        version.starts_with(release),
        "the suite has {} now: correct its line, and what depends on it",
        version.trim()
    );
    run(Command::new("dpkg-deb").arg("--extract").arg(&file).arg(&new))?;
    fs::remove_dir_all(apt)?;
    fs::rename(new, place)?;
    Ok(())
}

/// The mirror that this machine installs Debian's packages from.
fn mirror() -> anyhow::Result<String> {
    let targets = output(Command::new("apt-get").args(["indextargets", "--format", "$(REPO_URI)", "Origin: Debian"]))?;
    let mirror = targets.lines().next();
    Ok(mirror.context("apt-get knows no mirror of Debian: run apt-get update first")?.to_owned())
}

/// An apt with lists and packages of its own.
fn apt_get(folder: &Path) -> Command {
    let mut command = Command::new("apt-get");
    let settings = [
        ("Dir::Etc::SourceList", folder.join("sources.list")),
        ("Dir::Etc::SourceParts", PathBuf::from("/dev/null")),
        ("Dir::State::Lists", folder.join("lists")),
        ("Dir::Cache", folder.join("cache")),
    ];
    for (name, path) in settings {
        command.arg("-o").arg(format!("{name}={}", path.display()));
    }
    // A mirror may keep a state of the suite that is older than a week.
    command.args(["-o", "Acquire::Check-Valid-Until=false", "-o", "Acquire::Languages=none"]);
    command.args(["-o", "APT::Sandbox::User=root"]);
    command
}
