//! What the chats' own parsers find in bodies. For tests: `tests/e2e/chat_parsers/parse.js` runs them, in the packages that
//! `cargo xtask test` installs.
//!
//! `active` calls more active than a chat would, and is fast. These know what a chat really does with a text, whatever
//! the escaping thinks of it.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::json;

use super::tests::{ban, careless, foreign, harmless, hostile_event, plain, raw, safe_lists, safe_texts, sent};
use super::{Guarded, Message, Policy, Target, Text, digest, fallback, guard};
use crate::event::{Batch, DigestCause};

/// The folder of the parsers and of the payloads that they are tried with.
fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/e2e/chat_parsers"))
}

/// Returns what is active in each of the bodies.
fn active(bodies: &[Guarded]) -> Vec<Vec<String>> {
    let packages = std::env::var_os("BANHOOK_CHAT_PARSERS")
        .unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../.tools/chat_parsers").into());
    let mut node = Command::new("node")
        .arg(folder().join("parse.js"))
        .env("CHAT_PARSERS", packages)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node, which cargo xtask test installs");
    let mut stdin = node.stdin.take().unwrap();
    let lines: String = bodies
        .iter()
        .map(|body| json!({ "target": body.target().as_str(), "body": body.body() }).to_string() + "\n")
        .collect();
    let writer = thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success(), "the parsers, which cargo xtask test installs: {}", output.status);
    writer.join().unwrap().unwrap();
    let found: Vec<_> = output.stdout.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    assert_eq!(found.len(), bodies.len());
    found
}

/// How a text is put into a message, with its name.
type Named = (&'static str, fn(&str) -> Message);

/// A body about foreign text, the same about harmless text, and how they came about.
struct Pair {
    about: String,
    foreign: Guarded,
    harmless: Guarded,
}

/// Fails with everything that a parser finds in a body about foreign text, but not in the same about harmless text.
#[track_caller]
fn assert_nothing_gained(pairs: Vec<Pair>) {
    let (about, bodies): (Vec<_>, Vec<_>) =
        pairs.into_iter().map(|pair| (pair.about, [pair.foreign, pair.harmless])).unzip();
    let bodies = bodies.concat();
    let active = active(&bodies);
    let mut failures = Vec::new();
    for ((about, bodies), active) in about.iter().zip(bodies.chunks(2)).zip(active.chunks(2)) {
        let mut gained = active[0].clone();
        for kind in &active[1] {
            gained.iter().position(|found| found == kind).map(|at| gained.remove(at));
        }
        if !gained.is_empty() {
            failures.push(format!("{:?} {about}: {gained:?}\n    {}", bodies[0].target(), bodies[0].to_json_string()));
        }
    }
    let by_length: BTreeMap<_, _> = failures.iter().map(|failure| (failure.len(), failure)).collect();
    let shown: Vec<_> = by_length.values().take(40).map(|failure| failure.as_str()).collect();
    assert!(failures.is_empty(), "{} of {} bodies:\n{}", failures.len(), about.len(), shown.join("\n"));
}

/// A message with markup around the text, as the template plugin makes it: escaped, in code and as text.
fn templated(text: &str) -> Message {
    let code = super::escape::code(text).into_string();
    let text = super::escape::escape(&text.replace('\n', " ")).into_string();
    let markup = [
        format!("[{code}] {code}"),
        format!("[{text}] {code} {text} - {code}"),
        format!("*{text}* _{text}_ ~{text}~ <https://example.org|{text}> {text}"),
        format!("{text}\n{text} {text} ({text}) {code}{code}"),
        format!("`[` {text}](x) <https://example.org/|see> {code}"),
    ];
    Message { text: Text::Mrkdwn(markup.join("\n")), ..plain("x") }
}

/// All messages about one text, for all targets.
fn pairs(text: &str) -> Vec<Pair> {
    let other = harmless(text);
    let mut pairs = Vec::new();
    for target in Target::ALL.iter().copied() {
        let mut add = |name: &str, body: &dyn Fn(&str) -> Guarded| {
            pairs.push(Pair { about: format!("{name} {text:?}"), foreign: body(text), harmless: body(&other) });
        };
        let policy = Policy { mentions: false, target };
        let messages: [Named; 6] = [
            ("plain", plain),
            ("rich", safe_texts),
            ("lists", safe_lists),
            ("careless", careless),
            ("raw", raw),
            ("templated", templated),
        ];
        for (name, message) in messages {
            add(name, &|text| sent(&message(text), &hostile_event(text), &policy));
        }
        add("fallback", &|text| fallback(&hostile_event(text), text, target));
        add("digest", &|text| {
            let events = [hostile_event(text), ban(text), hostile_event(text), ban("203.0.113.9")];
            digest(&Batch::of(&events, DigestCause::Held, Some(text.to_owned())), None, Some(text), target)
        });
        add("digest of one", &|text| {
            digest(&Batch::of(&[hostile_event(text)], DigestCause::Restart, None), None, None, target)
        });
    }
    pairs
}

#[test]
#[ignore = "needs node and the chats' parsers, which `cargo xtask test` installs"]
fn chat_parsers_of_known_payloads_find_nothing() {
    let payloads: Vec<String> =
        serde_json::from_str(&std::fs::read_to_string(folder().join("payloads.json")).unwrap()).unwrap();
    assert_nothing_gained(payloads.iter().flat_map(|text| pairs(text)).collect());
}

// More: `PROPTEST_CASES=5000`.
#[test]
#[ignore = "needs node and the chats' parsers, which `cargo xtask test` installs"]
fn chat_parsers_of_any_text_find_nothing() {
    let config = Config::default();
    let cases = config.cases;
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[13; 32]));
    let texts = (0..cases).map(|_| foreign().new_tree(&mut runner).unwrap().current());
    assert_nothing_gained(texts.flat_map(|text| pairs(&text)).collect());
}

/// The parsers find what was deliberately not escaped.
#[test]
#[ignore = "needs node and the chats' parsers, which `cargo xtask test` installs"]
fn chat_parsers_of_markup_find_it() {
    let policy = |target| Policy { mentions: true, target };
    let message =
        Message { text: Text::Mrkdwn("*b* `c` <https://example.org/|x> <!channel>".to_owned()), ..plain("x") };
    let bodies: Vec<_> = Target::ALL.iter().map(|target| guard(&message, [], &policy(*target)).unwrap()).collect();
    for (body, found) in bodies.iter().zip(active(&bodies)) {
        let kinds = match body.target().as_str() {
            "ntfy" => &["link https://example.org"][..],
            "json" | "telegram" | "teams" => &["bold", "code", "link https://example.org"],
            _ => &["bold", "code", "link https://example.org", "mention"],
        };
        for kind in kinds {
            assert!(found.iter().any(|found| found.starts_with(kind)), "{:?} {kind}: {found:?}", body.target());
        }
    }
}
