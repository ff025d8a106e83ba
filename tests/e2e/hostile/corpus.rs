//! The attackers: each a text beside this file, or made by `made` where it is its size that attacks; and how each ends.

use std::fs;
use std::path::{Path, PathBuf};

use wit_parser::{PackageId, Resolve};

use super::made;
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
    Told(&'static str),
    /// The alert arrives in the attacker's own words, with these.
    Own(&'static str),
    /// The attacker skips the event.
    Skipped,
}

use End::{Own, Skipped, Told};

/// MiB of memory that most routes give.
pub const MEMORY: u64 = 64;

const fn text(name: &'static str, ends: &'static [End]) -> Case {
    Case { name, source: Source::Text, ends, memory: MEMORY }
}

const fn made(name: &'static str, make: fn(&Path), ends: &'static [End]) -> Case {
    Case { name, source: Source::Made(make), ends, memory: MEMORY }
}

/// What a plugin does that is stopped by the clock.
const TOO_LONG: &[End] = &[Told("was stopped after")];

pub const CASES: &[Case] = &[
    // Time.
    text("endless-loop", TOO_LONG),
    text("endless-recursion", &[Told("stack")]),
    text("loop-in-start", TOO_LONG),
    text("loop-in-realloc", TOO_LONG),
    text("loop-in-post-return", TOO_LONG),
    text("loop-in-digest", TOO_LONG),
    text("loop-in-check", &[Own("own words after the check")]),
    text("fill-loop", TOO_LONG),
    text("copy-loop", TOO_LONG),
    text("host-calls", TOO_LONG),
    text("atomic-wait", &[Told("valid component")]),
    // Memory, tables, instances.
    text("memory-to-the-limit", &[Own("own words in full memory")]),
    text("memory-beyond-the-limit", &[Told("limits.memory")]),
    text("memory-declared", &[Told("limits.memory")]),
    text("memories-many", &[Told("memories")]),
    made("memories-together", made::memories_together, &[Told("limits.memory")]),
    text("table-growth", &[Told("table")]),
    text("table-declared", &[Told("table")]),
    text("tables-many", &[Told("tables")]),
    made("instances-many", made::instances_many, &[Told("instances")]),
    // What it hands over.
    Case { memory: 1_024, ..text("string-of-a-gib", &[Told("handed over")]) },
    text("string-beyond-memory", &[Told("out of bounds")]),
    text("strings-shared", &[Told("handed over")]),
    text("blocks-by-the-million", &[Told("handed over")]),
    text("list-beyond-memory", &[Told("out of bounds")]),
    text("hints-many", &[Own("own words with hints"), Told("hints|handed over")]),
    text("raw-nested", &[Told("raw")]),
    text("raw-deep", &[Told("raw")]),
    text("message-maximal", &[Own("bbbb")]),
    text("message-too-large", &[Told("characters")]),
    text("text-huge", &[Own("aaaa"), Told("text")]),
    text("text-of-controls", &[Own("own words")]),
    text("mentions", &[Own("own words")]),
    text("mentions-in-digest", &[Own("own words")]),
    text("bad-utf8", &[Told("utf-8")]),
    text("bad-result-pointer", &[Told("out of bounds")]),
    text("bad-result-alignment", &[Told("align")]),
    text("bad-string-pointer", &[Told("out of bounds")]),
    text("bad-case", &[Told("discriminant")]),
    text("bad-realloc", &[Told("realloc|out of bounds|beyond end")]),
    text("dates", &[Own("own words on dates")]),
    text("clock-extremes", &[Own("own words out of time")]),
    text("trap", &[Told("unreachable")]),
    text("err-empty", &[Told("error")]),
    text("err-huge", &[Told("eeee"), Told("bytes")]),
    text("err-of-controls", &[Told("oops")]),
    text("skip-huge", &[Skipped, Told("reason")]),
    text("digest-key-huge", &[Told("key")]),
    text("log-flood", &[Own("own words after the flood")]),
    text("log-huge", &[Own("own words after the line"), Told("handed over")]),
    text("log-of-controls", &[Own("own words after the forgery")]),
    text("check-flood", &[Own("own words, no complaint")]),
    // What would outlast an event.
    text("remembers", &[Own("own words, nothing remembered")]),
    text("peeks", &[Own("own words, nothing seen")]),
    // What it may not have.
    text("unknown-import", &[Told("imports acme:vault/secrets@1.0.0")]),
    text("ungranted-import", &[Told("imports banhook:plugin/history@0.1.0, which route|history = true")]),
    text("wasi-files", &[Own("own words, no folder")]),
    text("wasi-forged-handle", &[Told("handle")]),
    text("wasi-environment", &[Own("own words, no environment")]),
    text("wasi-connect", &[Own("own words, no"), Told("create-tcp-socket|start-connect|instance-network")]),
    text("wasi-resolve", &[Own("own words, no name"), Told("resolve-addresses|instance-network")]),
    text("wasi-sleep", &[Told("block|subscribe-duration")]),
    text("wasi-poll", &[Told("wasi:io/poll#poll|poll.poll|function poll|\"poll\"|`poll`|subscribe-duration")]),
    text("wasi-pollables", &[Told("too many handles|resources|was stopped after|subscribe-duration")]),
    text("wasi-stdin", &[Own("own words, nothing to read"), Told("blocking-read")]),
    text("wasi-stdout-flood", &[Told("was stopped after|blocking-write-and-flush")]),
    text("wasi-random-flood", &[Told("get-random-bytes|handed over")]),
    text("wasi-exit", &[Told("exit")]),
    // What is no plugin of this interface.
    made("truncated", made::truncated, &[Told("valid component")]),
    made("empty", |path| fs::write(path, "").unwrap(), &[Told("no WebAssembly component")]),
    made("another-world", |path| fs::write(path, of_another_world()).unwrap(), &[Told("another world")]),
    made("two-hundred-megabytes", made::two_hundred_megabytes, &[Told("bytes, more than")]),
    text("newer-import", &[Told("imports banhook:plugin/log@0.2.0")]),
    made(
        "newer-export",
        made::newer_export,
        &[Told("imports banhook:plugin/types@0.2.0|exports banhook:plugin/formatter@0.2.0")],
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
        made::push_interface_of_0_2(&mut resolve);
        text = text.replace("world attack {", "world attack {\n    import banhook:plugin/log@0.2.0;");
    }
    let package = resolve.push_str("wanted.wit", &text).unwrap_or_else(|error| panic!("{error:#}"));
    (resolve, package)
}
