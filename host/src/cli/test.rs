//! `banhook test`: a plugin's cases through the real sandbox, offline.
//!
//! A case is a JSON file: an event, or a batch of them to word; the route's settings, what the host answers when asked for
//! `history` and `geo`, and the golden decision that the plugin must come to.

mod answers;
mod case;

use std::fs;
use std::path::{Path, PathBuf};

use crate::message::{clean, one_line};
use crate::plugin::{BUILT_IN, Cache, Compiler, Metering, Runtime, Sandbox, Setup};
use anyhow::{Context as _, anyhow};
use similar::{ChangeTag, TextDiff};

use super::Outcome;
use super::arguments::TestOptions;
use super::command_error::{CommandError, say};
pub use case::{Case, CaseInput};

/// How one case went.
enum Verdict {
    Passed,
    /// The case has what the plugin decides now; how it failed, if that is what it says.
    Updated(Option<String>),
    /// What was expected (none: the case has no decision yet), and what came.
    Differs(Option<String>, String),
    /// Its message cannot go out, or there is none, and why; a golden decision does not help.
    Refused(String),
}

/// What is tested.
pub struct PluginFile {
    /// As it was given; `template` for the built-in one.
    pub path: PathBuf,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// Runs the cases; `Ok(false)` if any decision is not the golden one.
///
/// A file that is no case keeps no other from being run.
pub fn test(options: &TestOptions) -> Outcome {
    let plugin = plugin_file(&options.plugin).map_err(CommandError::Input)?;
    let files = case_files(&options.plugin, &options.cases).map_err(CommandError::Input)?;
    let runtime = runtime()?;
    let (mut passed, mut updated, mut failed, mut broken) = (0, 0, 0, Vec::new());
    for file in files {
        let mut case = match Case::read(&file) {
            Ok(case) => case,
            Err(error) => {
                println!("BROKEN   {}", file.display());
                broken.push(error);
                continue;
            }
        };
        match check(&runtime, &plugin, &mut case, &file, options.update)? {
            Verdict::Passed => {
                passed += 1;
                println!("ok       {}", file.display());
            }
            Verdict::Updated(failure) => {
                updated += 1;
                println!("updated  {}", file.display());
                if let Some(failure) = failure {
                    println!(
                        "  warning: the plugin FAILS here, and the case says now that it does: {}",
                        one_line(&failure)
                    );
                }
            }
            Verdict::Differs(expected, found) => {
                failed += 1;
                println!("FAILED   {}: {}", file.display(), case.about());
                show_difference(expected.as_deref(), &found);
            }
            Verdict::Refused(why) => {
                failed += 1;
                println!("FAILED   {}: {}\n  {}", file.display(), case.about(), one_line(&why));
            }
        }
    }
    if updated > 0 {
        println!("{updated} updated: read what they say now, and commit them");
    }
    let and_broken = if broken.is_empty() { String::new() } else { format!(", {} broken", broken.len()) };
    println!("{passed} passed, {failed} failed{and_broken}");
    let Some(last) = broken.pop() else { return Ok(failed == 0) };
    broken.iter().for_each(|error| say(&format!("{error:#}")));
    Err(CommandError::Input(last))
}

fn check(
    runtime: &Runtime,
    plugin: &PluginFile,
    case: &mut Case,
    file: &Path,
    update: bool,
) -> Result<Verdict, CommandError> {
    let decided = case.decide(runtime, plugin).map_err(CommandError::Input)?;
    for warning in &decided.warnings {
        println!("  warning: {}", one_line(warning));
    }
    if let Some(why) = decided.refused {
        return Ok(Verdict::Refused(why));
    }
    let found = decided.decision;
    if case.expected() == Some(&found) {
        return Ok(Verdict::Passed);
    }
    if update {
        let failure = found.get("failure").map(|failure| failure.as_str().unwrap_or_default().to_owned());
        case.write(file, found)?;
        return Ok(Verdict::Updated(failure));
    }
    Ok(Verdict::Differs(case.expected().map(case::pretty), case::pretty(&found)))
}

fn show_difference(expected: Option<&str>, found: &str) {
    let Some(expected) = expected else {
        println!("  has no \"decision\" yet; this is what the plugin decides (--update writes it):");
        for line in found.lines() {
            println!("  + {}", clean(line));
        }
        return;
    };
    println!("  - what the case says, + what the plugin decides:");
    let difference = TextDiff::from_lines(expected, found);
    for group in difference.grouped_ops(3) {
        for change in group.iter().flat_map(|op| difference.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            println!("  {sign} {}", clean(change.value().trim_end_matches('\n')));
        }
    }
}

/// The plugin's file, or the built-in one.
pub fn plugin_file(plugin: &Path) -> anyhow::Result<PluginFile> {
    let path = plugin.to_owned();
    if plugin == Path::new("template") && !plugin.exists() {
        return Ok(PluginFile { path, bytes: BUILT_IN.to_vec() });
    }
    let bytes = fs::read(plugin).with_context(|| {
        format!(
            "cannot read the plugin {}; give its .wasm file, or \"template\" for the built-in one",
            plugin.display()
        )
    })?;
    Ok(PluginFile { path, bytes })
}

/// The case files, in the order given; those of a folder by name.
pub fn case_files(plugin: &Path, cases: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let beside = [plugin.parent().unwrap_or(Path::new("")).join("cases")];
    let given = if cases.is_empty() { &beside[..] } else { cases };
    let mut files = Vec::new();
    for path in given {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let mut inside = Vec::new();
        for entry in fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))? {
            let file = entry?.path();
            if file.extension().is_some_and(|extension| extension == "json") {
                inside.push(file);
            }
        }
        inside.sort();
        files.append(&mut inside);
    }
    if files.is_empty() {
        return Err(anyhow!(
            "no cases: {} holds no .json file",
            given.first().map_or(Path::new("?"), PathBuf::as_path).display()
        ));
    }
    Ok(files)
}

/// Where cases run: fuel is counted, so that they end alike everywhere.
pub fn runtime() -> Result<Runtime, CommandError> {
    Ok(Runtime::new(Setup {
        cache: cache(),
        compiler: Compiler::this_program(),
        metering: Metering::Fuel,
        sandbox: Sandbox::STANDARD,
    })?)
}

/// Compiled plugins are kept for the next run, where the user has a place for such things.
fn cache() -> Option<Cache> {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .filter(|base| base.is_absolute())?;
    Cache::open(&base.join("banhook")).ok()
}
