//! The plugin and the case files that `test` and `preview` are given, and the sandbox that they run in.

use std::fs;
use std::path::{Path, PathBuf};

use crate::plugin::{BUILT_IN, Cache, Compiler, Metering, PluginError, Runtime, Sandbox, Setup};
use anyhow::{Context as _, anyhow};
use clap::Args;

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
}

impl PluginFile {
    /// Reads a plugin's file, or the built-in plugin by its name.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let path = path.to_owned();
        if path == Path::new(TEMPLATE) && !path.exists() {
            return Ok(Self { path, bytes: BUILT_IN.to_vec() });
        }
        let bytes = fs::read(&path).with_context(|| {
            let path = path.display();
            format!("cannot read the plugin {path}; give its .wasm file, or \"{TEMPLATE}\" for the built-in plugin")
        })?;
        Ok(Self { path, bytes })
    }
}

impl PluginCaseArgs {
    /// Reads the plugin.
    pub(super) fn read_plugin(&self) -> anyhow::Result<PluginFile> {
        PluginFile::read(&self.plugin)
    }

    /// Returns the case files in the order given, those of a folder by name.
    pub(super) fn case_files(&self) -> anyhow::Result<Vec<PathBuf>> {
        let default = [self.plugin.parent().unwrap_or(Path::new("")).join("cases")];
        let given = if self.cases.is_empty() { &default[..] } else { &self.cases };
        let mut files = Vec::new();
        for path in given {
            if !path.is_dir() {
                files.push(path.clone());
                continue;
            }
            let mut in_folder = Vec::new();
            for entry in fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))? {
                let file = entry?.path();
                if file.extension().is_some_and(|extension| extension == "json") {
                    in_folder.push(file);
                }
            }
            in_folder.sort();
            files.append(&mut in_folder);
        }
        if files.is_empty() {
            let folder = given.first().map_or(Path::new("?"), PathBuf::as_path).display();
            return Err(anyhow!("there are no cases: {folder} contains no .json file"));
        }
        Ok(files)
    }
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
