//! ARCHITECTURE.md is right where it names files and tests, and where it says that no two files use each other.

mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::binary::root;
use imports::{Imports, Module, circle};

/// On how many files one ban may depend, from `notify` to the request.
const LIFE_OF_A_BAN_MAX: usize = 40;

#[test]
fn life_of_a_ban_names_existing_files_and_not_too_many() {
    let text = architecture();
    let life = between(&text, "<!-- life-of-a-ban: begin -->", "<!-- life-of-a-ban: end -->");
    let steps = life.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
    let paths: Vec<_> = steps.map(|step| quoted(step).next().expect("each step names its file")).collect();
    let missing: Vec<_> = paths.iter().filter(|path| !root().join(path).is_file()).collect();
    assert!(missing.is_empty(), "no such file: {missing:#?}");
    let distinct: BTreeSet<_> = paths.iter().collect();
    assert_eq!(distinct.len(), paths.len(), "a file is there twice: {paths:#?}");
    assert!((1..=LIFE_OF_A_BAN_MAX).contains(&paths.len()), "{} files", paths.len());
}

#[test]
fn invariants_each_name_tests_that_exist() {
    let text = architecture();
    let mut missing = Vec::new();
    for invariant in between(&text, "\n## Invariants\n", "\n## ").split("\n* ").skip(1) {
        let tests: Vec<_> = quoted(invariant).filter_map(|name| name.split_once(".rs::")).collect();
        if tests.is_empty() {
            missing.push(format!("no test holds this invariant: {invariant}"));
        }
        let absent = tests.into_iter().filter(|(file, test)| !has_test(file, test));
        missing.extend(absent.map(|(file, test)| format!("{file}.rs has no test {test}")));
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn files_of_the_host_use_each_other_one_way() {
    for (src, arrows) in [("host/src", 500), ("host/blockkit/src", 30), ("host/notify/src", 25), ("host/spool/src", 5)]
    {
        let graph = Imports::read(&root().join(src)).graph();
        // Enough arrows that the reader of imports cannot have gone blind.
        assert!(graph.values().map(BTreeSet::len).sum::<usize>() > arrows, "{src}: {graph:#?}");
        let circle = circle(&graph).map(|circle| circle.iter().map(|module| module.join("::")).collect::<Vec<_>>());
        assert_eq!(circle, None, "{src}");
    }
}

#[test]
fn circle_of_three_modules_is_found() {
    let module = |name: &str| -> Module { vec![name.to_owned()] };
    let uses = |name: &str, used: &[&str]| (module(name), used.iter().map(|name| module(name)).collect());
    let graph = BTreeMap::from([uses("a", &["b"]), uses("b", &["c", "d"]), uses("c", &["a"]), uses("d", &[])]);
    assert_eq!(circle(&graph), Some(vec![module("a"), module("b"), module("c")]));
    let graph = BTreeMap::from([uses("a", &["b", "c"]), uses("b", &["c"]), uses("c", &[])]);
    assert_eq!(circle(&graph), None);
}

fn architecture() -> String {
    fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap()
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(begin).unwrap_or_else(|| panic!("no {begin:?}"));
    rest.split_once(end).unwrap_or_else(|| panic!("no {end:?} after {begin:?}")).0
}

/// Returns the pieces of a text that stand in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Whether a file (named without its extension) has a test of that name.
fn has_test(file: &str, test: &str) -> bool {
    let source = fs::read_to_string(root().join(file).with_extension("rs")).unwrap_or_default();
    let attributes = source.split_once(&format!("fn {test}(")).and_then(|(before, _)| before.rsplit("\n\n").next());
    attributes.is_some_and(|attributes| attributes.contains("#[test]"))
}
