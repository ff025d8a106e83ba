//! Watches the folders of logs: inotify reports changes in them, and polling those that it does not report.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::stop_switch::StopHandle;
use crate::inotify;

/// How often a watched log is read all the same: some file systems, NFS among them, report nothing.
pub(super) const LOG_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How often a log is read that cannot be watched.
const UNWATCHED_POLL_INTERVAL: Duration = Duration::from_millis(200);

/// The watched folders of some logs.
pub(super) struct LogWatch {
    watcher: Option<RecommendedWatcher>,
    /// The names of the logs, and of what they link to.
    names: Arc<Mutex<HashSet<OsString>>>,
    /// Each with its device and inode: one that was removed and created again has to be watched again.
    folders: BTreeMap<PathBuf, (u64, u64)>,
    poll_interval: Duration,
}

impl LogWatch {
    /// Watches nothing yet; `reader` is woken when something happens to a log.
    pub(super) fn new(reader: StopHandle) -> Self {
        let names = Arc::new(Mutex::new(HashSet::new()));
        let known = Arc::clone(&names);
        let watcher = inotify::watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| is_relevant(&event, &known)) {
                reader.wake();
            }
        });
        let poll_interval = if watcher.is_ok() { LOG_POLL_INTERVAL } else { UNWATCHED_POLL_INTERVAL };
        if let Err(error) = &watcher {
            tracing::warn!("cannot watch logs for changes, polling five times a second: {error}");
        }
        Self { watcher: watcher.ok(), names, folders: BTreeMap::new(), poll_interval }
    }

    /// Returns how often the logs have to be read without being woken.
    pub(super) const fn poll_interval(&self) -> Duration {
        self.poll_interval
    }

    /// Watches the folders that the logs are in now; returns whether they are other ones than before.
    pub(super) fn update<'a>(&mut self, logs: impl Iterator<Item = &'a Path>) -> bool {
        let Some(watcher) = &mut self.watcher else { return false };
        let mut names = HashSet::new();
        let mut folders = BTreeMap::new();
        for log in logs {
            let target = fs::read_link(log).is_ok().then(|| fs::canonicalize(log).ok()).flatten();
            for path in [Some(log), target.as_deref()].into_iter().flatten() {
                names.extend(path.file_name().map(ToOwned::to_owned));
                if let Some(folder) = path.parent()
                    && !folders.contains_key(folder)
                    && let Ok(meta) = fs::metadata(folder)
                {
                    folders.insert(folder.to_owned(), (meta.dev(), meta.ino()));
                }
            }
        }
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) = names;
        if folders == self.folders {
            return false;
        }
        for folder in std::mem::take(&mut self.folders).into_keys() {
            // The folder may be removed, and its watch with it.
            let _ = watcher.unwatch(&folder);
        }
        for folder in folders.keys() {
            if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
                tracing::warn!(
                    path = %folder.display(),
                    "cannot watch for changes, polling five times a second: {error}"
                );
                self.poll_interval = UNWATCHED_POLL_INTERVAL;
            }
        }
        self.folders = folders;
        true
    }
}

/// Returns whether something may have happened to a log: not if banhook has read it, or another log in the folder was
/// written to.
fn is_relevant(event: &notify::Event, names: &Mutex<HashSet<OsString>>) -> bool {
    match event.kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        EventKind::Modify(ModifyKind::Data(_)) => {
            let names = names.lock().unwrap_or_else(PoisonError::into_inner);
            event.paths.iter().filter_map(|path| path.file_name()).any(|name| names.contains(name))
        }
        _ => true,
    }
}
