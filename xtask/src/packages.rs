//! Debian packages: installed for root, named for everybody else.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::bail;

use crate::command::run;
use crate::guests::{self, Guest};
use crate::plugins;

/// A package, and what shows that it, or something as good, is there.
pub struct Package {
    name: &'static str,
    sign: Sign,
}

enum Sign {
    /// A program somewhere on the path.
    Program(&'static str),
    /// Just this file or folder.
    File(&'static str),
    /// These modules of Python.
    Modules(&'static str),
}

impl Package {
    const fn program(name: &'static str, program: &'static str) -> Self {
        Self { name, sign: Sign::Program(program) }
    }

    const fn file(name: &'static str, file: &'static str) -> Self {
        Self { name, sign: Sign::File(file) }
    }

    fn is_there(&self) -> bool {
        match self.sign {
            Sign::Program(program) => find(program).is_some(),
            Sign::File(file) => Path::new(file).exists(),
            Sign::Modules(modules) => {
                let import = Command::new("python3").args(["-c", &format!("import {modules}")]).output();
                import.is_ok_and(|answer| answer.status.success())
            }
        }
    }
}

/// What the whole test suite runs.
pub fn for_tests() -> Vec<Package> {
    let mut packages = vec![
        Package::program("fail2ban", "fail2ban-client"),
        Package::program("acl", "setfacl"),
        Package::program("faketime", "faketime"),
        Package::program("logrotate", "logrotate"),
        Package::program("openssl", "openssl"),
        Package::program("python3", "python3"),
        Package::program("xz-utils", "xz"),
        Package::program("zstd", "zstd"),
        Package::program("bzip2", "bzip2"),
        Package::program("strace", "strace"),
    ];
    // One of them is in Rust, and needs what the template plugin needs.
    packages.extend(guests::FOR_TESTS.into_iter().flat_map(for_guest));
    packages
}

/// What `cargo xtask bench` runs.
pub fn for_benches() -> Vec<Package> {
    vec![
        Package::program("gcc", "cc"),
        Package::program("curl", "curl"),
        Package::program("strace", "strace"),
        Package::program("fail2ban", "fail2ban-client"),
    ]
}

/// What compiles WebAssembly: nothing if the toolchain in use has the target, else Debian's own Rust.
pub fn for_plugins() -> Vec<Package> {
    if plugins::has_wasm_target() {
        return Vec::new();
    }
    vec![
        // Not /usr/bin/rustc: that may be the package rustc, which is too old and cannot be installed beside it.
        Package::file("rustc-web", "/usr/share/doc/rustc-web"),
        Package::file("rust-web-src", "/usr/lib/rustlib/src/rust"),
        Package::file("lld-19", "/usr/bin/wasm-ld-19"),
    ]
}

/// What fetches the toolchain of a guest of `plugins/guests`.
pub fn for_guest(guest: Guest) -> Vec<Package> {
    match guest {
        Guest::Rust => for_plugins(),
        Guest::Javascript => vec![Package::program("npm", "npm")],
        Guest::C | Guest::Python => {
            vec![Package { name: "python3-venv", sign: Sign::Modules("ensurepip, venv") }]
        }
    }
}

/// Installs what is missing if we may; else fails with the command that does.
pub fn ensure(packages: &[Package]) -> anyhow::Result<()> {
    let missing: Vec<_> = packages.iter().filter(|package| !package.is_there()).map(|package| package.name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let install = format!("apt-get install --yes --no-install-recommends {}", missing.join(" "));
    if !is_root() || find("apt-get").is_none() {
        bail!("packages are missing; on Debian: sudo {install}");
    }
    eprintln!("{install}");
    run(apt_get().arg("update").arg("--quiet=2"))?;
    run(apt_get().args(["install", "--yes", "--quiet=2", "--no-install-recommends", "--no-remove"]).args(&missing))
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// Where on the path a program is.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Asked of `id`, as the standard library does not tell.
fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|answer| answer.stdout.trim_ascii() == b"0")
}
