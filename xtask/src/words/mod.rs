//! `cargo xtask words`: finds the words of `.ci/words.txt`, which this project no longer uses, in sources and documents.
//!
//! One concept has one word. The file lists the ones that were replaced, the scope in which each misleads, and the term
//! to use instead; the check keeps them from coming back.

mod hit;
mod rule;
mod rust;
mod text;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use hit::{Hit, Tally};
use rule::Rule;
use rust::Lexer;
use text::texts;

/// The list of rules, from the top of the tree.
const RULES: &str = ".ci/words.txt";

/// The rules themselves, lock files, licences, and texts of other projects.
const EXCLUDED_FILES: [&str; 5] = [RULES, "LICENSE-APACHE", "LICENSE-MIT", "emoji.tsv", "package-lock.json"];
const EXCLUDED_FOLDERS: [&str; 2] = ["plugins/dist/", "testdata/slack/"];
const EXCLUDED_EXTENSIONS: [&str; 4] = ["lock", "log", "jsonl", "sql"];

/// Prints each word to replace as `path:line:col: "word": use "term"`, or with `count` the number of hits of each rule and
/// in each file. Paths limit the search; without any it covers the whole tree.
///
/// # Errors
/// Any hit at all; a rule or a Rust source that cannot be parsed.
pub fn words(root: &Path, count: bool, paths: &[PathBuf]) -> anyhow::Result<()> {
    let list = std::fs::read_to_string(root.join(RULES)).with_context(|| format!("reading {RULES}"))?;
    let rules = Rule::parse_all(&list).context(RULES)?;
    let lexer = Lexer::new()?;
    let mut output = std::io::stdout().lock();
    let mut tally = Tally::new(&rules);
    for path in files(root, paths)? {
        let bytes = std::fs::read(root.join(&path)).with_context(|| format!("reading {path}"))?;
        // Compressed and compiled files are not UTF-8.
        let Ok(content) = String::from_utf8(bytes) else { continue };
        for hit in find(&lexer, &rules, &path, &content).with_context(|| path.clone())? {
            if !count {
                writeln!(output, "{path}:{hit}")?;
            }
            tally.add(&path, &hit);
        }
    }
    if count {
        write!(output, "{tally}")?;
    }
    ensure!(tally.total() == 0, "{} words to replace; {RULES} explains the format and the terms", tally.total());
    Ok(())
}

/// The files that git knows or would add, without those that are excluded.
fn files(root: &Path, paths: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    let mut git = Command::new("git");
    // In a container the checkout may belong to another user.
    git.current_dir(root).args(["-c", "safe.directory=*"]);
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"]).args(paths);
    let listed = git.output().context("starting git")?;
    ensure!(listed.status.success(), "{git:?}: {}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8(listed.stdout)?;
    let files = listed.split_terminator('\0').filter(|path| !is_excluded(path) && root.join(path).is_file());
    Ok(files.map(str::to_owned).collect())
}

fn is_excluded(path: &str) -> bool {
    let file = Path::new(path);
    let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    EXCLUDED_FILES.iter().any(|excluded| file.ends_with(excluded))
        || EXCLUDED_FOLDERS.iter().any(|folder| path.contains(folder))
        || EXCLUDED_EXTENSIONS.contains(&extension)
}

/// Applies every rule to every text of one file, and returns the hits in their order.
fn find<'a>(lexer: &Lexer, rules: &'a [Rule], path: &str, content: &str) -> anyhow::Result<Vec<Hit<'a>>> {
    let mut hits = BTreeMap::new();
    for text in texts(lexer, path, content)? {
        for rule in rules {
            for range in rule.find(path, &text) {
                let word = text.as_str().get(range.clone()).unwrap_or_default().to_owned();
                let offset = text.offset(range.start);
                hits.insert((offset, rule.line), Hit::new(rule, word, content, offset));
            }
        }
    }
    Ok(hits.into_values().collect())
}

#[cfg(test)]
mod tests;
