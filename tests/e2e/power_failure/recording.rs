//! What a command and all that it starts do to the store's files, call by call, by strace.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::binary::require;

/// All calls that change a file or a folder, and what says who ended how. What else changes a file of the store is an error.
const CALLS: &str = "trace=execve,openat,creat,write,writev,pwrite64,pwritev,pwritev2,ftruncate,truncate,fallocate,\
    fsync,fdatasync,sync_file_range,sync,syncfs,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,link,linkat,\
    copy_file_range,sendfile,mmap,io_uring_setup";

/// One thing that was done.
#[derive(Debug)]
pub struct Step {
    /// When, in seconds since 1970.
    pub at: f64,
    pub call: Call,
}

/// On the store's files and folders; nothing is said by locks, logs, compiled plugins, and SQLite's shared memory.
#[derive(Debug)]
pub enum Call {
    /// Opened, and made where there was none.
    Made(PathBuf),
    FolderMade(PathBuf),
    Written {
        path: PathBuf,
        at: usize,
        data: Vec<u8>,
    },
    Cut {
        path: PathBuf,
        bytes: usize,
    },
    /// What was done before this step is on disk. Of a folder, that is what was made and removed in it.
    Synced {
        path: PathBuf,
        before: usize,
    },
    Removed(PathBuf),
    /// A program ended well; its arguments.
    Done(Vec<String>),
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written { path, at, data } => write!(f, "{} bytes written to {} at {at}", data.len(), path.display()),
            other => write!(f, "{other:?}"),
        }
    }
}

/// How a command that is to be recorded begins; append the program.
pub fn recorded(mut strace: Command, file: &Path) -> Command {
    require("strace", "strace");
    strace.args(["-f", "--seccomp-bpf", "-ttt", "-y", "-xx", "-s", "1000000", "-e", CALLS, "-o"]).arg(file);
    strace
}

/// Appends what was recorded into a file.
pub fn read(file: &Path, steps: &mut Vec<Step>) {
    /// A call that others ran beside: how it was begun, and after how many steps.
    type Begun = (String, usize);
    let (mut begun, mut programs) = (HashMap::<String, Begun>::new(), HashMap::<String, Vec<String>>::new());
    for line in fs::read_to_string(file).unwrap().lines() {
        // A process number is padded.
        let (process, rest) = line.split_once(' ').unwrap();
        let (at, call) = rest.trim_start().split_once(' ').unwrap();
        let (process, at) = (process.to_owned(), at.parse().unwrap());
        if call.starts_with("+++ exited with 0 ") {
            if let Some(program) = programs.remove(&process) {
                steps.push(Step { at, call: Call::Done(program) });
            }
            continue;
        }
        if let Some(half) = call.strip_suffix(" <unfinished ...>") {
            begun.insert(process, (half.to_owned(), steps.len()));
            continue;
        }
        let (call, before) = match call.strip_prefix("<... ").and_then(|call| call.split_once(" resumed>")) {
            Some((_, end)) => {
                let (half, before) = begun.remove(&process).unwrap();
                (half + end, before)
            }
            None => (call.to_owned(), steps.len()),
        };
        if call.starts_with("execve(") && call.ends_with(" = 0") {
            programs.insert(process, texts(&call).into_iter().skip(1).collect());
        } else if let Some(call) = parsed(&call, before) {
            steps.push(Step { at, call });
        }
    }
}

/// `None`: it failed, or is about nothing of the store's.
fn parsed(line: &str, before: usize) -> Option<Call> {
    let (name, rest) = line.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(" = ")?;
    if result.starts_with(['-', '?']) {
        return None;
    }
    let arguments: Vec<&str> = arguments.trim_end().strip_suffix(')')?.split(", ").collect();
    let path = || match name {
        "unlink" | "mkdir" | "rename" | "truncate" | "creat" | "link" => Some(PathBuf::from(text(arguments[0])?)),
        "openat" | "unlinkat" | "mkdirat" | "renameat" | "renameat2" | "linkat" => {
            Some(PathBuf::from(text(arguments[1])?))
        }
        "mmap" => Some(described(arguments[4])?),
        _ => described(arguments[0]),
    };
    let path = path()?;
    let is_folder = path.file_name().is_some_and(|name| name == "state");
    // The folder above is synced for the sake of this one.
    let holds_it = name.ends_with("sync") && path.is_dir();
    if !is_folder && !is_stored(&path) && !holds_it {
        return None;
    }
    let number = |argument: &str| argument.parse::<usize>().unwrap();
    Some(match name {
        "openat" if arguments[2].contains("O_TRUNC") => panic!("not followed: {line}"),
        "openat" if arguments[2].contains("O_CREAT") => Call::Made(path),
        "openat" => return None,
        "mmap" if !arguments[3].contains("MAP_SHARED") || !arguments[2].contains("PROT_WRITE") => return None,
        "mkdir" | "mkdirat" => Call::FolderMade(path),
        "pwrite64" => {
            let data = bytes(arguments[1]);
            assert_eq!(data.len(), number(result), "{line:.200}");
            Call::Written { path, at: number(arguments[3]), data }
        }
        "ftruncate" => Call::Cut { path, bytes: number(arguments[1]) },
        "fsync" | "fdatasync" => Call::Synced { path, before },
        "unlink" => Call::Removed(path),
        _ => panic!("not followed: {line:.200}"),
    })
}

/// Whether it is one of SQLite's files that count.
pub fn is_stored(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    [".sqlite3", ".sqlite3-wal", ".sqlite3-journal"].iter().any(|end| name.ends_with(end))
}

/// What a descriptor stands for, as in `3<\x2f...>`.
fn described(argument: &str) -> Option<PathBuf> {
    let (_, path) = argument.split_once('<')?;
    let path = path.strip_suffix('>')?;
    Some(PathBuf::from(String::from_utf8(bytes(path)).ok()?))
}

/// All texts in quotes.
fn texts(line: &str) -> Vec<String> {
    line.split('"').skip(1).step_by(2).map(|text| String::from_utf8_lossy(&bytes(text)).into_owned()).collect()
}

fn text(argument: &str) -> Option<String> {
    texts(argument).pop()
}

/// Those of a text in which each is written as `\x00`.
fn bytes(text: &str) -> Vec<u8> {
    text.trim_matches('"').split("\\x").skip(1).map(|digits| u8::from_str_radix(digits, 16).unwrap()).collect()
}
