//! UnroutedEvent for a log: inotify says when something happens in its folder, and the clock when it does not.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::error::TailError;
use super::event_sink::EventSink;
use super::follower::{Follower, Step};

/// How often a log is looked at all the same: some file systems, NFS among them, tell nothing.
const LOOK: Duration = Duration::from_secs(1);

/// The same where inotify cannot be had.
const LOOK_OFTEN: Duration = Duration::from_millis(200);

/// Ends what follows a log, from another thread.
#[derive(Debug, Clone)]
pub struct Stop {
    stopped: Arc<AtomicBool>,
    wake: SyncSender<()>,
}

/// The other end of a [`Stop`].
#[derive(Debug)]
pub struct Stopped {
    switch: Stop,
    woken: Receiver<()>,
}

/// A switch, and what watches it.
#[must_use]
pub fn stop_switch() -> (Stop, Stopped) {
    // One wake-up is as good as many.
    let (wake, woken) = sync_channel(1);
    let switch = Stop { stopped: Arc::default(), wake };
    (switch.clone(), Stopped { switch, woken })
}

impl Stop {
    /// Ends it.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.wake();
    }

    fn wake(&self) {
        // A full channel: it is awake.
        let _ = self.wake.try_send(());
    }
}

impl Stopped {
    /// Waits a second, or until it is to end.
    pub fn wait(&self) {
        let _ = self.woken.recv_timeout(LOOK);
    }

    /// Whether it is to end.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.switch.stopped.load(Ordering::Relaxed)
    }
}

/// Follows a log until it is stopped. What keeps it from reading is told once, and tried again.
///
/// # Errors
/// When `sink` fails.
pub fn follow(mut follower: Follower, sink: &mut dyn EventSink, stopped: &Stopped) -> Result<(), TailError> {
    let mut watch = Watch::new(follower.path().to_owned(), stopped.switch.clone());
    let mut complaint = String::new();
    let mut idle_since = None;
    while !stopped.is_stopped() {
        let patience = match follower.step(sink) {
            Ok(Step::Read) => {
                complaint.clear();
                idle_since = None;
                continue;
            }
            Ok(Step::Waits(patience)) => patience,
            Err(error @ TailError::Read { .. }) => {
                let new = error.to_string();
                if new != complaint {
                    tracing::warn!("{new}; trying again");
                    complaint = new;
                }
                None
            }
            Err(error) => return Err(error),
        };
        if watch.look() {
            // Something may have happened before it was watched.
            continue;
        }
        let idle = idle_since.get_or_insert_with(Instant::now).elapsed();
        if patience.is_some_and(|patience| idle >= patience) {
            follower.settle(sink)?;
            continue;
        }
        let most = patience.map_or(watch.every, |patience| patience.saturating_sub(idle));
        if stopped.woken.recv_timeout(most) == Err(RecvTimeoutError::Disconnected) {
            break;
        }
    }
    follower.stop(sink)
}

/// The folders of a log.
struct Watch {
    log: PathBuf,
    watcher: Option<RecommendedWatcher>,
    /// Each with its device and inode: one that was made anew is to be watched anew.
    folders: Vec<(PathBuf, (u64, u64))>,
    every: Duration,
}

impl Watch {
    fn new(log: PathBuf, wake: Stop) -> Self {
        let names: Vec<_> = [Some(log.clone()), fs::canonicalize(&log).ok()]
            .into_iter()
            .flatten()
            .filter_map(|path| Some(path.file_name()?.to_owned()))
            .collect();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Our own reading is no news, and neither are the other logs in the folder.
            let news = event.is_ok_and(|event| {
                let read =
                    matches!(event.kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write));
                let changed = matches!(event.kind, EventKind::Modify(notify::event::ModifyKind::Data(_)));
                let ours = || {
                    event
                        .paths
                        .iter()
                        .any(|path| path.file_name().is_some_and(|name| names.iter().any(|ours| ours == name)))
                };
                !read && (!changed || ours())
            });
            if news {
                wake.wake();
            }
        });
        let every = if watcher.is_ok() { LOOK } else { LOOK_OFTEN };
        if let Err(error) = &watcher {
            tracing::warn!("looking at {} five times a second, as it cannot be watched: {error}", log.display());
        }
        Self { log, watcher: watcher.ok(), folders: Vec::new(), every }
    }

    /// Watches what is to be watched; whether that is something new.
    fn look(&mut self) -> bool {
        let Some(watcher) = &mut self.watcher else { return false };
        let target = fs::read_link(&self.log).is_ok().then(|| fs::canonicalize(&self.log).ok()).flatten();
        let wanted = |path: &Path| {
            let folder = path.parent()?;
            let meta = fs::metadata(folder).ok()?;
            Some((folder.to_owned(), (meta.dev(), meta.ino())))
        };
        let mut folders: Vec<_> =
            wanted(&self.log).into_iter().chain(target.and_then(|target| wanted(&target))).collect();
        folders.dedup();
        if folders == self.folders {
            return false;
        }
        for (folder, _) in self.folders.drain(..) {
            // It may be gone, and its watch with it.
            let _ = watcher.unwatch(&folder);
        }
        for (folder, identity) in folders {
            match watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!(
                        "looking into {} five times a second, as it cannot be watched: {error}",
                        folder.display()
                    );
                    self.every = LOOK_OFTEN;
                }
            }
            self.folders.push((folder, identity));
        }
        true
    }
}
