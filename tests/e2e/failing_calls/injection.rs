//! A system call that fails, by strace.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::binary::require;
use crate::seeded_random::SeededRandom;

/// The calls that fail, each with the errors that the system may answer.
const FAULTS: [(&str, &[&str]); 26] = [
    ("openat", &["EIO", "EMFILE", "ENOSPC", "EACCES"]),
    ("read", &["EIO", "EINTR"]),
    ("pread64", &["EIO", "EINTR"]),
    ("write", &["EIO", "ENOSPC", "EINTR"]),
    ("pwrite64", &["EIO", "ENOSPC", "EINTR"]),
    ("fsync", &["EIO", "ENOSPC"]),
    ("fdatasync", &["EIO", "ENOSPC"]),
    ("ftruncate", &["EIO", "ENOSPC"]),
    ("rename", &["EIO", "ENOSPC"]),
    ("linkat", &["EIO", "ENOSPC", "EMLINK"]),
    ("unlink", &["EIO"]),
    ("unlinkat", &["EIO"]),
    ("mkdir", &["EIO", "ENOSPC"]),
    ("fstat", &["EIO"]),
    ("newfstatat", &["EIO", "ENOMEM"]),
    ("statx", &["EIO", "ENOMEM"]),
    ("getdents64", &["EIO"]),
    ("mmap", &["ENOMEM"]),
    ("flock", &["EINTR", "ENOLCK"]),
    ("fcntl", &["EINTR", "ENOLCK"]),
    ("socket", &["EMFILE", "ENOBUFS"]),
    ("connect", &["ECONNREFUSED", "ENETUNREACH"]),
    ("sendto", &["ECONNRESET", "EPIPE"]),
    ("writev", &["ECONNRESET", "EPIPE"]),
    ("recvfrom", &["ECONNRESET", "EINTR"]),
    ("clone3", &["EAGAIN"]),
];

/// The calls of which only those on a file fail: between threads of a process, and on a pipe, the others cannot.
const ON_FILES: [&str; 4] = ["read", "pread64", "write", "pwrite64"];

/// The pipe that wakes the daemon.
const WAKE: &str = "state/wake";

/// The directory whose files have other names each time.
const SPOOL: &str = "state/spool/";
const SEGMENT: &str = "segment";

/// What strace writes, in the folder of an environment.
const INJECTED: &str = "injected";

/// One call, by its name and its number among those of its thread on the same file, and the error that it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Injection {
    pub call: &'static str,
    pub number: usize,
    pub error: &'static str,
    /// Of the file, below the folder of an environment; `None`: all calls of this name count.
    file: Option<String>,
}

impl Injection {
    /// Lets this call fail in the program that follows, in each thread that makes so many of them. `folder`: of the environment.
    pub fn apply(&self, strace: &mut Command, folder: &Path) {
        let Self { call, number, error, file } = self;
        strace.args(["-f", "--seccomp-bpf", "-qqq", "-o"]).arg(folder.join(INJECTED));
        strace.args(["-e", &format!("trace={call}"), "-e", &format!("inject={call}:error={error}:when={number}")]);
        if let Some(file) = file {
            strace.arg("-P").arg(file_in(folder, file));
        }
    }

    /// Whether any call failed: threads may make fewer calls than in the clean run.
    pub fn was_injected(folder: &Path) -> bool {
        std::fs::read_to_string(folder.join(INJECTED)).is_ok_and(|calls| calls.contains("(INJECTED"))
    }

    /// Whether the system refuses memory.
    pub fn is_of_memory(&self) -> bool {
        self.call == "mmap"
    }
}

/// The path of a file; of the spool's, the first that is there.
fn file_in(folder: &Path, file: &str) -> PathBuf {
    let spool = folder.join(SPOOL);
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|extension| extension == SEGMENT);
    let segments = std::fs::read_dir(&spool).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_of_a_segment = file.starts_with(SPOOL) && is_segment(&PathBuf::from(file));
    match is_of_a_segment.then(|| segments.filter(is_segment).min()).flatten() {
        Some(segment) => segment,
        None => folder.join(file),
    }
}

impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} number {}", self.call, self.number)?;
        if let Some(file) = &self.file {
            write!(f, " on {file}")?;
        }
        write!(f, " failing with {}", self.error)
    }
}

/// The calls of a clean run that can fail.
pub struct CallTrace(Vec<TracedCall>);

struct TracedCall {
    name: &'static str,
    number: usize,
    errors: &'static [&'static str],
    file: Option<String>,
}

impl CallTrace {
    /// Records the program that follows.
    pub fn record(strace: &mut Command, file: &Path) {
        require("strace", "strace");
        let names: Vec<_> = FAULTS.iter().map(|(name, _)| *name).collect();
        strace.args(["-f", "-y", "--seccomp-bpf", "-qqq", "-e", &format!("trace={}", names.join(",")), "-o"]).arg(file);
    }

    /// Reads the recording of a program with one thread: all its calls count.
    pub fn read(file: &Path) -> Self {
        Self::parse(file, |_, _| Some(None))
    }

    /// Reads the recording of a program with threads, whose calls on files of this folder count. Its path ends with a slash.
    pub fn read_in(file: &Path, folder: &Path) -> Self {
        let below = folder.display().to_string();
        Self::parse(file, |name, call| {
            if !ON_FILES.contains(&name) {
                return Some(None);
            }
            let path = call.split_once('<')?.1.split_once('>')?.0.strip_prefix(&below)?;
            (path != WAKE).then(|| Some(path.to_owned()))
        })
    }

    /// `file_of`: the file by which a call counts, or `None` if it cannot fail.
    fn parse(file: &Path, file_of: impl Fn(&str, &str) -> Option<Option<String>>) -> Self {
        let mut counts: BTreeMap<(String, &str, Option<String>), usize> = BTreeMap::new();
        let mut calls = Vec::new();
        for line in std::fs::read_to_string(file).unwrap().lines() {
            let (thread, call) = line.split_once(' ').unwrap();
            let call = call.trim_start();
            let Some((name, errors)) =
                FAULTS.iter().find(|(name, _)| call.strip_prefix(name).is_some_and(|rest| rest.starts_with('(')))
            else {
                continue;
            };
            let Some(file) = file_of(name, call) else { continue };
            let number = counts.entry((thread.to_owned(), name, file.clone())).or_default();
            *number += 1;
            calls.push(TracedCall { name, number: *number, errors, file });
        }
        Self(calls)
    }

    /// Every failure of every call.
    pub fn injections(&self) -> Vec<Injection> {
        let all = self.0.iter().flat_map(|call| call.errors.iter().map(|error| call.failing(error)));
        all.collect()
    }

    /// A random failure of a random call; each kind of call is as likely as the others, since a few are most of all.
    pub fn random(&self, random: &mut SeededRandom) -> Injection {
        let mut kinds: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, call) in self.0.iter().enumerate() {
            kinds.entry(call.name).or_default().push(index);
        }
        let kinds: Vec<_> = kinds.into_values().collect();
        let kind = chosen(&kinds, random);
        let call = &self.0[*chosen(kind, random)];
        call.failing(chosen::<&str>(call.errors, random))
    }
}

impl TracedCall {
    fn failing(&self, error: &'static str) -> Injection {
        Injection { call: self.name, number: self.number, error, file: self.file.clone() }
    }
}

fn chosen<'a, T>(from: &'a [T], random: &mut SeededRandom) -> &'a T {
    &from[random.below(u32::try_from(from.len()).unwrap()) as usize]
}
