//! The files that sources name, by paths and patterns. A file belongs to the first source that names it, whatever names
//! lead to it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use glob::{MatchOptions, Pattern};

use crate::config::{LogSource, is_pattern};

/// How many files a source reads at most; each takes memory for what is read, and for failures.
pub(super) const MAX_FILES: usize = 512;

/// How many links are followed to a file that does not exist; as the system does.
const MAX_LINKS: usize = 40;

/// As in a shell, `*` matches no `/` and no dot at the beginning.
const MATCH_OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// Files, each with the source that reads it.
pub(super) type NamedFiles = BTreeMap<PathBuf, Arc<LogSource>>;

/// A name that a source has for a file that another source reads.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Alias {
    /// The name.
    pub path: PathBuf,
    /// The source that has it.
    pub source: Arc<LogSource>,
    /// The log that the file is read as; the same name, if both have it.
    pub log: PathBuf,
    /// The source that reads it.
    pub reader: Arc<LogSource>,
}

impl Alias {
    /// Returns what is wrong with that: that the sources differ, so that the settings of one are not applied.
    #[must_use]
    pub(crate) fn problem(&self) -> Option<String> {
        let differing = self.source.differing_settings(&self.reader);
        let what = if self.path == self.log {
            "an earlier source names this log too".to_owned()
        } else {
            format!("it is read as {}, which another source names", self.log.display())
        };
        (!differing.is_empty())
            .then(|| format!("{what}: it is read once, with the {} of that source", differing.join(" and ")))
    }
}

/// What tells one file from another.
#[derive(PartialEq, Eq, Hash)]
enum Identity {
    /// Its device and inode.
    File(u64, u64),
    /// Of one that does not exist: its path, without links.
    Path(PathBuf),
}

/// Returns the files that sources name at present, and their other names.
pub(super) fn named_files(sources: &[Arc<LogSource>]) -> (NamedFiles, Vec<Alias>) {
    let (mut files, mut aliases) = (NamedFiles::new(), Vec::new());
    let mut known: HashMap<Identity, PathBuf> = HashMap::new();
    for (index, source) in sources.iter().enumerate() {
        let mut count = 0;
        let earlier = sources.get(..index).unwrap_or_default();
        for path in source.logs.iter().flat_map(|log| if is_pattern(log) { matching(log) } else { vec![log.clone()] }) {
            let log = known.entry(Identity::of(&path)).or_insert_with(|| path.clone()).clone();
            match files.entry(log) {
                Entry::Occupied(known) if !Arc::ptr_eq(known.get(), source) => aliases.push(Alias {
                    path,
                    source: Arc::clone(source),
                    log: known.key().clone(),
                    reader: Arc::clone(known.get()),
                }),
                Entry::Vacant(new) if count < MAX_FILES && !will_match(earlier, &path) => {
                    new.insert(Arc::clone(source));
                    count += 1;
                }
                _ => {}
            }
        }
    }
    (files, aliases)
}

/// Returns the files that a pattern matches, sorted.
pub(crate) fn matching(pattern: &Path) -> Vec<PathBuf> {
    let found = pattern.to_str().and_then(|pattern| glob::glob_with(pattern, MATCH_OPTIONS).ok());
    // A folder that cannot be read has no files.
    found.into_iter().flatten().flatten().filter(|path| path.is_file()).collect()
}

/// Returns whether a file that does not exist, as a log in the middle of a rotation, belongs to one of these sources once it
/// does.
fn will_match(sources: &[Arc<LogSource>], path: &Path) -> bool {
    let patterns = || sources.iter().flat_map(|source| &source.logs).filter(|log| is_pattern(log));
    let matches = |pattern: &PathBuf| {
        let pattern = pattern.to_str().and_then(|pattern| Pattern::new(pattern).ok());
        pattern.is_some_and(|pattern| pattern.matches_path_with(path, MATCH_OPTIONS))
    };
    !path.exists() && patterns().any(matches)
}

impl Identity {
    fn of(path: &Path) -> Self {
        fs::metadata(path).map_or_else(|_| Self::Path(target(path)), |meta| Self::File(meta.dev(), meta.ino()))
    }
}

/// Returns the path of a file that does not exist, without links.
fn target(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(target) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("/")).join(target);
    }
    let folder = path.parent().and_then(|folder| fs::canonicalize(folder).ok());
    folder.zip(path.file_name()).map(|(folder, name)| folder.join(name)).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use jiff::tz::TimeZone;

    use super::*;

    fn source(folder: &Path, logs: &[&str], host: Option<&str>) -> Arc<LogSource> {
        Arc::new(LogSource {
            logs: logs.iter().map(|log| folder.join(log)).collect(),
            timezone: TimeZone::UTC,
            from_start: true,
            host: host.map(ToOwned::to_owned),
            tag: None,
            own_hosts: Vec::new(),
        })
    }

    /// The files, and the names of other sources for them, as `name=log`.
    fn named(sources: &[Arc<LogSource>]) -> (Vec<String>, Vec<String>) {
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        let (files, aliases) = named_files(sources);
        let alias = |alias: &Alias| format!("{}={}", name(&alias.path), name(&alias.log));
        (files.keys().map(|file| name(file)).collect(), aliases.iter().map(alias).collect())
    }

    #[test]
    fn named_files_has_a_file_once_and_for_the_first_source() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let sources = ["f.log", "f.log", "link", "*.log", "f.log"].map(|log| source(folder, &[log], None));
        symlink("f.log", folder.join("link")).unwrap();
        let aliases = ["f.log=f.log", "link=f.log", "f.log=f.log"].map(ToOwned::to_owned);
        assert_eq!(named(&sources), (vec!["f.log".to_owned()], aliases.to_vec()), "before it exists");
        fs::write(folder.join("f.log"), "").unwrap();
        fs::hard_link(folder.join("f.log"), folder.join("hard.log")).unwrap();
        let aliases = ["f.log=f.log", "link=f.log", "f.log=f.log", "hard.log=f.log", "f.log=f.log"];
        assert_eq!(named(&sources), (vec!["f.log".to_owned()], aliases.map(ToOwned::to_owned).to_vec()));
        assert!(Arc::ptr_eq(named_files(&sources).0.values().next().unwrap(), &sources[0]));
    }

    #[test]
    fn named_files_missing_file_belongs_to_the_first_pattern_that_will_match_it() {
        let folder = tempfile::tempdir().unwrap();
        let sources = ["*.log", "f.log"].map(|log| source(folder.path(), &[log], None));
        assert_eq!(named(&sources), (Vec::new(), Vec::new()));
        assert_eq!(named(&sources[1..]).0, ["f.log"]);
    }

    #[test]
    fn alias_problem_names_the_settings_that_differ() {
        let folder = Path::new("/l");
        let alias = |path: &str, host| Alias {
            path: folder.join(path),
            source: source(folder, &[path], host),
            log: folder.join("f.log"),
            reader: source(folder, &["f.log"], None),
        };
        assert_eq!(alias("link", None).problem(), None);
        assert_eq!(
            alias("link", Some("web-1")).problem().as_deref(),
            Some("it is read as /l/f.log, which another source names: it is read once, with the host of that source")
        );
        assert_eq!(
            alias("f.log", Some("web-1")).problem().as_deref(),
            Some("an earlier source names this log too: it is read once, with the host of that source")
        );
    }
}
