//! Watches the folders of a log: inotify reports changes in them, and polling those that it does not report.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::stop_switch::StopHandle;

/// How often a watched log is read all the same: some file systems, NFS among them, report nothing.
const LOG_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How often a log is read that cannot be watched.
const UNWATCHED_POLL_INTERVAL: Duration = Duration::from_millis(200);

/// The watched folders of a log.
pub(super) struct LogWatch {
    log: PathBuf,
    watcher: Option<RecommendedWatcher>,
    /// Each with its device and inode: one that was removed and created again has to be watched again.
    folders: Vec<(PathBuf, (u64, u64))>,
    poll_interval: Duration,
}

impl LogWatch {
    /// Watches a log; `reader` is woken when something happens to it.
    pub(super) fn new(log: PathBuf, reader: StopHandle) -> Self {
        let names: Vec<_> = [Some(log.clone()), fs::canonicalize(&log).ok()]
            .into_iter()
            .flatten()
            .filter_map(|path| Some(path.file_name()?.to_owned()))
            .collect();
        let is_named = move |event: &notify::Event| {
            let named = |path: &PathBuf| path.file_name().is_some_and(|name| names.iter().any(|ours| ours == name));
            event.paths.iter().any(named)
        };
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| is_relevant(&event, &is_named)) {
                reader.wake();
            }
        });
        let poll_interval = if watcher.is_ok() { LOG_POLL_INTERVAL } else { UNWATCHED_POLL_INTERVAL };
        if let Err(error) = &watcher {
            warn_of_polling(&log, error);
        }
        Self { log, watcher: watcher.ok(), folders: Vec::new(), poll_interval }
    }

    /// Returns how often the log has to be read without being woken.
    pub(super) const fn poll_interval(&self) -> Duration {
        self.poll_interval
    }

    /// Watches the folders that the log is in now; returns whether they are other ones than before.
    pub(super) fn update(&mut self) -> bool {
        let Some(watcher) = &mut self.watcher else { return false };
        let target = fs::read_link(&self.log).is_ok().then(|| fs::canonicalize(&self.log).ok()).flatten();
        let folder_of = |path: &Path| {
            let folder = path.parent()?;
            let meta = fs::metadata(folder).ok()?;
            Some((folder.to_owned(), (meta.dev(), meta.ino())))
        };
        let mut folders: Vec<_> =
            folder_of(&self.log).into_iter().chain(target.and_then(|target| folder_of(&target))).collect();
        folders.dedup();
        if folders == self.folders {
            return false;
        }
        for (folder, _) in self.folders.drain(..) {
            // The folder may be removed, and its watch with it.
            let _ = watcher.unwatch(&folder);
        }
        for (folder, identity) in folders {
            if let Err(error) = watcher.watch(&folder, RecursiveMode::NonRecursive) {
                warn_of_polling(&folder, &error);
                self.poll_interval = UNWATCHED_POLL_INTERVAL;
            }
            self.folders.push((folder, identity));
        }
        true
    }
}

/// Returns whether something may have happened to the log: not if banhook has read it, or another log in the folder was
/// written to.
fn is_relevant(event: &notify::Event, is_named: &impl Fn(&notify::Event) -> bool) -> bool {
    match event.kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        EventKind::Modify(ModifyKind::Data(_)) => is_named(event),
        _ => true,
    }
}

fn warn_of_polling(path: &Path, error: &notify::Error) {
    tracing::warn!(path = %path.display(), "cannot watch for changes, polling five times a second: {error}");
}
