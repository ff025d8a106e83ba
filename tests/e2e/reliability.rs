//! The tables of `docs/src/reliability.md`. Each test that injects faults has its rows there, and writes them itself, with
//! `UPDATE_GOLDEN=1`: into the table of each run, or with `BANHOOK_SOAK` into that of the longest runs. Without either it
//! fails unless its faults are those of the table; the counts differ from run to run. In the directory
//! `BANHOOK_RELIABILITY`, each test leaves its rows for CI to print.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

const IN_EACH_RUN: &str = "## In each run";
const LONGEST: &str = "## Longest runs";

/// What one kind of fault came to.
pub struct FaultRow {
    /// The fault, in words.
    pub fault: String,
    /// How often it was injected, or how much was searched.
    pub count: u64,
    /// What came of it, with counts.
    pub result: String,
}

/// Prints the rows of a test, and writes them or checks that they are there.
#[track_caller]
pub fn report(test: &str, rows: &[FaultRow]) {
    static FILE: Mutex<()> = Mutex::new(());
    let _lock = FILE.lock().unwrap_or_else(PoisonError::into_inner);
    let lines: Vec<_> = rows.iter().map(|row| line(test, row)).collect();
    eprintln!("{}", lines.join("\n"));
    let is_soak = std::env::var_os("BANHOOK_SOAK").is_some();
    if let Some(folder) = std::env::var_os("BANHOOK_RELIABILITY").map(PathBuf::from).filter(|_| !is_soak) {
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(test), lines.join("\n") + "\n").unwrap();
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/src/reliability.md");
    let text = fs::read_to_string(&file).unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let section = if is_soak { LONGEST } else { IN_EACH_RUN };
        fs::write(&file, with_rows(&text, section, test, &lines)).unwrap();
    } else if !is_soak {
        let (_, table, _) = split(&text, IN_EACH_RUN);
        let in_document: Vec<_> = table.iter().filter(|row| is_of(row, test)).map(|row| fault(row)).collect();
        let found: Vec<_> = lines.iter().map(|row| fault(row)).collect();
        assert_eq!(found, in_document, "{}: the faults of {test}; UPDATE_GOLDEN=1 writes them", file.display());
    }
}

fn line(test: &str, row: &FaultRow) -> String {
    format!("| {} | {} | {} | `{test}` |", row.fault, row.count, row.result)
}

/// The first cell of a row.
fn fault(row: &str) -> &str {
    row.split(" | ").next().unwrap_or_default()
}

fn is_of(row: &str, test: &str) -> bool {
    row.ends_with(&format!("| `{test}` |"))
}

/// Splits a document into what is before the rows of a section's table, these rows, and the rest.
#[track_caller]
fn split<'a>(text: &'a str, section: &'a str) -> (Vec<&'a str>, Vec<&'a str>, Vec<&'a str>) {
    let mut lines = text.lines();
    let mut before: Vec<_> = lines.by_ref().take_while(|line| *line != section).collect();
    before.push(section);
    let mut rest: Vec<_> = lines.collect();
    let rows_at = rest.iter().position(|line| line.starts_with("| ---")).expect(section) + 1;
    let mut table: Vec<_> = rest.drain(..rows_at).collect();
    before.append(&mut table);
    let rows = rest.iter().take_while(|line| line.starts_with('|')).count();
    let table = rest.drain(..rows).collect();
    (before, table, rest)
}

/// Puts the rows of a test in the place of its old ones, or at the end of the table.
fn with_rows(text: &str, section: &str, test: &str, lines: &[String]) -> String {
    let (before, table, rest) = split(text, section);
    let at = table.iter().position(|row| is_of(row, test));
    let mut rows: Vec<_> = table.iter().filter(|row| !is_of(row, test)).map(|row| (*row).to_owned()).collect();
    let at = at.unwrap_or(rows.len());
    rows.splice(at..at, lines.iter().cloned());
    let mut text = String::new();
    let all = before.into_iter().map(str::to_owned).chain(rows).chain(rest.into_iter().map(str::to_owned));
    all.for_each(|line| writeln!(text, "{line}").unwrap());
    text
}

#[test]
fn with_rows_replaces_those_of_a_test() {
    let text =
        "# T\n\n## In each run\n\n| a | b |\n| --- | --- |\n| x | 1 | ok | `one` |\n| y | 2 | ok | `two` |\n\nend\n";
    let row = line("one", &FaultRow { fault: "z".to_owned(), count: 3, result: "ok".to_owned() });
    let updated = with_rows(text, IN_EACH_RUN, "one", std::slice::from_ref(&row));
    assert_eq!(updated, text.replace("| x | 1 | ok | `one` |", "| z | 3 | ok | `one` |"));
    let other = with_rows(text, IN_EACH_RUN, "three", &[row.replace("one", "three")]);
    assert!(other.contains("`two` |\n| z | 3 | ok | `three` |\n\nend"), "{other}");
}
