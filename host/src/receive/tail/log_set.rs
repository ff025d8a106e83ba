//! The logs that sources name: files become logs, each with the rotated files of it that were named as well.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::log_file::LogFile;
use super::named_files::{Alias, NamedFiles, named_files};
use super::rotation;
use crate::config::LogSource;
use crate::event::Timestamp;
use crate::receive::log::{LogOrigin, LogParser, LogProblem};

/// How much of the end of a log is read to see whether it is understood, in bytes.
const SAMPLE_BYTES: u64 = 256 << 10;

/// How much of a file is read to find its first time, in bytes.
const FIRST_TIME_BYTES: usize = 256 << 10;

/// A log, and the rotated files of it that were named.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NamedLog {
    /// Its path. The newest of the rotated files, if the log itself was not named.
    pub path: PathBuf,
    /// Rotated files, the oldest first.
    pub rotated: Vec<PathBuf>,
    /// How they are read.
    pub source: Arc<LogSource>,
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

/// Returns the logs that sources name at present, and the names of files that belong to another source. A path that does not
/// exist is a log that may come; a pattern that nothing matches names no log.
pub(crate) fn named_logs(sources: &[Arc<LogSource>]) -> (Vec<NamedLog>, Vec<Alias>) {
    let (files, mut aliases) = named_files(sources);
    (group(files, &mut aliases), aliases)
}

/// Puts logs in the order of the times of their first lines.
pub(crate) fn sort_by_time(logs: &mut [NamedLog], now: fn() -> Timestamp) {
    if logs.len() > 1 {
        logs.sort_by_cached_key(|log| {
            let oldest = log.rotated.first().unwrap_or(&log.path);
            let at = first_time(oldest, &log.source, now);
            (at.is_none(), at, log.path.clone())
        });
    }
}

/// Puts rotated files with their log, or with one another if it was not named. A rotated file that another source names
/// than the log is read with the log.
fn group(files: NamedFiles, aliases: &mut Vec<Alias>) -> Vec<NamedLog> {
    type Group = (Option<Arc<LogSource>>, Vec<(PathBuf, Arc<LogSource>)>);
    let mut logs: BTreeMap<PathBuf, Group> = BTreeMap::new();
    for (file, source) in files {
        match rotation::log_of(&file) {
            Some(log) => logs.entry(log).or_default().1.push((file, source)),
            None => logs.entry(file).or_default().0 = Some(source),
        }
    }
    let mut named = Vec::new();
    for (log, (source, mut rotated)) in logs {
        rotated.sort_by(|(one, _), (other, _)| rotation::compare(&log, one, other));
        let newest = source.map(|source| (log, source)).or_else(|| rotated.pop());
        let Some((path, source)) = newest else { continue };
        for (file, other) in rotated.iter().filter(|(_, other)| !Arc::ptr_eq(other, &source)) {
            let (other, reader) = (Arc::clone(other), Arc::clone(&source));
            aliases.push(Alias { path: file.clone(), source: other, log: path.clone(), reader });
        }
        named.push(NamedLog { path, rotated: rotated.into_iter().map(|(file, _)| file).collect(), source });
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

    fn source(folder: &Path, logs: &[&str]) -> Arc<LogSource> {
        let logs = logs.iter().map(|log| folder.join(log)).collect();
        let timezone = TimeZone::UTC;
        Arc::new(LogSource { logs, timezone, from_start: true, host: None, tag: None, own_hosts: Vec::new() })
    }

    /// The names of the logs of these sources and of their rotated files, as `log<oldest<newer`, in the order of time.
    fn named_by(folder: &Path, sources: &[Arc<LogSource>]) -> Vec<String> {
        let name = |path: &PathBuf| path.strip_prefix(folder).unwrap().display().to_string();
        let all = |log: NamedLog| [&log.path].into_iter().chain(&log.rotated).map(name).collect::<Vec<_>>().join("<");
        let (mut logs, _) = named_logs(sources);
        sort_by_time(&mut logs, || Timestamp(0));
        logs.into_iter().map(all).collect()
    }

    fn named(folder: &Path, logs: &[&str]) -> Vec<String> {
        named_by(folder, &[source(folder, logs)])
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
    fn named_logs_puts_rotated_files_of_another_source_with_their_log() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        for name in ["f.log", "f.log.1", "f.log.2"] {
            write(folder, name, 1);
        }
        let sources = [source(folder, &["f.log.1"]), source(folder, &["f.log"]), source(folder, &["f.log*"])];
        assert_eq!(named_by(folder, &sources), ["f.log<f.log.2<f.log.1"]);
        let (logs, aliases) = named_logs(&sources);
        assert!(Arc::ptr_eq(&logs[0].source, &sources[1]));
        let names: Vec<_> = aliases.iter().map(|alias| alias.path.strip_prefix(folder).unwrap()).collect();
        assert_eq!(names, ["f.log", "f.log.1", "f.log.2", "f.log.1"].map(Path::new));
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
