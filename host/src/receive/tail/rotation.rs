//! The rotated files of a log: which of the files next to it contain its earlier lines.
//!
//! logrotate names them `fail2ban.log.1`, or `fail2ban.log-20261122` with `dateext`, and may compress them as `.gz`, or as
//! another format (`compression`).

use std::cmp::{Ordering, Reverse};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::compression::Compression;
use super::error::TailError;
use super::log_file::LogFile;
use crate::store::Checkpoint;

/// How many older files are read at most.
const MAX_OLDER_FILES: usize = 4;

/// How often a folder is listed again if its files are renamed meanwhile.
const MAX_LISTINGS: usize = 20;

/// A file next to the log.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    path: PathBuf,
    inode: u64,
    /// When it was rotated; `None` if its name does not say.
    age: Option<Age>,
    compressed: bool,
}

/// When a file was rotated, by its name; greater is newer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Age {
    Numbered(Reverse<u32>),
    Dated(String),
}

/// Returns the file that a checkpoint is in, at its beginning, and the files that were rotated after it, the oldest first,
/// without the log itself. Empty: the file does not exist any more.
pub(super) fn since(log: &Path, checkpoint: &Checkpoint) -> Result<Vec<LogFile>, TailError> {
    until_stable(log, |entries| {
        let Some((found, age)) = find(entries, checkpoint) else { return Ok(Vec::new()) };
        let mut files = vec![found];
        files.extend(newer(entries, age)?);
        Ok(files)
    })
}

/// Returns the files that were rotated after an open one, the oldest first, without the log itself.
pub(super) fn after(log: &Path, open: &LogFile) -> Result<Vec<LogFile>, TailError> {
    let checkpoint = open.checkpoint(open.offset);
    until_stable(log, |entries| newer(entries, find(entries, &checkpoint).and_then(|(_, age)| age)))
}

/// Returns the files that were rotated before this one, or before the log itself, the newest first, up to
/// [`MAX_OLDER_FILES`].
pub(super) fn before(log: &Path, file: &LogFile) -> Result<Vec<LogFile>, TailError> {
    until_stable(log, |entries| {
        let age = entries.iter().find(|entry| file.has_inode(entry.inode)).and_then(|entry| entry.age.as_ref());
        let is_older = |entry: &&Entry| entry.age.is_some() && age.is_none_or(|age| entry.age.as_ref() < Some(age));
        let mut older: Vec<_> = entries.iter().filter(is_older).collect();
        older.sort_by_key(|entry| (Reverse(entry.age.as_ref()), entry.compressed));
        older.dedup_by_key(|entry| entry.age.as_ref());
        older.into_iter().take(MAX_OLDER_FILES).map(|entry| LogFile::open(&entry.path)).collect()
    })
}

/// Returns the log that was rotated to this file, by its name: `fail2ban.log` of `fail2ban.log.2.gz`.
pub(super) fn log_of(file: &Path) -> Option<PathBuf> {
    let name = file.file_name()?.to_str()?;
    name.match_indices(['.', '-', '_']).find_map(|(index, _)| {
        let log = file.with_file_name(name.get(..index).filter(|log| !log.is_empty())?);
        age(&log, file).0.is_some().then_some(log)
    })
}

/// Compares when a log was rotated to two files, the oldest first. A file that is being compressed exists twice.
pub(super) fn compare(log: &Path, one: &Path, other: &Path) -> Ordering {
    age(log, one).cmp(&age(log, other))
}

/// Finds the file of a checkpoint by its inode, otherwise by its first bytes, since it may have been copied or compressed. The
/// newest, if several begin alike.
fn find<'a>(entries: &'a [Entry], checkpoint: &Checkpoint) -> Option<(LogFile, Option<&'a Age>)> {
    let by_inode = entries.iter().filter(|entry| entry.inode == checkpoint.inode);
    let mut rotated: Vec<_> = entries.iter().filter(|entry| entry.age.is_some()).collect();
    rotated.sort_by(|a, b| (a.compressed, Reverse(&a.age)).cmp(&(b.compressed, Reverse(&b.age))));
    by_inode.chain(rotated).find_map(|entry| {
        // A file that cannot be opened or decompressed is another one.
        let file = LogFile::open(&entry.path).ok()?;
        file.has_checkpoint(checkpoint).then_some((file, entry.age.as_ref()))
    })
}

