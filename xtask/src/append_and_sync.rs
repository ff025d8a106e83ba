//! The baseline of `notify`: a C program that appends a record to a file and syncs it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::run;

/// Compiles the program into `folder`.
pub fn compile(root: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let program = folder.join("append_and_sync");
    run(Command::new("cc").args(["-O2", "-Wall", "-o"]).arg(&program).arg(root.join("xtask/bench/append_and_sync.c")))?;
    Ok(program)
}
