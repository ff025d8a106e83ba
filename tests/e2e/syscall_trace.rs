//! The system calls of one `notify`, recorded by strace.

use std::fmt;
use std::path::Path;

use crate::binary::{banhook_notify, require};
use crate::command_output::CommandOutput;
use crate::test_env::TestEnv;

const CALLS: &str = "trace=%file,%network,fsync,fdatasync,write,flock,fcntl,exit_group";

/// One line per call, in order, with the path of each descriptor.
pub struct SyscallTrace(Vec<String>);

/// Runs `banhook-notify` with these arguments under strace.
#[track_caller]
pub fn of_notify(env: &TestEnv, line: &str) -> SyscallTrace {
    require("strace", "strace");
    let file = env.path("trace");
    let mut command = env.command("strace");
    command.args(["-f", "-y", "-s", "64", "-e", CALLS, "-o"]).arg(&file);
    command.arg(banhook_notify()).args(line.split_whitespace());
    CommandOutput::of(&mut command).ok();
    SyscallTrace(std::fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect())
}

impl SyscallTrace {
    /// The positions of syncs.
    pub fn syncs(&self) -> Vec<usize> {
        self.positions(|line| line.contains("fsync(") || line.contains("fdatasync("))
    }

    /// The positions of writes to the spool in this folder. The later wake-up of the daemon goes through a pipe.
    pub fn writes_to_spool(&self, folder: &Path) -> Vec<usize> {
        let spool = folder.join("spool");
        self.positions(|line| line.split_once("write(").is_some_and(|(_, call)| call.contains(spool.to_str().unwrap())))
    }

    /// The calls on locks.
    pub fn locks(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).filter(|line| line.contains("flock(") || line.contains("_SETLK")).collect()
    }

    /// The position of the process's exit.
    pub fn exit(&self) -> Option<usize> {
        self.positions(|line| line.contains("exit_group(")).pop()
    }

    pub fn mentions(&self, word: &str) -> bool {
        self.0.iter().any(|line| line.contains(word))
    }

    fn positions(&self, matches: impl Fn(&str) -> bool) -> Vec<usize> {
        self.0.iter().enumerate().filter(|(_, line)| matches(line)).map(|(index, _)| index).collect()
    }
}

impl fmt::Display for SyscallTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}
