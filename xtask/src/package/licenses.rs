//! The licenses of the libraries that are linked into the programs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::command::{cargo, output};

/// How the files begin in which a library has its license.
const FILES: [&str; 5] = ["license", "licence", "copying", "copyright", "notice"];

/// Returns a text with each license and the libraries that have it.
pub fn of_libraries(source: &Path) -> anyhow::Result<String> {
    let mut libraries: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in linked(source)? {
        let name = format!("{} {} ({})", package.name, package.version, package.license);
        let mut texts = texts(&package.folder)?;
        if texts.is_empty() {
            texts.push("No text of its own.\n".to_owned());
        }
        for text in texts {
            libraries.entry(text).or_default().insert(name.clone());
        }
    }
    let sections = libraries.iter().map(|(text, names)| {
        let names = names.iter().map(String::as_str).collect::<Vec<_>>().join("\n");
        format!("{}\n{names}\n\n{}\n", "=".repeat(80), text.trim_matches('\n'))
    });
    Ok(sections.collect())
}

struct Package {
    name: String,
    version: String,
    license: String,
    folder: PathBuf,
}

/// The packages of others on which the two programs depend, without those that only builds and tests need.
fn linked(source: &Path) -> anyhow::Result<Vec<Package>> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let tree =
        output(cargo(source).args(["tree", "--package=banhook", "--edges=normal", "--prefix=none", "--format={p}"]))?;
    let linked: BTreeSet<_> = tree.lines().filter_map(|line| line.split(" (").next()).collect();
    let metadata = output(cargo(source).args(["metadata", "--format-version=1"]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("reading what cargo metadata prints")?;
    let packages: Vec<_> = metadata.get("packages").and_then(Value::as_array).into_iter().flatten().collect();
    let own = |package: &Value| package.get("source").is_none_or(Value::is_null);
    let packages = packages.into_iter().filter(|package| !own(package)).filter_map(|package| {
        let (name, version) = (text(package.get("name")?), text(package.get("version")?));
        let folder = PathBuf::from(text(package.get("manifest_path")?)).parent()?.to_owned();
        let license = package.get("license").map(text).unwrap_or_default();
        linked.contains(format!("{name} v{version}").as_str()).then_some(Package { name, version, license, folder })
    });
    let packages: Vec<_> = packages.collect();
    ensure!(!packages.is_empty(), "cargo tree names no libraries: {tree}");
    Ok(packages)
}

/// The texts of the licenses in a folder.
fn texts(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_ascii_lowercase();
        if entry.file_type()?.is_file() && FILES.iter().any(|file| name.starts_with(file)) {
            texts.push(String::from_utf8_lossy(&fs::read(entry.path())?).replace('\r', ""));
        }
    }
    Ok(texts)
}