fn newer(entries: &[Entry], age: Option<&Age>) -> Result<Vec<LogFile>, TailError> {
    let Some(age) = age else { return Ok(Vec::new()) };
    let mut newer: Vec<_> =
        entries.iter().filter(|entry| entry.age.as_ref().is_some_and(|other| other > age)).collect();
    // While a file is being compressed it exists twice.
    newer.sort_by_key(|entry| (entry.age.as_ref(), entry.compressed));
    newer.dedup_by_key(|entry| entry.age.as_ref());
    newer.into_iter().map(|entry| LogFile::open(&entry.path)).collect()
}

/// Calls `look` with the files next to the log until none was renamed meanwhile.
fn until_stable<T>(log: &Path, look: impl Fn(&[Entry]) -> Result<T, TailError>) -> Result<T, TailError> {
    let mut before = list(log);
    for _ in 1..MAX_LISTINGS {
        let seen = look(&before);
        let now = list(log);
        if now == before {
            return seen;
        }
        before = now;
    }
    look(&before)
}

/// Lists the regular files in the folder of the log and, if the log is a link, in the folder of its target; without the log.
fn list(log: &Path) -> Vec<Entry> {
    let target = fs::canonicalize(log).ok();
    let mut entries = Vec::new();
    let mut folders: Vec<_> = [Some(log), target.as_deref()].into_iter().flatten().filter_map(Path::parent).collect();
    folders.dedup();
    for folder in folders {
        let Ok(files) = fs::read_dir(folder) else { continue };
        for file in files.flatten() {
            let path = file.path();
            let Ok(meta) = file.metadata() else { continue };
            if meta.is_file() && path != log && Some(&path) != target.as_ref() {
                let (age, compressed) = age(log, &path);
                entries.push(Entry { path, inode: meta.ino(), age, compressed });
            }
        }
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    entries
}

/// Returns when a file was rotated, by its name, and whether it is compressed.
fn age(log: &Path, path: &Path) -> (Option<Age>, bool) {
    let suffix = || {
        let name = path.file_name()?.to_str()?;
        name.strip_prefix(log.file_name()?.to_str()?)
    };
    let Some(suffix) = suffix() else { return (None, false) };
    let compressed = Compression::of(path).is_some();
    let suffix = if compressed { suffix.rsplit_once('.').map_or(suffix, |(suffix, _)| suffix) } else { suffix };
    let Some(mark) = suffix.strip_prefix(['.', '-', '_']) else { return (None, compressed) };
    let age = match mark.parse() {
        Ok(number) if mark.len() <= 4 => Some(Age::Numbered(Reverse(number))),
        _ if mark.starts_with(|c: char| c.is_ascii_digit())
            && mark.bytes().all(|b| b.is_ascii_digit() || b"-_.:T".contains(&b)) =>
        {
            Some(Age::Dated(mark.to_owned()))
        }
        _ => None,
    };
    (age, compressed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_of_is_the_name_without_number_or_date() {
        let of = |name: &str| log_of(Path::new(name)).map(|log| log.display().to_string());
        for name in ["/l/f.log.1", "/l/f.log.12.xz", "/l/f.log-20261122.gz", "/l/f.log-20261122-1795348189"] {
            assert_eq!(of(name).as_deref(), Some("/l/f.log"), "{name}");
        }
        for name in ["/l/f.log", "/l/web-1.log", "/l/f.log.gz", "/l/.1", "/l/f.log.bak"] {
            assert_eq!(of(name), None, "{name}");
        }
    }

    #[test]
    fn age_orders_names_by_rotation() {
        let log = Path::new("/l/fail2ban.log");
        let of = |name: &str| age(log, &Path::new("/l").join(name));
        let oldest_first = |names: &[&str]| assert!(names.is_sorted_by_key(|name| of(name).0), "{names:?}");
        oldest_first(&["fail2ban.log.10.gz", "fail2ban.log.2.gz", "fail2ban.log.1"]);
        oldest_first(&["fail2ban.log.4.xz", "fail2ban.log.3.zst", "fail2ban.log.2.bz2"]);
        oldest_first(&["fail2ban.log-20261121.gz", "fail2ban.log-20261122", "fail2ban.log-20261122-1795348189"]);
        assert!(of("fail2ban.log.2.gz").1 && !of("fail2ban.log.1").1);
        for other in [
            "fail2ban.log.bak",
            "fail2ban.log.1.zip",
            "fail2ban.log.gz",
            "fail2ban.logs",
            "auth.log.1",
            "fail2ban.log.",
            "fail2ban.log~",
        ] {
            assert_eq!(of(other).0, None, "{other}");
        }
    }
}
