//! A system call that fails, by strace.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
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

/// One call, by its name and its number among those of its thread, and the error that it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Injection {
    pub call: &'static str,
    pub number: usize,
    pub error: &'static str,
}

impl Injection {
    /// Lets this call fail in the program that follows, in each thread that makes so many of them.
    pub fn apply(&self, strace: &mut Command) {
        let Self { call, number, error } = self;
        strace.args(["-f", "--seccomp-bpf", "-qqq", "-o", "/dev/null"]);
        strace.args(["-e", &format!("trace={call}"), "-e", &format!("inject={call}:error={error}:when={number}")]);
    }

    /// Whether the system refuses memory.
    pub fn is_of_memory(&self) -> bool {
        self.call == "mmap"
    }
}

impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} number {} failing with {}", self.call, self.number, self.error)
    }
}

/// The calls of a clean run that can fail.
pub struct CallTrace {
    /// The name of each, its number among those of its thread, and the errors that it may answer.
    calls: Vec<(&'static str, usize, &'static [&'static str])>,
}

impl CallTrace {
    /// Records the program that follows.
    pub fn record(strace: &mut Command, file: &Path) {
        require("strace", "strace");
        let names: Vec<_> = FAULTS.iter().map(|(name, _)| *name).collect();
        strace.args(["-f", "--seccomp-bpf", "-qqq", "-e", &format!("trace={}", names.join(",")), "-o"]).arg(file);
    }

    /// Reads a recording.
    pub fn read(file: &Path) -> Self {
        let mut counts: BTreeMap<(String, &str), usize> = BTreeMap::new();
        let mut calls = Vec::new();
        for line in std::fs::read_to_string(file).unwrap().lines() {
            let (thread, call) = line.split_once(' ').unwrap();
            let call = call.trim_start();
            let Some((name, errors)) =
                FAULTS.iter().find(|(name, _)| call.strip_prefix(name).is_some_and(|rest| rest.starts_with('(')))
            else {
                continue;
            };
            let number = counts.entry((thread.to_owned(), name)).or_default();
            *number += 1;
            calls.push((*name, *number, *errors));
        }
        Self { calls }
    }

    /// Every failure of every call.
    pub fn injections(&self) -> Vec<Injection> {
        let all = self
            .calls
            .iter()
            .flat_map(|(call, number, errors)| errors.iter().map(|error| Injection { call, number: *number, error }));
        all.collect()
    }

    /// A random failure of a random call; each kind of call is as likely as the others, since a few are most of all.
    pub fn random(&self, random: &mut SeededRandom) -> Injection {
        let mut kinds: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, (call, ..)) in self.calls.iter().enumerate() {
            kinds.entry(call).or_default().push(index);
        }
        let kinds: Vec<_> = kinds.into_values().collect();
        let kind = chosen(&kinds, random);
        let (call, number, errors) = self.calls[*chosen(kind, random)];
        Injection { call, number, error: chosen::<&str>(errors, random) }
    }
}

fn chosen<'a, T>(from: &'a [T], random: &mut SeededRandom) -> &'a T {
    &from[random.below(u32::try_from(from.len()).unwrap()) as usize]
}
