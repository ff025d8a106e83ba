//! The system calls of one `notify`, by strace.

use std::fmt;
use std::path::Path;

use crate::binary::{banhook, require};
use crate::command_output::CommandOutput;
use crate::test_env::TestEnv;

const CALLS: &str = "trace=%file,%network,fsync,fdatasync,pwrite64,exit_group";

/// One line for each call, in order; a descriptor stands with its path.
pub struct Trace(Vec<String>);

/// Runs `banhook notify` with these words under strace.
#[track_caller]
pub fn of_notify(env: &TestEnv, line: &str) -> Trace {
    require("strace", "strace");
    let file = env.path("trace");
    let mut command = env.command("strace");
    command.args(["-f", "-y", "-s", "64", "-e", CALLS, "-o"]).arg(&file);
    command.arg(banhook()).arg("notify").args(line.split_whitespace());
    CommandOutput::of(&mut command).ok();
    Trace(std::fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect())
}

impl Trace {
    /// Where something is made durable.
    pub fn syncs(&self) -> Vec<usize> {
        self.positions(|line| line.contains("fsync(") || line.contains("fdatasync("))
    }

    /// Where the store, in this folder, is written to for the last time. SQLite writes with `pwrite64` and nothing else
    /// does; the wake-up of the daemon, through a pipe, comes later and is not for the disk.
    pub fn last_write_to(&self, folder: &Path) -> Option<usize> {
        let folder = folder.to_str().unwrap();
        let is_it = |line: &str| line.split_once("pwrite64(").is_some_and(|(_, call)| call.contains(folder));
        self.positions(is_it).pop()
    }

    /// Where the process ends.
    pub fn exit(&self) -> Option<usize> {
        self.positions(|line| line.contains("exit_group(")).pop()
    }

    pub fn mentions(&self, word: &str) -> bool {
        self.0.iter().any(|line| line.contains(word))
    }

    fn positions(&self, is_it: impl Fn(&str) -> bool) -> Vec<usize> {
        self.0.iter().enumerate().filter(|(_, line)| is_it(line)).map(|(index, _)| index).collect()
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}
