//! The yardstick: the least that any program can do to make an event durable, written in C.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::run;

/// Compiles it into `folder`.
pub fn compile(root: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let program = folder.join("append_and_sync");
    run(Command::new("cc").args(["-O2", "-Wall", "-o"]).arg(&program).arg(root.join("xtask/bench/append_and_sync.c")))?;
    Ok(program)
}
