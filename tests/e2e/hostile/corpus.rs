//! The attackers, each a `.wat` file in this folder or built by `generated`, and the end of each attack.

use std::fs;
use std::path::{Path, PathBuf};

use wit_parser::{PackageId, Resolve};

use super::generated;
use crate::binary::root;
use crate::component::{component, of_another_world};

/// One attack.
pub struct Case {
    /// The name of its text, its plugin and its route; after a `~`, of its jail.
    pub name: &'static str,
    source: Source,
    /// The end of the attack, the same on every machine.
    pub end: End,
    /// The memory limit of its route, in MiB.
    pub memory: u64,
}

enum Source {
    /// `NAME.wat`.
    Text,
    /// A function that writes the plugin's file.
    Generated(fn(&Path)),
}

/// How an attack ends. An alert arrives in any case.
#[derive(Debug, Clone, Copy)]
pub enum End {
    /// The alert arrives as the host's fallback message, with these words after the plugin's name.
    Fallback(&'static str),
    /// The alert arrives as the attacker's own message, with these words.
    OwnMessage(&'static str),
}

use End::{Fallback, OwnMessage};

/// The memory limit of most routes, in MiB.
pub const MEMORY: u64 = 64;

const fn text(name: &'static str, end: End) -> Case {
    Case { name, source: Source::Text, end, memory: MEMORY }
}

const fn generated(name: &'static str, make: fn(&Path), end: End) -> Case {
    Case { name, source: Source::Generated(make), end, memory: MEMORY }
}

/// Stopped by the time limit.
const TOO_LONG: End = Fallback("(limits.time)");

/// Passed more data to the host than it accepts in one call.
const TOO_MUCH: End = Fallback("(limits.transfer)");

pub const CASES: &[Case] = &[
    // Time.
    text("endless-loop", TOO_LONG),
    text("endless-recursion", Fallback("stack allowed ([sandbox] stack)")),
    text("loop-in-start", TOO_LONG),
    text("loop-in-realloc", TOO_LONG),
    text("loop-in-post-return", TOO_LONG),
    text("loop-in-digest", TOO_LONG),
    text("loop-in-check", OwnMessage("own words after the check")),
    text("loop-in-describe", OwnMessage("own words after the description")),
    text("fill-loop", TOO_LONG),
    text("copy-loop", TOO_LONG),
    text("host-calls", TOO_LONG),
    text("atomic-wait", Fallback("threads must be enabled for shared memories")),
    // Memory, tables, instances.
    text("memory-to-the-limit", OwnMessage("own words in full memory")),
    text("memory-beyond-the-limit", Fallback("67174400 bytes of memory, 67108864 are allowed (limits.memory)")),
    text("memory-declared", Fallback("2147483648 bytes of memory, 67108864 are allowed (limits.memory)")),
    text("memories-many", Fallback("defined memories count of 20")),
    generated(
        "memories-together",
        generated::memories_together,
        Fallback("130154496 bytes of memory, 67108864 are allowed (limits.memory)"),
    ),
    text("table-growth", Fallback("20001 elements, 20000 are allowed (limits.table)")),
    text("table-declared", Fallback("table index 0 has a minimum element size of 10000000")),
    text("tables-many", Fallback("defined tables count of 40")),
    generated("instances-many", generated::instances_many, Fallback("501 core module instances")),
    // The result.
    Case { memory: 1_024, ..text("string-of-a-gib", TOO_MUCH) },
    text("string-beyond-memory", Fallback("string pointer/length out of bounds of memory")),
    text("strings-shared", TOO_MUCH),
    text("blocks-by-the-million", TOO_MUCH),
    text("list-beyond-memory", Fallback("list pointer/length out of bounds of memory")),
    text("hints-many", TOO_MUCH),
    text("raw-nested", Fallback("block 1 (raw): not JSON: recursion limit exceeded")),
    text("raw-deep", Fallback("block 1 (raw): nested more than 16 levels deep")),
    text("message-maximal", OwnMessage("bbbb")),
    text("message-too-large", Fallback("150000 characters of text in blocks, at most 10000 (blocks-text)")),
    text("text-huge", Fallback("text of 3000000 bytes, 131072 are allowed (limits.text)")),
    text("text-of-controls", OwnMessage("own words")),
    text("mentions", OwnMessage("own words")),
    text("mentions-in-digest", OwnMessage("own words")),
    text("bad-utf8", Fallback("invalid utf-8 sequence")),
    text("bad-result-pointer", Fallback("trapped: pointer out of bounds of memory")),
    text("bad-result-alignment", Fallback("return pointer not aligned")),
    text("bad-string-pointer", Fallback("string pointer/length out of bounds of memory")),
    text("bad-case", Fallback("unexpected discriminant: 77")),
    text("bad-realloc", Fallback("realloc return: beyond end of memory")),
    text("dates", OwnMessage("own words on dates")),
    text("clock-extremes", OwnMessage("own words out of time")),
    text("trap", Fallback("wasm `unreachable` instruction executed")),
    text("err-empty", Fallback("returned an error:")),
    text("err-huge", Fallback("returned an error: eeee")),
    text("err-of-controls", Fallback("returned an error: oops")),
    text("skip-huge", Fallback("reason of 3000000 bytes, 131072 are allowed (limits.text)")),
    text("digest-key-huge", Fallback("key of 3000000 bytes, 131072 are allowed (limits.text)")),
    text("log-flood", OwnMessage("own words after the flood")),
    text("log-huge", TOO_MUCH),
    text("log-of-controls", OwnMessage("own words after the forgery")),
    text("check-flood", OwnMessage("own words, no complaint")),
    text("describe-flood", OwnMessage("own words, well described")),
    // State that would outlast an event.
    text("remembers", OwnMessage("own words, nothing remembered")),
    text("peeks", OwnMessage("own words, nothing seen")),
    // Capabilities that it does not have.
    text("unknown-import", Fallback("imports acme:vault/secrets@1.0.0")),
    text(
        "ungranted-import",
        Fallback("imports history, which route \"ungranted-import\" does not grant; add history = true"),
    ),
    text("wasi-files", OwnMessage("own words, no folder")),
    text("wasi-forged-handle", Fallback("unknown handle index 3")),
    text("wasi-environment", OwnMessage("own words, no environment")),
    text("wasi-connect", OwnMessage("own words, no socket")),
    text("wasi-resolve", Fallback("wasi:sockets/instance-network@0.2.0#instance-network")),
    text("wasi-sleep", Fallback("wasi:io/poll#[method]pollable.block")),
    text("wasi-poll", Fallback("wasi:io/poll#poll")),
    text("wasi-pollables", Fallback("too many handles: 1001, 1000 are allowed")),
    text("wasi-stdin", OwnMessage("own words, nothing to read")),
    text("wasi-stdout-flood", TOO_LONG),
    text("wasi-random-flood", Fallback("1073741824 random bytes at once (get-random-bytes), 65536 are allowed")),
    text("wasi-exit", Fallback("(wasi:cli/exit)")),
    // Files that are not plugins of this interface.
    generated("truncated", generated::truncated, Fallback("unexpected end-of-file")),
    generated("empty", |path| fs::write(path, "").unwrap(), Fallback(r"does not begin with \0asm")),
    generated(
        "another-world",
        |path| fs::write(path, of_another_world()).unwrap(),
        Fallback("does not export banhook:plugin/formatter@0.1.0"),
    ),
    generated("two-hundred-megabytes", generated::two_hundred_megabytes, Fallback("more than the 67108864 allowed")),
    text("newer-import", Fallback("imports banhook:plugin/log@0.2.0")),
    generated("newer-export", generated::newer_export, Fallback("imports banhook:plugin/types@0.2.0")),
];

impl Case {
    /// The jail whose events it attacks.
    pub fn jail(&self) -> String {
        format!("~{}", self.name)
    }

    /// The name of the plugin's file.
    pub fn file(&self) -> String {
        format!("{}.wasm", self.name)
    }

    /// Writes the plugin into a folder.
    pub fn write_into(&self, folder: &Path) {
        let path = folder.join(self.file());
        match self.source {
            Source::Text => fs::write(path, attacker(self.name)).unwrap(),
            Source::Generated(make) => make(&path),
        }
    }
}

/// The folder of the texts.
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
    let text = module_text(text);
    let (resolve, package) = wanted(text.contains("banhook:plugin/log@0.2.0"));
    let world = match () {
        () if text.contains("checker@0.1.0#check") => "attack-by-check",
        () if text.contains("descriptor@0.1.0#describe") => "attack-by-description",
        () if text.contains("digester@0.1.0#digest") => "attack-by-digest",
        () => "attack",
    };
    component(&text, &resolve, package, world)
}

/// An attacker's text as a complete module: unchanged if it is one, else with the shared prelude.
pub fn module_text(text: &str) -> String {
    if text.lines().any(|line| line.starts_with("(module")) {
        return text.to_owned();
    }
    format!("(module\n{text}\n{}\n)", read("prelude"))
}

/// The interfaces that attackers import from; with `newer` also log 0.2.0.
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
