//! Mutation testing with cargo-mutants: whether the unit tests notice when one expression is another one.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::command::{cargo, output, run, target_dir};
use crate::tools::{self, CARGO_MUTANTS};

/// What is changed: the code that holds the delivery guarantees, and what keeps text from outside inert.
const SOURCES: [&str; 8] = [
    "host/src/deliver/*.rs",
    "host/src/format/*.rs",
    "host/src/message/active.rs",
    "host/src/message/escape.rs",
    "host/src/message/guard.rs",
    "host/src/message/sanitizer.rs",
    "host/src/route/*.rs",
    "host/src/store/*.rs",
];

/// Runs the tests on each change of the code, or on those of a shard, of what differs from a revision, or of some files. What
/// was found is in `target/mutants`.
pub fn mutants(root: &Path, shard: Option<&str>, since: Option<&str>, files: &[String]) -> anyhow::Result<()> {
    let program = tools::install(root, &CARGO_MUTANTS)?;
    let folder = target_dir(root)?.join("mutants");
    fs::create_dir_all(&folder)?;
    let mut command = cargo(root);
    // As cargo starts its subcommands. The tree is changed and restored: a copy of it would compile wasmtime first.
    command.arg("mutants").args(["--in-place", "--no-shuffle", "--output"]).arg(&folder);
    command.env("PATH", path_with(&program)?);
    if let Some(shard) = shard {
        command.args(["--shard", shard]);
    }
    if let Some(since) = since {
        let differences = folder.join("since.diff");
        fs::write(&differences, output(Command::new("git").current_dir(root).args(["diff", since, "--", "host"]))?)?;
        command.arg("--in-diff").arg(differences);
    }
    let files: Vec<&str> = if files.is_empty() { SOURCES.to_vec() } else { files.iter().map(String::as_str).collect() };
    command.args(files.into_iter().flat_map(|file| ["--file", file]));
    run(&mut command)
}

/// Returns the search path with the folder of a program first.
fn path_with(program: &Path) -> anyhow::Result<std::ffi::OsString> {
    let folder = program.parent().map(Path::to_path_buf);
    let others = std::env::var_os("PATH").unwrap_or_default();
    Ok(std::env::join_paths(folder.into_iter().chain(std::env::split_paths(&others)))?)
}
