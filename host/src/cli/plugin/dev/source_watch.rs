//! Watches the files that a plugin is made of, and not those that building it makes.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::session::{CASES, Task};
use crate::cli::plugin::toolchain::PRODUCT;
use crate::inotify;

/// What builds make; so do all names that begin with a dot.
const PRODUCTS: [&str; 6] = [PRODUCT, "target", "node_modules", "build", "dist", "__pycache__"];

/// Reports changes as tasks.
pub(super) struct SourceWatch {
    directory: PathBuf,
    watcher: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
}

impl SourceWatch {
    /// Watches a plugin's directory.
    ///
    /// # Errors
    /// When the system has no more watches.
    pub(super) fn start(directory: &Path, tasks: Sender<Task>) -> anyhow::Result<Self> {
        let top = directory.to_owned();
        let watcher = inotify::watcher(move |event: notify::Result<Event>| {
            if let Some(task) = task(&top, &event) {
                // The session ends with the process.
                let _ = tasks.send(task);
            }
        })?;
        let mut watch = Self { directory: directory.to_owned(), watcher, watched: BTreeSet::new() };
        watch.refresh();
        Ok(watch)
    }

    /// Watches directories that are new.
    pub(super) fn refresh(&mut self) {
        let mut found = BTreeSet::new();
        directories(&self.directory, &mut found);
        for directory in found.difference(&self.watched) {
            // One that has just been removed cannot be watched, and need not.
            let _ = self.watcher.watch(directory, RecursiveMode::NonRecursive);
        }
        self.watched = found;
    }
}

fn directories(directory: &Path, found: &mut BTreeSet<PathBuf>) {
    found.insert(directory.to_owned());
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_directory && is_source(&entry.file_name()) {
            directories(&entry.path(), found);
        }
    }
}

/// Returns what a change asks for; `None` if it is about no file of the plugin.
fn task(top: &Path, event: &notify::Result<Event>) -> Option<Task> {
    // An error may mean that a change was missed.
    let Ok(event) = event else { return Some(Task::Build) };
    if !matches!(event.kind, EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_)) {
        return None;
    }
    let changed = event.paths.iter().filter_map(|path| path.strip_prefix(top).ok());
    let mut sources = changed.filter(|path| path.iter().all(is_source)).peekable();
    sources.peek()?;
    let cases_only = sources.all(|path| path.starts_with(CASES));
    Some(if cases_only { Task::Test } else { Task::Build })
}

/// Returns whether a file or directory with this name is the author's: no product, and nothing that editors leave behind.
fn is_source(name: &OsStr) -> bool {
    let text = name.to_string_lossy();
    !text.starts_with(['.', '#']) && !text.ends_with('~') && text != "4913" && !PRODUCTS.contains(&text.as_ref())
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, ModifyKind};

    use super::*;

    #[test]
    fn task_is_for_files_of_the_author_only() {
        let top = Path::new("/p");
        let changed = |kind, path: &str| task(top, &Ok(Event::new(kind).add_path(PathBuf::from(path))));
        let modified = EventKind::Modify(ModifyKind::Any);
        for (path, expected) in [
            ("/p/src/lib.rs", Some(true)),
            ("/p/wit/mine.wit", Some(true)),
            ("/p/cases/ban.json", Some(false)),
            ("/p/plugin.wasm", None),
            ("/p/target/x/y.rs", None),
            ("/p/src/.lib.rs.swp", None),
            ("/p/src/lib.rs~", None),
            ("/p/.venv/x.py", None),
            ("/other/lib.rs", None),
        ] {
            let found = changed(modified, path).map(|task| matches!(task, Task::Build));
            assert_eq!(found, expected, "{path}");
        }
        assert!(changed(EventKind::Create(CreateKind::Any), "/p/a.py").is_some());
        assert!(changed(EventKind::Access(notify::event::AccessKind::Any), "/p/a.py").is_none());
    }
}
