//! The system calls by which a command and its children change the files of the store, recorded by strace.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::binary::require;

/// Every call that can change a file or a folder, and `execve` to know which program exited. Calls on the store that the
/// simulation does not support are an error.
const CALLS: &str = "trace=execve,openat,creat,write,writev,pwrite64,pwritev,pwritev2,ftruncate,truncate,fallocate,\
    fsync,fdatasync,sync_file_range,sync,syncfs,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,link,linkat,\
    copy_file_range,sendfile,mmap,io_uring_setup";

/// One recorded call.
#[derive(Debug)]
pub struct Step {
    /// When, in seconds since 1970.
    pub at: f64,
    pub call: Call,
}

/// A call on the files and folders of the store. Locks, logs, compiled plugins and SQLite's shared memory are left out.
#[derive(Debug)]
pub enum Call {
    /// Opened, and created if it did not exist.
    Created(PathBuf),
    /// Opened, and created or emptied.
    Replaced(PathBuf),
    FolderCreated(PathBuf),
    Written {
        path: PathBuf,
        at: usize,
        data: Vec<u8>,
    },
    Truncated {
        path: PathBuf,
        bytes: usize,
    },
    /// Changes before step `before` are durable. For a folder: files that were created and removed in it.
    Synced {
        path: PathBuf,
        before: usize,
    },
    Removed(PathBuf),
    /// A file has got a second name.
    Linked {
        from: PathBuf,
        to: PathBuf,
    },
    /// A file has another name now, and what had that name before is removed.
    Renamed {
        from: PathBuf,
        to: PathBuf,
    },
    /// Written at the end of a file that is opened to append.
    Appended {
        path: PathBuf,
        data: Vec<u8>,
    },
    /// A program exited with success; its arguments.
    Exited(Vec<String>),
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Appended { path, data } => write!(f, "{} bytes appended to {}", data.len(), path.display()),
            Self::Written { path, at, data } => write!(f, "{} bytes written to {} at {at}", data.len(), path.display()),
            other => write!(f, "{other:?}"),
        }
    }
}

/// The strace command that records into `file`; append the program.
pub fn strace_command(mut strace: Command, file: &Path) -> Command {
    require("strace", "strace");
    strace.args(["-f", "--seccomp-bpf", "-ttt", "-y", "-xx", "-s", "1000000", "-e", CALLS, "-o"]).arg(file);
    strace
}

/// Appends the calls that were recorded into a file.
pub fn read(file: &Path, steps: &mut Vec<Step>) {
    /// A call that was interrupted by others: its first half, and the number of steps before it.
    type Unfinished = (String, usize);
    let (mut unfinished, mut programs) = (HashMap::<String, Unfinished>::new(), HashMap::<String, Vec<String>>::new());
    for line in fs::read_to_string(file).unwrap().lines() {
        // The process id is padded.
        let (process, rest) = line.split_once(' ').unwrap();
        let (at, call) = rest.trim_start().split_once(' ').unwrap();
        let (process, at) = (process.to_owned(), at.parse().unwrap());
        if call.starts_with("+++ exited with 0 ") {
            if let Some(program) = programs.remove(&process) {
                steps.push(Step { at, call: Call::Exited(program) });
            }
            continue;
        }
        if let Some(half) = call.strip_suffix(" <unfinished ...>") {
            unfinished.insert(process, (half.to_owned(), steps.len()));
            continue;
        }
        let (call, before) = match call.strip_prefix("<... ").and_then(|call| call.split_once(" resumed>")) {
            Some((_, end)) => {
                let (half, before) = unfinished.remove(&process).unwrap();
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

/// Parses a line; `None` if the call failed or does not concern the store.
fn parsed(line: &str, before: usize) -> Option<Call> {
    let (name, rest) = line.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(" = ")?;
    if result.starts_with(['-', '?']) {
        return None;
    }
    let arguments: Vec<&str> = arguments.trim_end().strip_suffix(')')?.split(", ").collect();
    let path = || match name {
        "unlink" | "mkdir" | "rename" | "truncate" | "creat" | "link" => Some(PathBuf::from(text(arguments[0])?)),
        "openat" | "unlinkat" | "mkdirat" | "renameat" | "renameat2" | "linkat" => at(arguments[0], arguments[1]),
        "mmap" => Some(descriptor_path(arguments[4])?),
        _ => descriptor_path(arguments[0]),
    };
    let path = path()?;
    let is_folder = path.file_name().is_some_and(|name| name == "state" || name == "spool");
    // The parent folder is synced to make the state directory durable.
    let is_parent = name.ends_with("sync") && path.is_dir();
    if !is_folder && !is_stored(&path) && !is_parent {
        return None;
    }
    let number = |argument: &str| argument.parse::<usize>().unwrap();
    Some(match name {
        "openat" if arguments[2].contains("O_TRUNC") => Call::Replaced(path),
        "openat" if arguments[2].contains("O_CREAT") => Call::Created(path),
        "openat" => return None,
        "mmap" if !arguments[3].contains("MAP_SHARED") || !arguments[2].contains("PROT_WRITE") => return None,
        "mkdir" | "mkdirat" => Call::FolderCreated(path),
        "pwrite64" => {
            let data = bytes(arguments[1]);
            assert_eq!(data.len(), number(result), "{line:.200}");
            Call::Written { path, at: number(arguments[3]), data }
        }
        "ftruncate" => Call::Truncated { path, bytes: number(arguments[1]) },
        "fsync" | "fdatasync" => Call::Synced { path, before },
        "unlink" => Call::Removed(path),
        "unlinkat" => Call::Removed(at(arguments[0], arguments[1])?),
        "linkat" => Call::Linked { from: at(arguments[0], arguments[1])?, to: at(arguments[2], arguments[3])? },
        "rename" => Call::Renamed { from: path, to: PathBuf::from(text(arguments[1])?) },
        // Each file of the spool is opened to append, or is new.
        "write" => {
            let data = bytes(arguments[1]);
            assert_eq!(data.len(), number(result), "{line:.200}");
            Call::Appended { path, data }
        }
        _ => panic!("not supported: {line:.200}"),
    })
}

/// Whether it is a file of the spool, or a database, a write-ahead log or a rollback journal of SQLite.
fn is_stored(path: &Path) -> bool {
    if path.parent().is_some_and(|folder| folder.ends_with("state/spool")) {
        return true;
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    [".sqlite3", ".sqlite3-wal", ".sqlite3-journal"].iter().any(|end| name.ends_with(end))
}

/// The path that two arguments name: a folder's descriptor, and a path in it.
fn at(folder: &str, path: &str) -> Option<PathBuf> {
    Some(descriptor_path(folder)?.join(text(path)?))
}

/// The path of a descriptor, as in `3<\x2f...>`.
fn descriptor_path(argument: &str) -> Option<PathBuf> {
    let (_, path) = argument.split_once('<')?;
    let path = path.strip_suffix('>')?;
    Some(PathBuf::from(String::from_utf8(bytes(path)).ok()?))
}

/// All texts in double quotes.
fn texts(line: &str) -> Vec<String> {
    line.split('"').skip(1).step_by(2).map(|text| String::from_utf8_lossy(&bytes(text)).into_owned()).collect()
}

fn text(argument: &str) -> Option<String> {
    texts(argument).pop()
}

/// Decodes a text in which each byte is written as `\x00`.
fn bytes(text: &str) -> Vec<u8> {
    text.trim_matches('"').split("\\x").skip(1).map(|digits| u8::from_str_radix(digits, 16).unwrap()).collect()
}
