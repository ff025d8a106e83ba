//! On which cases two versions of a plugin decide differently.

use std::path::Path;

use crate::cli::case_run::{CaseRun, Terms, TestedCase};
use crate::cli::command_error::CommandError;
use crate::cli::plugin_file::{PluginFile, case_files_in, case_runtime};

/// Says on how many cases, those next to the new version, the two decide differently, and names them.
pub(super) fn case_changes(old: &Path, new: &Path) -> Result<Vec<String>, CommandError> {
    let directory = new.parent().unwrap_or(Path::new("")).join("cases");
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let files = case_files_in(&directory).map_err(CommandError::Input)?;
    let runtime = case_runtime()?;
    let run = |path: &Path| {
        let plugin = PluginFile::read(path).map_err(CommandError::Input)?;
        CaseRun::run((&runtime, &plugin), &files, &Terms::default(), |_, _| true, |_| Ok(()))
    };
    let (old, new) = (run(old)?, run(new)?);
    let differ = |(old, new): &(&TestedCase, &TestedCase)| old.decided.decision != new.decided.decision;
    let changed: Vec<_> = old.tested.iter().zip(&new.tested).filter(differ).collect();
    let mut lines = vec![format!("cases: {} of {} decisions change", changed.len(), new.tested.len())];
    lines.extend(changed.iter().map(|(_, new)| format!("  {}", new.file)));
    Ok(lines)
}
