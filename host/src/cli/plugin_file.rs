//! The plugin and the case files that `test` and `preview` are given, and the sandbox that they run in.

use std::fs;
use std::path::{Path, PathBuf};

use crate::plugin::{BUILT_IN, Cache, Compiler, Metering, PluginError, Runtime, Sandbox, Setup};
use anyhow::{Context as _, anyhow};
use clap::Args;
use sha2::{Digest as _, Sha256};

/// What stands for the built-in plugin on the command line.
const TEMPLATE: &str = "template";

/// A plugin and its cases.
#[derive(Debug, Args)]
pub(super) struct PluginCaseArgs {
    /// The plugin's .wasm file, or "template" for the built-in plugin
    plugin: PathBuf,
    /// Case files, or directories of them [default: the directory "cases" next to the plugin]
    #[arg(value_name = "CASE")]
    cases: Vec<PathBuf>,
}

/// A plugin's file.
pub(super) struct PluginFile {
    /// As it was given; `template` for the built-in plugin.
    pub path: PathBuf,
    /// What is in it.
    pub bytes: Vec<u8>,
    /// Of that.
    pub sha256: [u8; 32],
}

impl PluginFile {
    /// Returns the built-in plugin.
    pub(super) fn built_in() -> Self {
        Self::new(TEMPLATE.into(), BUILT_IN.to_vec())
    }

    fn new(path: PathBuf, bytes: Vec<u8>) -> Self {
        let sha256 = Sha256::digest(&bytes).into();
        Self { path, bytes, sha256 }
    }

    /// Reads a plugin's file, or the built-in plugin by its name.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let path = path.to_owned();
        if is_template(&path) {
            return Ok(Self::built_in());
        }
        let bytes = fs::read(&path).with_context(|| {
            let path = path.display();
            format!("cannot read the plugin {path}; give its .wasm file, or \"{TEMPLATE}\" for the built-in plugin")
        })?;
        Ok(Self::new(path, bytes))
    }
}

/// Returns whether this names the built-in plugin, and no file.
pub(super) fn is_template(path: &Path) -> bool {
    path == Path::new(TEMPLATE) && !path.exists()
}

impl PluginCaseArgs {
    /// Reads the plugin.
    pub(super) fn read_plugin(&self) -> anyhow::Result<PluginFile> {
        PluginFile::read(&self.plugin)
    }

    /// Returns the case files; `None`: none were given, and there are none next to the plugin.
    pub(super) fn own_case_files(&self) -> anyhow::Result<Option<Vec<PathBuf>>> {
        let directory = self.default_cases();
        if self.cases.is_empty() && (!directory.is_dir() || case_files_in(&directory)?.is_empty()) {
            return Ok(None);
        }
        self.case_files().map(Some)
    }

    /// Returns the plugin's file and the files or directories of its cases.
    pub(super) fn paths(&self) -> impl Iterator<Item = PathBuf> {
        let cases = if self.cases.is_empty() { vec![self.default_cases()] } else { self.cases.clone() };
        [self.plugin.clone()].into_iter().chain(cases)
    }

    fn default_cases(&self) -> PathBuf {
        self.plugin.parent().unwrap_or(Path::new("")).join("cases")
    }

    /// Returns the case files in the order given, those of a folder by name.
    pub(super) fn case_files(&self) -> anyhow::Result<Vec<PathBuf>> {
        let default = [self.default_cases()];
        let given = if self.cases.is_empty() { &default[..] } else { &self.cases };
        let mut files = Vec::new();
        for path in given {
            if !path.is_dir() {
                files.push(path.clone());
                continue;
            }
            files.append(&mut case_files_in(path)?);
        }
        if files.is_empty() {
            let folder = given.first().map_or(Path::new("?"), PathBuf::as_path).display();
            return Err(anyhow!("there are no cases: {folder} contains no .json file"));
        }
        Ok(files)
    }
}

/// Returns the case files in a directory, by name.
pub(super) fn case_files_in(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "json") {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// Makes the runtime for cases: it counts fuel, so that a case has the same result everywhere.
pub(super) fn case_runtime() -> Result<Runtime, PluginError> {
    Runtime::new(Setup {
        cache: cache(),
        compiler: Compiler::this_program(),
        metering: Metering::Fuel,
        sandbox: Sandbox::STANDARD,
    })
}

/// Makes a runtime that limits wall time, as a daemon does, and keeps no compiled plugin.
pub(super) fn timed_runtime() -> Result<Runtime, PluginError> {
    Runtime::for_events(Sandbox::STANDARD, None)
}

/// Opens the user's cache of compiled plugins, if the user has a folder for such things.
fn cache() -> Option<Cache> {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .filter(|base| base.is_absolute())?;
    Cache::open(&base.join("banhook")).ok()
}
