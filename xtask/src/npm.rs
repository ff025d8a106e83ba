//! Packages from npm, in the versions of a `package-lock.json`, installed into a folder of `.tools`.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use crate::command::run;
use crate::rebuild;

/// Installs the packages that the lists in `source` name, unless these are installed.
pub fn install(source: &Path, folder: &Path) -> anyhow::Result<()> {
    let lists = ["package.json", "package-lock.json"].map(|list| source.join(list));
    rebuild::if_changed(folder, &lists, || {
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        for list in &lists {
            let copy = folder.join(list.file_name().unwrap_or_default());
            fs::copy(list, &copy).with_context(|| format!("copying {}", list.display()))?;
        }
        run(Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"])
            .current_dir(folder))
    })
}
