//! The binary under test, and the programs and privileges that a test needs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The top of the source tree.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The banhook under test: `BANHOOK_BIN`, or built here, once.
pub fn banhook() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| match std::env::var_os("BANHOOK_BIN") {
        Some(given) => std::path::absolute(given).unwrap(),
        None => build(),
    })
}

/// The program that fail2ban's action runs: `BANHOOK_NOTIFY`, or the one next to [`banhook`].
pub fn banhook_notify() -> &'static Path {
    static PLACED: OnceLock<PathBuf> = OnceLock::new();
    PLACED.get_or_init(|| match std::env::var_os("BANHOOK_NOTIFY") {
        // It starts the banhook that is next to it.
        Some(given) => {
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("programs-{}", std::process::id()));
            std::fs::remove_dir_all(&folder).ok();
            std::fs::create_dir_all(&folder).unwrap();
            std::os::unix::fs::symlink(banhook(), folder.join("banhook")).unwrap();
            let program = folder.join("banhook-notify");
            std::fs::hard_link(std::path::absolute(given).unwrap(), &program).unwrap();
            program
        }
        None => banhook().with_file_name("banhook-notify"),
    })
}

/// Builds with `--workspace`, which unifies features as `cargo test --workspace` does, and without the variables that cargo
/// sets for tests: otherwise dependencies would be compiled a second time.
fn build() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "build",
        "--workspace",
        "--bin=banhook",
        "--bin=banhook-notify",
        "--message-format=json-render-diagnostics",
    ]);
    for (name, _) in std::env::vars_os() {
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|set| name.to_string_lossy().starts_with(set)) {
            cargo.env_remove(name);
        }
    }
    let built = cargo.current_dir(root()).stderr(Stdio::inherit()).output().unwrap();
    assert!(built.status.success(), "cargo build --bin banhook failed");
    String::from_utf8(built.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "banhook")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .expect("cargo names the executable")
}

/// Fails unless this is root.
#[track_caller]
pub fn require_root() {
    assert!(rustix::process::geteuid().is_root(), "this test needs root, to act as other users");
}

/// Fails unless this user may mount in a new namespace.
#[track_caller]
pub fn require_mounts() {
    require("unshare", "util-linux");
    let probe = Command::new("unshare").args(["-m", "mount", "-t", "tmpfs", "probe", "/mnt"]).output().unwrap();
    let stderr = String::from_utf8_lossy(&probe.stderr);
    assert!(
        probe.status.success(),
        "this test needs root and, in a container, CAP_SYS_ADMIN, to mount a disk: {stderr}"
    );
}

/// Fails unless the program is installed, with the command that installs it.
#[track_caller]
pub fn require(program: &str, package: &str) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_installed = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    assert!(is_installed, "this test needs {program}: apt-get install --no-install-recommends {package}");
}
