//! Programs from crates.io that tasks run, each in the version that is named here, installed into a folder of `.tools`.

use std::path::{Path, PathBuf};

use crate::command::{cargo, run};

/// A program that cargo installs.
pub struct Tool {
    name: &'static str,
    version: &'static str,
}

/// Makes Debian packages.
pub const CARGO_DEB: Tool = Tool { name: "cargo-deb", version: "3.8.0" };

/// Makes RPM packages.
pub const CARGO_GENERATE_RPM: Tool = Tool { name: "cargo-generate-rpm", version: "0.21.1" };

/// Lists what is linked into a program, in the program itself.
pub const CARGO_AUDITABLE: Tool = Tool { name: "cargo-auditable", version: "0.7.7" };

/// Lists the same in a file.
pub const CARGO_CYCLONEDX: Tool = Tool { name: "cargo-cyclonedx", version: "0.5.9" };

/// Changes the source, and runs the tests on each change.
pub const CARGO_MUTANTS: Tool = Tool { name: "cargo-mutants", version: "27.1.0" };

/// Returns the path of a program; installs it first if it is missing.
pub fn install(root: &Path, tool: &Tool) -> anyhow::Result<PathBuf> {
    let Tool { name, version } = tool;
    let folder = root.join(".tools").join(format!("{name}-{version}"));
    let program = folder.join("bin").join(name);
    if !program.is_file() {
        eprintln!("cargo install {name}@{version}");
        // Unoptimized, since it runs for seconds and would compile for minutes.
        run(cargo(root)
            .args(["install", "--quiet", "--locked", "--debug", "--no-track", &format!("{name}@{version}")])
            .arg("--root")
            .arg(&folder)
            .arg("--target-dir")
            .arg(root.join("target/tools")))?;
    }
    Ok(program)
}
