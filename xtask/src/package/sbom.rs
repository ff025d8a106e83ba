//! The list of what is linked into the programs, in CycloneDX's format.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use serde_json::Value;

use super::tree;
use crate::command::{cargo, output, run};
use crate::tools::{CARGO_CYCLONEDX, install};

const NAME: &str = "banhook.cdx";

/// Writes it into a folder.
pub fn write(root: &Path, folder: &Path) -> anyhow::Result<()> {
    run(Command::new(install(root, &CARGO_CYCLONEDX)?)
        .args(["cyclonedx", "--quiet", "--manifest-path", "host/Cargo.toml", "--format", "json", "--no-build-deps"])
        .args(["--override-filename", NAME])
        .env("SOURCE_DATE_EPOCH", tree::time_of(root)?)
        .current_dir(root))
    .context("listing the libraries")?;
    let file = format!("{NAME}.json");
    fs::copy(root.join("host").join(&file), folder.join(&file)).context("cargo-cyclonedx wrote no list")?;
    // It has written one for each member of the workspace.
    let metadata = output(cargo(root).args(["metadata", "--no-deps", "--format-version=1"]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("reading what cargo metadata prints")?;
    let members = metadata.get("packages").and_then(Value::as_array).into_iter().flatten();
    let manifests = members.filter_map(|member| member.get("manifest_path")?.as_str().map(PathBuf::from));
    for list in manifests.map(|manifest| manifest.with_file_name(&file)).filter(|list| list.exists()) {
        fs::remove_file(list)?;
    }
    Ok(())
}
