//! Builds a file or folder only if its sources have changed.
//!
//! Next to each product is a copy of the sources that it was built from. The times of files would not do: a checkout changes
//! them.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Runs `build`, which builds the file or folder `product` from `sources` (files and folders), unless `product` was built from
/// the same sources before.
pub fn if_changed(
    product: &Path,
    sources: &[PathBuf],
    build: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut sources_now = Vec::new();
    for source in sources {
        read(source, &mut sources_now)?;
    }
    let record = record(product);
    if product.exists() && fs::read(&record).is_ok_and(|recorded| recorded == sources_now) {
        return Ok(());
    }
    // The record is removed first, so that an interrupted build is repeated.
    remove(&record)?;
    remove(product)?;
    build()?;
    fs::write(&record, sources_now).with_context(|| format!("writing {}", record.display()))
}

fn record(product: &Path) -> PathBuf {
    let mut name = product.file_name().map(OsString::from).unwrap_or_default();
    name.push(".made-of");
    product.with_file_name(name)
}

/// Appends name, length and content of a file, or of all files in a folder, sorted by name.
fn read(source: &Path, into: &mut Vec<u8>) -> anyhow::Result<()> {
    let context = || format!("reading {}", source.display());
    if source.is_dir() {
        let entries = fs::read_dir(source).and_then(Iterator::collect::<Result<Vec<_>, _>>).with_context(context)?;
        let mut paths: Vec<_> = entries.iter().map(fs::DirEntry::path).collect();
        paths.sort();
        return paths.iter().try_for_each(|path| read(path, into));
    }
    let content = fs::read(source).with_context(context)?;
    into.extend_from_slice(format!("{} {}\n", source.display(), content.len()).as_bytes());
    into.extend_from_slice(&content);
    Ok(())
}

fn remove(path: &Path) -> anyhow::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}
