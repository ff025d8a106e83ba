//! Starts watchers of directories, which the system may have no thread for.

use notify::{Config, EventHandler, RecommendedWatcher, Watcher as _};

/// Returns a watcher that watches nothing yet.
///
/// # Errors
/// When the system has no inotify instance or thread left.
pub(crate) fn watcher(handler: impl EventHandler) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(handler)?;
    // notify passes over that its thread could not be started, and panics at the next call. Only this one, which its thread
    // answers, returns an error; and to drop such a watcher is a panic as well.
    if let Err(error) = watcher.configure(Config::default()) {
        std::mem::forget(watcher);
        return Err(notify::Error::generic(&format!("cannot start a thread: {error}")));
    }
    Ok(watcher)
}
