//! The file of a route's plugin, and the version before it, which is next to it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::cli::whole_file::write_like;

/// Ends the name of the version before.
const PREVIOUS: &str = "previous";

/// Where a route's plugin is installed.
pub(super) struct InstalledFile {
    path: PathBuf,
    previous: PathBuf,
}

impl InstalledFile {
    /// Returns the place of the plugin in this file, or in that to which it leads.
    pub(super) fn at(path: &Path) -> anyhow::Result<Self> {
        let path = path.canonicalize().with_context(|| format!("cannot find {}", path.display()))?;
        let mut previous = path.clone().into_os_string();
        previous.push(format!(".{PREVIOUS}"));
        Ok(Self { path, previous: previous.into() })
    }

    /// Returns the version before; `None` if there is none.
    pub(super) fn previous(&self) -> Option<&Path> {
        self.previous.is_file().then_some(self.previous.as_path())
    }

    /// Installs a version, and keeps the one that is there as the version before. At every moment a whole version is in
    /// place.
    pub(super) fn install(&self, plugin: &[u8]) -> anyhow::Result<()> {
        let old = fs::read(&self.path).with_context(|| format!("cannot read {}", self.path.display()))?;
        write_like(&self.path, &self.previous, &old)?;
        Ok(write_like(&self.path, &self.path, plugin)?)
    }

    /// Exchanges the version in place and the one before.
    pub(super) fn exchange(&self) -> anyhow::Result<()> {
        let Some(previous) = self.previous() else {
            bail!("there is no {}: `banhook plugin update` keeps the version before there", self.previous.display());
        };
        let plugin = fs::read(previous).with_context(|| format!("cannot read {}", previous.display()))?;
        self.install(&plugin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn install_keeps_the_version_before_and_exchange_brings_it_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.wasm");
        fs::write(&path, "one").unwrap();
        let installed = InstalledFile::at(&path).unwrap();
        assert!(installed.previous().is_none());
        assert!(installed.exchange().unwrap_err().to_string().contains("p.wasm.previous"));
        installed.install(b"two").unwrap();
        let both = || [&path, &folder.path().join("p.wasm.previous")].map(|file| fs::read_to_string(file).unwrap());
        assert_eq!(both(), ["two", "one"]);
        installed.exchange().unwrap();
        assert_eq!(both(), ["one", "two"]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
