//! Watches the files of a configuration, so that a change is applied without a signal.
//!
//! Directories are watched and not files, since editors and package managers replace files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

use crate::inotify;

/// How long after a change further changes are awaited: a new plugin comes with its settings.
pub(super) const SETTLE_TIME: Duration = Duration::from_millis(100);

pub(super) struct Watcher {
    /// None where the system has no inotify instance or thread left.
    watcher: Option<RecommendedWatcher>,
    files: Arc<Mutex<BTreeSet<PathBuf>>>,
    folders: BTreeSet<PathBuf>,
}

impl Watcher {
    /// Watches nothing yet; `changed` is notified when one of the files changes.
    pub(super) fn new(changed: Arc<Notify>) -> Self {
        let files = Arc::new(Mutex::new(BTreeSet::new()));
        let watched = Arc::clone(&files);
        let watcher = inotify::watcher(move |event: notify::Result<Event>| {
            let files = watched.lock().unwrap_or_else(PoisonError::into_inner);
            // An error may mean that a change was missed.
            if event.as_ref().map_or(true, |event| concerns(event, &files)) {
                changed.notify_one();
            }
        });
        if let Err(error) = &watcher {
            tracing::warn!("changed files are applied at SIGHUP only: {error}");
        }
        Self { watcher: watcher.ok(), files, folders: BTreeSet::new() }
    }

    /// Watches these files instead of those before.
    pub(super) fn watch(&mut self, files: &BTreeSet<PathBuf>) {
        files.clone_into(&mut self.files.lock().unwrap_or_else(PoisonError::into_inner));
        let Some(watcher) = &mut self.watcher else { return };
        // A directory such as conf.d itself, and the directory of each file.
        let folders: BTreeSet<PathBuf> = files
            .iter()
            .flat_map(|file| [file.parent(), Some(file)])
            .flatten()
            .filter(|path| path.is_dir())
            .map(Path::to_owned)
            .collect();
        for removed in self.folders.difference(&folders) {
            // Fails only where the directory itself was removed.
            let _ = watcher.unwatch(removed);
        }
        for folder in folders.difference(&self.folders) {
            if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
                tracing::warn!("changes in {} are applied at SIGHUP only: {error}", folder.display());
            }
        }
        self.folders = folders;
    }
}

/// Returns whether an event may have changed one of the files or directories.
fn concerns(event: &Event, files: &BTreeSet<PathBuf>) -> bool {
    let changes = matches!(event.kind, EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_));
    changes
        && event.paths.iter().any(|path| {
            files.contains(path)
                || path.parent().is_some_and(|folder| files.contains(folder))
                // The symbolic link that is switched when a volume mounted into a container is updated.
                || path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".."))
        })
}
