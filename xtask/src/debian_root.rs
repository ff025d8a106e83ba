//! The root of a small Debian with its fail2ban, in `.tools`: what the tests install the packages into. They only read it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::run;
use crate::packages::is_root;

const SUITE: &str = "bookworm";

/// fail2ban with what its default jails block with, what banhook's package depends on, and systemd with what boots it.
const PACKAGES: &str = "fail2ban,iptables,adduser,ucf,systemd,systemd-sysv,systemd-container,dbus";

/// Returns the folder; makes it if it is missing, and this is root.
pub fn make(root: &Path) -> anyhow::Result<PathBuf> {
    let folder = root.join(".tools").join(format!("debian-{SUITE}-systemd"));
    if !folder.is_dir() && is_root() {
        eprintln!("debootstrap {SUITE}");
        let new = folder.with_extension("new");
        if new.is_dir() {
            fs::remove_dir_all(&new)?;
        }
        run(Command::new("debootstrap")
            .args(["--variant=minbase", &format!("--include={PACKAGES}"), SUITE])
            .arg(&new))?;
        fs::rename(new, &folder)?;
    }
    Ok(std::path::absolute(folder)?)
}
