//! The documents are right: every fenced block of README, CONTRIBUTING and `docs/src` runs, parses, or says why it is
//! skipped.
//!
//! The blocks of a document run in their order on a machine of their own ([`sandbox`]), as in one terminal: the first begins
//! in the clone of the repository, each other where the one before ended. A webhook on loopback is in place of Slack.
//! CONTRIBUTING explains the tags.

mod block;
mod check;
mod configuration;
mod console;
mod links;
mod sandbox;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use block::{Block, Tag, blocks};
use check::{Check, Checker};
use configuration::Configuration;

use crate::binary::root;
use crate::test_env::TestEnv;

/// Where documents are; a folder stands for all Markdown below it.
const DOCUMENTS: [&str; 3] = ["README.md", "CONTRIBUTING.md", "docs/src"];

#[test]
#[ignore = "needs root and fail2ban: cargo xtask test"]
fn document_blocks_all_run_or_parse_or_say_why_not() {
    let env = TestEnv::new();
    let mut report = Report::default();
    for path in documents() {
        let document = path.strip_prefix(root()).unwrap().display().to_string();
        match blocks(&document, &fs::read_to_string(&path).unwrap()) {
            Ok(blocks) => report.add_document(&env, &blocks),
            Err(errors) => report.failures.extend(errors),
        }
    }
    // Not `eprintln!`, which is shown only for tests that fail.
    write!(std::io::stderr(), "{}", report.summary()).unwrap();
    assert!(report.failures.is_empty(), "{}", report.failures.join("\n\n"));
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut documents = documents();
    for folder in ["plugins", "wit", "ARCHITECTURE.md", "SECURITY.md", "CHANGELOG.md"] {
        add_documents(&root().join(folder), &mut documents);
    }
    // The README of a new plugin is about its own directory.
    documents.retain(|path| !path.starts_with(root().join("plugins/scaffold")));
    assert_eq!(links::broken(&documents), [""; 0]);
}

#[test]
fn summary_lists_every_page() {
    let summary = fs::read_to_string(root().join("docs/src/SUMMARY.md")).unwrap();
    let pages =
        documents().into_iter().filter_map(|path| path.strip_prefix(root().join("docs/src")).ok().map(PathBuf::from));
    let missing: Vec<_> = pages
        .filter(|page| page != Path::new("SUMMARY.md") && !summary.contains(&format!("({})", page.display())))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Every configuration in the documents, fragments completed.
pub fn configurations() -> Vec<String> {
    let mut found = Vec::new();
    for path in documents() {
        let blocks = blocks(&path.display().to_string(), &fs::read_to_string(&path).unwrap()).unwrap();
        for block in blocks.iter().filter(|block| block.language == "toml") {
            match &block.tag {
                Some(Tag::Skip(_)) => {}
                Some(Tag::Fragment(_)) => found.push(Configuration::of_fragment(&block.content).unwrap().text),
                None => found.push(block.content.clone()),
                Some(Tag::File(path)) if path.contains("/etc/banhook/") => found.push(block.content.clone()),
                Some(Tag::File(_) | Tag::Network | Tag::Stopped(_)) => {}
            }
        }
    }
    found
}

fn documents() -> Vec<PathBuf> {
    let mut documents = Vec::new();
    DOCUMENTS.iter().for_each(|path| add_documents(&root().join(path), &mut documents));
    documents
}

fn add_documents(path: &Path, documents: &mut Vec<PathBuf>) {
    if path.is_dir() {
        let mut entries: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        entries.iter().for_each(|entry| add_documents(entry, documents));
    } else if path.extension().is_some_and(|extension| extension == "md") {
        documents.push(path.to_owned());
    }
}

/// What became of all blocks.
#[derive(Default)]
struct Report {
    documents: usize,
    checks: Vec<(String, Check)>,
    messages: usize,
    failures: Vec<String>,
}

impl Report {
    /// Checks one document, on a thread of its own: that thread moves into the sandbox's network.
    fn add_document(&mut self, env: &TestEnv, blocks: &[Block]) {
        self.documents += 1;
        let checking = || {
            let checker = Checker::new(env);
            let checks: Vec<_> = blocks.iter().map(|block| checker.check(block)).collect();
            (checks, checker.messages(blocks))
        };
        let (checks, messages) = std::thread::scope(|scope| scope.spawn(checking).join().unwrap());
        self.messages += messages;
        for (block, check) in blocks.iter().zip(checks) {
            match check {
                Ok(check) => self.checks.push((block.to_string(), check)),
                Err(error) => self.failures.push(format!("{block}: {error}")),
            }
        }
    }

    fn summary(&self) -> String {
        let mut counts = BTreeMap::new();
        let mut skipped = String::new();
        for (block, check) in &self.checks {
            let name = match check {
                Check::Ran => "ran",
                Check::Parsed => "parsed",
                Check::Written => "written",
                Check::Skipped(reason) => {
                    skipped.push_str(&format!("  {block} skipped: {reason}\n"));
                    "skipped"
                }
            };
            *counts.entry(name).or_insert(0) += 1;
        }
        let count = |name| counts.get(name).copied().unwrap_or(0);
        format!(
            "documents: {}, blocks: {} = {} ran + {} parsed + {} written + {} skipped + {} failed; messages sent: {}\n{skipped}",
            self.documents,
            self.checks.len() + self.failures.len(),
            count("ran"),
            count("parsed"),
            count("written"),
            count("skipped"),
            self.failures.len(),
            self.messages,
        )
    }
}
