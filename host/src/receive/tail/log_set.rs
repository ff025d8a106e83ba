//! The logs that a source names: paths and patterns become logs, each with the rotated files of it that were named as well,
//! in the order of time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use glob::MatchOptions;

use super::log_file::LogFile;
use super::rotation;
use crate::config::{LogSource, is_pattern};
use crate::event::Timestamp;
use crate::receive::log::{LogOrigin, LogParser, LogProblem};

/// How many files a source reads at most; each takes memory for what is read, and for failures.
pub(super) const MAX_FILES: usize = 512;

/// How much of the end of a log is read to see whether it is understood, in bytes.
const SAMPLE_BYTES: u64 = 256 << 10;

/// How much of a file is read to find its first time, in bytes.
const FIRST_TIME_BYTES: usize = 256 << 10;

/// A log, and the rotated files of it that were named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedLog {
    /// Its path. The newest of the rotated files, if the log itself was not named.
    pub path: PathBuf,
    /// Rotated files, the oldest first.
    pub rotated: Vec<PathBuf>,
}

/// Makes the parser of a log of this source.
pub(crate) fn parser(source: &LogSource, now: fn() -> Timestamp) -> LogParser {
    LogParser::new(source.timezone.clone(), now).with_origin(LogOrigin {
        tag: source.tag.clone(),
        host: source.host.clone(),
        own_hosts: source.own_hosts.clone(),
    })
}

/// Returns what is wrong with the last lines of a log. `None` as well if it cannot be read.
pub(crate) fn problem(log: &Path, source: &LogSource, now: fn() -> Timestamp) -> Option<LogProblem> {
    let mut file = LogFile::open(log).ok()?;
    let begin = if file.is_compressed() { 0 } else { file.estimated_length().saturating_sub(SAMPLE_BYTES) };
    file.seek(begin).ok()?;
    let mut parser = parser(source, now);
    parser.begin_within(begin);
    let mut sample = vec![0; usize::try_from(SAMPLE_BYTES).unwrap_or_default()];
    let read = file.read(&mut sample).ok()?;
    parser.feed(sample.get(..read).unwrap_or_default());
    parser.resolve();
    parser.problem()
}

/// Returns the logs that these paths and patterns name at present, in the order of the times of their first lines. A path
/// that does not exist is a log that may come; a pattern that nothing matches names no log.
pub(crate) fn named_logs(source: &LogSource, now: fn() -> Timestamp) -> Vec<NamedLog> {
    let mut logs = group(files(&source.logs));
    if logs.len() > 1 {
        logs.sort_by_cached_key(|log| {
            let oldest = log.rotated.first().unwrap_or(&log.path);
            let at = first_time(oldest, source, now);
            (at.is_none(), at, log.path.clone())
        });
    }
    logs
}

/// Returns the files that these paths and patterns name, each once, whatever links lead to it.
fn files(logs: &[PathBuf]) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for log in logs {
        let matching = if is_pattern(log) { matching(log) } else { vec![log.clone()] };
        for file in matching {
            let identity = fs::metadata(&file).ok().map(|meta| (meta.dev(), meta.ino()));
            if files.len() < MAX_FILES && identity.is_none_or(|identity| seen.insert(identity)) {
                files.insert(file);
            }
        }
    }
    files
}

/// Returns the files that a pattern matches, sorted. As in a shell, `*` matches no `/` and no dot at the beginning.
pub(crate) fn matching(pattern: &Path) -> Vec<PathBuf> {
    let options =
        MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };
    let found = pattern.to_str().and_then(|pattern| glob::glob_with(pattern, options).ok());
    // A folder that cannot be read has no files.
    found.into_iter().flatten().flatten().filter(|path| path.is_file()).collect()
}

