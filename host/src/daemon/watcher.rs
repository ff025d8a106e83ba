//! Files that a run works by: it hears of it when one of them changes, so that nobody has to say so.
//!
//! Folders are watched and not files, since editors and package managers put new files in the place of old ones.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

/// After a change, others are awaited for this long: a new plugin comes with its settings.
pub(super) const SETTLE: Duration = Duration::from_millis(100);

pub(super) struct Watcher {
    /// None where the system has no more of them to give.
    watcher: Option<RecommendedWatcher>,
    files: Arc<Mutex<BTreeSet<PathBuf>>>,
    folders: BTreeSet<PathBuf>,
}

impl Watcher {
    /// Nothing yet; `changed` is told when one of the files has changed.
    pub(super) fn new(changed: Arc<Notify>) -> Self {
        let files = Arc::new(Mutex::new(BTreeSet::new()));
        let of_interest = Arc::clone(&files);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let files = of_interest.lock().unwrap_or_else(PoisonError::into_inner);
            // An error may mean that something was missed.
            if event.as_ref().map_or(true, |event| concerns(event, &files)) {
                changed.notify_one();
            }
        });
        if let Err(error) = &watcher {
            tracing::warn!("changed files are taken up only at SIGHUP: {error}");
        }
        Self { watcher: watcher.ok(), files, folders: BTreeSet::new() }
    }

    /// Watches these files, and no others any more.
    pub(super) fn watch(&mut self, files: &BTreeSet<PathBuf>) {
        files.clone_into(&mut self.files.lock().unwrap_or_else(PoisonError::into_inner));
        let Some(watcher) = &mut self.watcher else { return };
        // A folder like conf.d itself, and the folder that each file is in.
        let folders: BTreeSet<PathBuf> = files
            .iter()
            .flat_map(|file| [file.parent(), Some(file)])
            .flatten()
            .filter(|path| path.is_dir())
            .map(Path::to_owned)
            .collect();
        for gone in self.folders.difference(&folders) {
            // Fails only where it is gone itself.
            let _ = watcher.unwatch(gone);
        }
        for folder in folders.difference(&self.folders) {
            if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
                tracing::warn!("changes in {} are taken up only at SIGHUP: {error}", folder.display());
            }
        }
        self.folders = folders;
    }
}

/// Whether an event may have changed one of the files, or a folder among them.
fn concerns(event: &Event, files: &BTreeSet<PathBuf>) -> bool {
    let changes = matches!(event.kind, EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_));
    changes
        && event.paths.iter().any(|path| {
            files.contains(path)
                || path.parent().is_some_and(|folder| files.contains(folder))
                // What mounted volumes of containers switch when they are updated.
                || path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".."))
        })
}
