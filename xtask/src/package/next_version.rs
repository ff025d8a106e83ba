//! A version that may follow this one, for the test of upgrades: its number is higher, its database has one more table, and
//! its action file has another text. It is made of a copy of the source tree, and shares all compiled libraries.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use super::tree;
use crate::command::{cargo, run, target_dir};
use crate::programs::Programs;

/// What is no source, at the top of the tree.
const NO_SOURCE: [&str; 3] = [".git", ".tools", "target"];

/// What differs: in a file, a text and what it becomes.
const CHANGES: [(&str, &str, &str); 3] = [
    ("Cargo.toml", "[workspace.package]\nversion = \"0.1.0\"", "[workspace.package]\nversion = \"0.2.0\""),
    (
        "host/src/store/schema.rs",
        "steps: &[FLEET, CONVERSATIONS]",
        "steps: &[FLEET, CONVERSATIONS, \"CREATE TABLE of_next_version (x)\"]",
    ),
    (
        "host/packaging/action.d/banhook.conf",
        "# Fail2Ban action configuration file\n",
        "# The action of the next version\n",
    ),
];

/// Builds it and stages its files. Returns its source tree.
pub fn build(root: &Path) -> anyhow::Result<PathBuf> {
    let source = root.join("target/next-version");
    let target = target_dir(root)?;
    copy(root, &source, Path::new(""))?;
    let programs = ["--bin=banhook", "--bin=banhook-notify"];
    let build = |source: &Path| {
        run(cargo(source).args(["build", "--workspace"]).args(programs).env("CARGO_TARGET_DIR", &target))
    };
    build(&source).context("building the next version")?;
    let debug = target.join("debug");
    let [banhook, notify] = ["banhook", "banhook-notify"].map(|name| debug.join(name));
    tree::stage(&source, &Programs { banhook, notify })?;
    // Both versions are called the same there, and the tests run this one.
    build(root)?;
    Ok(source)
}

/// Makes the folder `path` of a tree the copy of another tree's, with the changes. What is there already and the same is not
/// written again: cargo would build it again.
fn copy(from: &Path, to: &Path, path: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to.join(path))?;
    // Only at the top: there is source called `target`, too.
    let no_source = if path == Path::new("") { &NO_SOURCE[..] } else { &[] };
    let wanted = names(&from.join(path), no_source)?;
    for name in names(&to.join(path), no_source)?.into_iter().filter(|name| !wanted.contains(name)) {
        let file = to.join(path).join(name);
        if file.is_dir() { fs::remove_dir_all(file)? } else { fs::remove_file(file)? }
    }
    for path in wanted.iter().map(|name| path.join(name)) {
        let (source, target) = (from.join(&path), to.join(&path));
        if source.is_dir() {
            copy(from, to, &path)?;
            continue;
        }
        let content = changed(&path, fs::read(&source).with_context(|| format!("reading {}", source.display()))?)?;
        if fs::read(&target).ok().as_ref() != Some(&content) {
            fs::write(&target, content)?;
            fs::set_permissions(&target, fs::metadata(&source)?.permissions())?;
        }
    }
    Ok(())
}

/// Returns the names of what is in a folder.
fn names(folder: &Path, except: &[&str]) -> anyhow::Result<Vec<OsString>> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let names: Result<Vec<_>, _> = entries.map(|entry| entry.map(|entry| entry.file_name())).collect();
    Ok(names?.into_iter().filter(|name| !except.iter().any(|other| name == other)).collect())
}

/// Returns a file's content as the next version has it.
fn changed(path: &Path, content: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    let Some((name, before, after)) = CHANGES.iter().find(|(name, ..)| path == Path::new(name)) else {
        return Ok(content);
    };
    let text = String::from_utf8(content)?;
    ensure!(
        text.matches(before).count() == 1,
        "{name} does not have {before:?} once: xtask/src/package/next_version.rs"
    );
    Ok(text.replace(before, after).into_bytes())
}