/// Puts rotated files with their log, or with one another if it was not named.
fn group(files: BTreeSet<PathBuf>) -> Vec<NamedLog> {
    let mut logs: BTreeMap<PathBuf, (bool, Vec<PathBuf>)> = BTreeMap::new();
    for file in files {
        match rotation::log_of(&file) {
            Some(log) => logs.entry(log).or_default().1.push(file),
            None => logs.entry(file).or_default().0 = true,
        }
    }
    let mut named = Vec::new();
    for (log, (is_named, mut rotated)) in logs {
        rotated.sort_by(|one, other| rotation::compare(&log, one, other));
        let path = if is_named { Some(log) } else { rotated.pop() };
        named.extend(path.map(|path| NamedLog { path, rotated }));
    }
    named
}

/// Returns the time of a file's first event or, if there is none at its beginning, when it was last written to.
fn first_time(file: &Path, source: &LogSource, now: fn() -> Timestamp) -> Option<Timestamp> {
    let written = fs::metadata(file).ok()?.modified().ok()?;
    let written = jiff::Timestamp::try_from(written).ok().map(|at| Timestamp(at.as_millisecond()));
    let mut parser = parser(source, now);
    let mut beginning = vec![0; FIRST_TIME_BYTES];
    let read = LogFile::open(file).and_then(|mut file| file.read(&mut beginning)).unwrap_or(0);
    parser.feed(beginning.get(..read).unwrap_or_default());
    parser.resolve();
    parser.next().map(|logged| logged.event.at).or(written)
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn write(folder: &Path, name: &str, minute: u32) {
        let line = format!("2026-11-22 11:{minute:02}:00,000 fail2ban.actions [7]: NOTICE  [j] Ban 192.0.2.1\n");
        fs::write(folder.join(name), line).unwrap();
    }

    /// The names of the logs and of their rotated files, as `log<oldest<newer`.
    fn named(folder: &Path, logs: &[&str]) -> Vec<String> {
        let logs = logs.iter().map(|log| folder.join(log)).collect();
        let source =
            LogSource { logs, timezone: TimeZone::UTC, from_start: true, host: None, tag: None, own_hosts: Vec::new() };
        let name = |path: &PathBuf| path.strip_prefix(folder).unwrap().display().to_string();
        let all = |log: NamedLog| [&log.path].into_iter().chain(&log.rotated).map(name).collect::<Vec<_>>().join("<");
        named_logs(&source, || Timestamp(0)).into_iter().map(all).collect()
    }

    #[test]
    fn named_logs_puts_rotated_files_with_their_log() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["f.log", "f.log.1", "f.log.2.gz", "f.log.10.gz", ".f.log"] {
            write(folder.path(), name, 1);
        }
        assert_eq!(named(folder.path(), &["f.log*"]), ["f.log<f.log.10.gz<f.log.2.gz<f.log.1"]);
        assert_eq!(named(folder.path(), &["f.log.1", "f.log", "f.log.2.gz"]), ["f.log<f.log.2.gz<f.log.1"]);
        assert_eq!(named(folder.path(), &["f.log.?*"]), ["f.log.1<f.log.10.gz<f.log.2.gz"]);
        assert_eq!(named(folder.path(), &["none*", "later.log"]), ["later.log"]);
    }

    #[test]
    fn named_logs_are_in_the_order_of_their_first_lines() {
        let folder = tempfile::tempdir().unwrap();
        for (name, minute) in [("a.log", 3), ("b.log", 1), ("c.log", 2)] {
            write(folder.path(), name, minute);
        }
        assert_eq!(named(folder.path(), &["*.log"]), ["b.log", "c.log", "a.log"]);
    }

    #[test]
    fn named_logs_has_a_file_once_whatever_links_lead_to_it() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "f.log", 1);
        std::os::unix::fs::symlink("f.log", folder.path().join("current")).unwrap();
        fs::hard_link(folder.path().join("f.log"), folder.path().join("hard")).unwrap();
        assert_eq!(named(folder.path(), &["f.log", "*"]), ["f.log"]);
    }

    #[test]
    fn named_logs_existing_name_with_special_characters_is_no_pattern() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "f[1].log", 1);
        write(folder.path(), "f1.log", 1);
        assert_eq!(named(folder.path(), &["f[1].log"]), ["f[1].log"]);
    }
}
