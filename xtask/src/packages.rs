//! Debian packages that tasks need: installed for root, named for other users.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::bail;

use crate::command::run;
use crate::guests::{self, Guest};
use crate::plugins;

/// A package, and how to tell that it or an equivalent is installed.
pub struct Package {
    name: &'static str,
    evidence: Evidence,
}

enum Evidence {
    /// A program on the path.
    Program(&'static str),
    /// A file or folder.
    File(&'static str),
    /// Python modules.
    Modules(&'static str),
}

impl Package {
    const fn program(name: &'static str, program: &'static str) -> Self {
        Self { name, evidence: Evidence::Program(program) }
    }

    const fn file(name: &'static str, file: &'static str) -> Self {
        Self { name, evidence: Evidence::File(file) }
    }

    fn is_installed(&self) -> bool {
        match self.evidence {
            Evidence::Program(program) => find(program).is_some(),
            Evidence::File(file) => Path::new(file).exists(),
            Evidence::Modules(modules) => {
                let import = Command::new("python3").args(["-c", &format!("import {modules}")]).output();
                import.is_ok_and(|answer| answer.status.success())
            }
        }
    }
}

/// The packages of the whole test suite.
pub fn for_tests() -> Vec<Package> {
    let mut packages = vec![
        Package::program("fail2ban", "fail2ban-client"),
        Package::program("acl", "setfacl"),
        Package::program("chromium", "chromium"),
        Package::program("faketime", "faketime"),
        Package::program("logrotate", "logrotate"),
        Package::program("openssl", "openssl"),
        Package::program("python3", "python3"),
        Package::program("xz-utils", "xz"),
        Package::program("zstd", "zstd"),
        Package::program("bzip2", "bzip2"),
        Package::program("strace", "strace"),
        Package::program("prometheus", "promtool"),
        Package::program("nodejs", "node"),
        Package::program("npm", "npm"),
        Package::program("debootstrap", "debootstrap"),
        Package::program("lintian", "lintian"),
        Package::program("sqlite3", "sqlite3"),
        Package::file("e2fsprogs", "/usr/sbin/mkfs.ext4"),
        // Those who read the examples of containers, Ansible and NixOS.
        Package::program("buildah", "buildah"),
        Package::program("docker-compose", "docker-compose"),
        Package::program("ansible-core", "ansible-playbook"),
        Package::program("nix-bin", "nix-instantiate"),
        Package { name: "python3-yaml", evidence: Evidence::Modules("yaml") },
        Package { name: "python3-jsonschema", evidence: Evidence::Modules("jsonschema, tomllib") },
    ];
    packages.extend(for_packages());
    // The guest in Rust needs the packages of the template plugin.
    packages.extend(guests::FOR_TESTS.into_iter().flat_map(for_guest));
    packages
}

/// The packages of `cargo xtask package`.
pub fn for_packages() -> Vec<Package> {
    vec![
        Package::program("binutils", "strip"),
        Package::file("ca-certificates", "/etc/ssl/certs/ca-certificates.crt"),
        Package::file("tzdata", "/usr/share/zoneinfo/Europe/Berlin"),
        // Which libraries the programs need.
        Package::program("dpkg-dev", "dpkg-shlibdeps"),
    ]
}

/// The compilers of C for the other platforms of `cargo xtask package --all`.
pub fn for_other_platforms() -> Vec<Package> {
    vec![
        Package::program("gcc-aarch64-linux-gnu", "aarch64-linux-gnu-gcc"),
        Package::file("libc6-dev-arm64-cross", "/usr/aarch64-linux-gnu/lib/libc.a"),
        Package::program("musl-tools", "musl-gcc"),
    ]
}

/// The packages of `cargo xtask bench`.
pub fn for_benches() -> Vec<Package> {
    vec![
        Package::program("gcc", "cc"),
        Package::program("curl", "curl"),
        Package::program("strace", "strace"),
        Package::program("fail2ban", "fail2ban-client"),
        Package::program("sqlite3", "sqlite3"),
    ]
}

/// The packages that compile Rust to WebAssembly: none if the current toolchain has the target, otherwise Debian's Rust.
pub fn for_plugins() -> Vec<Package> {
    if plugins::has_wasm_target() {
        return Vec::new();
    }
    vec![
        // Not /usr/bin/rustc: that may be the package rustc, which is too old and conflicts with rustc-web.
        Package::file("rustc-web", "/usr/share/doc/rustc-web"),
        Package::file("rust-web-src", "/usr/lib/rustlib/src/rust"),
        Package::file("lld-19", "/usr/bin/wasm-ld-19"),
    ]
}

/// The packages that download the toolchain of a guest in `plugins/guests`.
pub fn for_guest(guest: Guest) -> Vec<Package> {
    match guest {
        Guest::Rust => for_plugins(),
        Guest::Javascript => vec![Package::program("npm", "npm")],
        Guest::C | Guest::Python => {
            vec![Package { name: "python3-venv", evidence: Evidence::Modules("ensurepip, venv") }]
        }
    }
}

/// Installs missing packages as root. For other users fails with the command that installs them.
pub fn ensure(packages: &[Package]) -> anyhow::Result<()> {
    let missing: Vec<_> =
        packages.iter().filter(|package| !package.is_installed()).map(|package| package.name).collect();
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

/// The path of a program.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Whether this is root, from `id`: the standard library has no function for it.
pub fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|answer| answer.stdout.trim_ascii() == b"0")
}
