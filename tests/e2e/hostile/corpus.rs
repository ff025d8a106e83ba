//! The attackers: each a text beside this file, or made by `made` where it is its size that attacks; and how each ends.

use std::fs;
use std::path::{Path, PathBuf};

use wit_parser::{PackageId, Resolve};

use super::generated;
use crate::binary::root;
use crate::component::{component, of_another_world};

/// One attack.
pub struct Case {
    /// Of its text, its plugin, its route; with `~` before it, of its jail.
    pub name: &'static str,
    source: Source,
    /// The good ends: any of them will do.
    pub ends: &'static [End],
    /// What its route lets it use, in MiB of memory.
    pub memory: u64,
}

enum Source {
    /// `NAME.wat`.
    Text,
    /// Written to the plugin's file.
    Made(fn(&Path)),
}

/// How an attack may end.
#[derive(Debug, Clone, Copy)]
pub enum End {
    /// The alert arrives as the plain message, with one of these words (`|` between them) after the plugin's name.
    Fallback(&'static str),
    /// The alert arrives in the attacker's own words, with these.
    OwnMessage(&'static str),
    /// The attacker skips the event.
    Skipped,
}

use End::{Fallback, OwnMessage, Skipped};

/// MiB of memory that most routes give.
pub const MEMORY: u64 = 64;

const fn text(name: &'static str, ends: &'static [End]) -> Case {
    Case { name, source: Source::Text, ends, memory: MEMORY }
}

const fn made(name: &'static str, make: fn(&Path), ends: &'static [End]) -> Case {
    Case { name, source: Source::Made(make), ends, memory: MEMORY }
}

/// What a plugin does that is stopped by the clock.
const TOO_LONG: &[End] = &[Fallback("was stopped after")];

pub const CASES: &[Case] = &[
    // Time.
    text("endless-loop", TOO_LONG),
    text("endless-recursion", &[Fallback("stack")]),
    text("loop-in-start", TOO_LONG),
    text("loop-in-realloc", TOO_LONG),
    text("loop-in-post-return", TOO_LONG),
    text("loop-in-digest", TOO_LONG),
    text("loop-in-check", &[OwnMessage("own words after the check")]),
    text("fill-loop", TOO_LONG),
    text("copy-loop", TOO_LONG),
    text("host-calls", TOO_LONG),
    text("atomic-wait", &[Fallback("valid component")]),
    // Memory, tables, instances.
    text("memory-to-the-limit", &[OwnMessage("own words in full memory")]),
    text("memory-beyond-the-limit", &[Fallback("limits.memory")]),
    text("memory-declared", &[Fallback("limits.memory")]),
    text("memories-many", &[Fallback("memories")]),
    made("memories-together", generated::memories_together, &[Fallback("limits.memory")]),
    text("table-growth", &[Fallback("table")]),
    text("table-declared", &[Fallback("table")]),
    text("tables-many", &[Fallback("tables")]),
    made("instances-many", generated::instances_many, &[Fallback("instances")]),
    // What it hands over.
    Case { memory: 1_024, ..text("string-of-a-gib", &[Fallback("passed more than|returned a")]) },
    text("string-beyond-memory", &[Fallback("out of bounds")]),
    text("strings-shared", &[Fallback("passed more than|returned a")]),
    text("blocks-by-the-million", &[Fallback("passed more than|returned a")]),
    text("list-beyond-memory", &[Fallback("out of bounds")]),
    text("hints-many", &[OwnMessage("own words with hints"), Fallback("hints|passed more than|returned a")]),
    text("raw-nested", &[Fallback("raw")]),
    text("raw-deep", &[Fallback("raw")]),
    text("message-maximal", &[OwnMessage("bbbb")]),
    text("message-too-large", &[Fallback("characters")]),
    text("text-huge", &[OwnMessage("aaaa"), Fallback("text")]),
    text("text-of-controls", &[OwnMessage("own words")]),
    text("mentions", &[OwnMessage("own words")]),
    text("mentions-in-digest", &[OwnMessage("own words")]),
    text("bad-utf8", &[Fallback("utf-8")]),
    text("bad-result-pointer", &[Fallback("out of bounds")]),
    text("bad-result-alignment", &[Fallback("align")]),
    text("bad-string-pointer", &[Fallback("out of bounds")]),
    text("bad-case", &[Fallback("discriminant")]),
    text("bad-realloc", &[Fallback("realloc|out of bounds|beyond end")]),
    text("dates", &[OwnMessage("own words on dates")]),
    text("clock-extremes", &[OwnMessage("own words out of time")]),
    text("trap", &[Fallback("unreachable")]),
    text("err-empty", &[Fallback("error")]),
    text("err-huge", &[Fallback("eeee"), Fallback("bytes")]),
    text("err-of-controls", &[Fallback("oops")]),
    text("skip-huge", &[Skipped, Fallback("reason")]),
    text("digest-key-huge", &[Fallback("key")]),
    text("log-flood", &[OwnMessage("own words after the flood")]),
    text("log-huge", &[OwnMessage("own words after the line"), Fallback("passed more than|returned a")]),
    text("log-of-controls", &[OwnMessage("own words after the forgery")]),
    text("check-flood", &[OwnMessage("own words, no complaint")]),
    // What would outlast an event.
    text("remembers", &[OwnMessage("own words, nothing remembered")]),
    text("peeks", &[OwnMessage("own words, nothing seen")]),
    // What it may not have.
    text("unknown-import", &[Fallback("imports acme:vault/secrets@1.0.0")]),
    text("ungranted-import", &[Fallback("imports banhook:plugin/history@0.1.0, which route|history = true")]),
    text("wasi-files", &[OwnMessage("own words, no folder")]),
    text("wasi-forged-handle", &[Fallback("handle")]),
    text("wasi-environment", &[OwnMessage("own words, no environment")]),
    text("wasi-connect", &[OwnMessage("own words, no"), Fallback("create-tcp-socket|start-connect|instance-network")]),
    text("wasi-resolve", &[OwnMessage("own words, no name"), Fallback("resolve-addresses|instance-network")]),
    text("wasi-sleep", &[Fallback("block|subscribe-duration")]),
    text("wasi-poll", &[Fallback("wasi:io/poll#poll|poll.poll|function poll|\"poll\"|`poll`|subscribe-duration")]),
    text("wasi-pollables", &[Fallback("too many handles|resources|was stopped after|subscribe-duration")]),
    text("wasi-stdin", &[OwnMessage("own words, nothing to read"), Fallback("blocking-read")]),
    text("wasi-stdout-flood", &[Fallback("was stopped after|blocking-write-and-flush")]),
    text("wasi-random-flood", &[Fallback("get-random-bytes|passed more than|returned a")]),
    text("wasi-exit", &[Fallback("exit")]),
    // What is no plugin of this interface.
    made("truncated", generated::truncated, &[Fallback("valid component")]),
    made("empty", |path| fs::write(path, "").unwrap(), &[Fallback("not a WebAssembly component")]),
    made("another-world", |path| fs::write(path, of_another_world()).unwrap(), &[Fallback("another world")]),
    made("two-hundred-megabytes", generated::two_hundred_megabytes, &[Fallback("bytes, more than")]),
    text("newer-import", &[Fallback("imports banhook:plugin/log@0.2.0")]),
    made(
        "newer-export",
        generated::newer_export,
        &[Fallback("imports banhook:plugin/types@0.2.0|exports banhook:plugin/formatter@0.2.0")],
    ),
];

impl Case {
    /// The jail that it attacks in.
    pub fn jail(&self) -> String {
        format!("~{}", self.name)
    }

    /// The name of its file.
    pub fn file(&self) -> String {
        format!("{}.wasm", self.name)
    }

    /// Writes its plugin into a folder.
    pub fn write_into(&self, folder: &Path) {
        let path = folder.join(self.file());
        match self.source {
            Source::Text => fs::write(path, attacker(self.name)).unwrap(),
            Source::Made(make) => make(&path),
        }
    }
}

/// Where the texts are.
pub fn folder() -> PathBuf {
    root().join("tests/e2e/hostile")
}

fn read(name: &str) -> String {
    let path = folder().join(format!("{name}.wat"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The component of `NAME.wat`.
pub fn attacker(name: &str) -> Vec<u8> {
    component_of(&read(name))
}

/// The component of an attacker's text.
pub fn component_of(text: &str) -> Vec<u8> {
    let text = whole(text);
    let (resolve, package) = wanted(text.contains("banhook:plugin/log@0.2.0"));
    let world = match () {
        () if text.contains("checker@0.1.0#check") => "attack-by-check",
        () if text.contains("digester@0.1.0#digest") => "attack-by-digest",
        () => "attack",
    };
    component(&text, &resolve, package, world)
}

/// An attacker's text as a module: as it is, or with what most share below.
pub fn whole(text: &str) -> String {
    if text.lines().any(|line| line.starts_with("(module")) {
        return text.to_owned();
    }
    format!("(module\n{text}\n{}\n)", read("prelude"))
}

/// What attackers import from, `newer`: log of 0.2.0 as well.
fn wanted(newer: bool) -> (Resolve, PackageId) {
    let mut resolve = Resolve::default();
    resolve.push_dir(root().join("wit")).unwrap();
    let mut text = fs::read_to_string(folder().join("wanted.wit")).unwrap();
    if newer {
        generated::push_interface_of_0_2(&mut resolve);
        text = text.replace("world attack {", "world attack {\n    import banhook:plugin/log@0.2.0;");
    }
    let package = resolve.push_str("wanted.wit", &text).unwrap_or_else(|error| panic!("{error:#}"));
    (resolve, package)
}
