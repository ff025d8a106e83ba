//! A simulated disk after a power failure: everything that was synced is there, and any part of the rest.
//!
//! It follows POSIX, which promises less than ext4: creating or removing a file is durable only after its folder was synced,
//! and of a write that was not synced each sector may be there or not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::recording::{Call, Step};
use crate::seeded_random::SeededRandom;

/// Bytes that are written completely or not at all.
const SECTOR: usize = 512;

/// Files and folders, and which of them are durable.
#[derive(Default)]
pub struct SimulatedDisk {
    files: Vec<File>,
    /// The current names.
    names: BTreeMap<PathBuf, Node>,
    durable_names: BTreeMap<PathBuf, Node>,
    /// Changes of names that were not synced, each with its step.
    unsynced_names: Vec<(usize, PathBuf, Option<Node>)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Node {
    File(usize),
    Folder,
}

#[derive(Default)]
struct File {
    durable: Vec<u8>,
    unsynced: Vec<(usize, Edit)>,
}

enum Edit {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

/// What happens to changes that were not synced.
#[derive(Debug, Clone, Copy)]
pub enum Unsynced {
    /// All are kept, as if only a process died.
    Kept,
    /// All are lost.
    Lost,
    /// Each is kept or lost at random.
    Random,
}

impl SimulatedDisk {
    /// The disk after these steps, in a folder that was empty.
    pub fn after(steps: &[Step]) -> Self {
        let mut disk = Self::default();
        for (number, step) in steps.iter().enumerate() {
            disk.apply(number, &step.call);
        }
        disk
    }

    fn apply(&mut self, number: usize, call: &Call) {
        match call {
            Call::Created(path) if !self.names.contains_key(path) => {
                self.files.push(File::default());
                self.set_name(number, path, Some(Node::File(self.files.len() - 1)));
            }
            Call::FolderCreated(path) => self.set_name(number, path, Some(Node::Folder)),
            Call::Removed(path) => self.set_name(number, path, None),
            Call::Written { path, at, data } => {
                let edit = Edit::Write(*at, data.clone());
                self.file(path).unsynced.push((number, edit));
            }
            Call::Truncated { path, bytes } => self.file(path).unsynced.push((number, Edit::Truncate(*bytes))),
            Call::Synced { path, before } => self.sync(path, *before),
            Call::Created(_) | Call::Exited(_) => {}
        }
    }

    fn set_name(&mut self, number: usize, path: &Path, node: Option<Node>) {
        set(&mut self.names, path, node);
        self.unsynced_names.push((number, path.to_owned(), node));
    }

    fn file(&mut self, path: &Path) -> &mut File {
        let Some(Node::File(file)) = self.names.get(path) else { panic!("{} was not created", path.display()) };
        &mut self.files[*file]
    }

    fn sync(&mut self, path: &Path, before: usize) {
        if let Some(Node::File(file)) = self.names.get(path) {
            let File { durable, unsynced } = &mut self.files[*file];
            for (_, edit) in unsynced.extract_if(.., |(number, _)| *number < before) {
                edit.apply(durable, |_| true);
            }
            return;
        }
        let is_synced = |(number, name, _): &mut (usize, PathBuf, _)| *number < before && name.parent() == Some(path);
        for (_, name, node) in self.unsynced_names.extract_if(.., is_synced) {
            set(&mut self.durable_names, &name, node);
        }
    }

    /// The files that are found after a power failure, with their content.
    pub fn files(&self, unsynced: Unsynced, random: &mut SeededRandom) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut names = self.durable_names.clone();
        for (_, name, node) in &self.unsynced_names {
            if unsynced.keeps(random) {
                set(&mut names, name, *node);
            }
        }
        let has_parent = |path: &Path| {
            let parent = path.parent().unwrap();
            // The topmost folder existed before.
            names.get(parent) == Some(&Node::Folder) || !self.names.contains_key(parent)
        };
        let mut files = BTreeMap::new();
        for (name, node) in &names {
            if let Node::File(file) = node
                && has_parent(name)
            {
                files.insert(name.clone(), self.files[*file].content(unsynced, random));
            }
        }
        files
    }
}

impl File {
    fn content(&self, unsynced: Unsynced, random: &mut SeededRandom) -> Vec<u8> {
        let mut content = self.durable.clone();
        for (_, edit) in &self.unsynced {
            // Usually a write is kept completely or not at all.
            let torn = random.one_in(3);
            if torn || unsynced.keeps(random) {
                edit.apply(&mut content, |_| !torn || unsynced.keeps(random));
            }
        }
        content
    }
}

impl Edit {
    /// Applies the edit to the sectors for which `writes_sector` returns true.
    fn apply(&self, content: &mut Vec<u8>, mut writes_sector: impl FnMut(usize) -> bool) {
        match self {
            Self::Truncate(bytes) => {
                if writes_sector(0) {
                    content.resize(*bytes, 0);
                }
            }
            Self::Write(at, data) => {
                let mut written = 0;
                while written < data.len() {
                    let position = at + written;
                    let end = data.len().min(written + SECTOR - position % SECTOR);
                    if writes_sector(position / SECTOR) {
                        let until = at + end;
                        content.resize(content.len().max(until), 0);
                        content[position..until].copy_from_slice(&data[written..end]);
                    }
                    written = end;
                }
            }
        }
    }
}

impl Unsynced {
    pub fn random(random: &mut SeededRandom) -> Self {
        match random.below(8) {
            0 => Self::Kept,
            1 | 2 => Self::Lost,
            _ => Self::Random,
        }
    }

    fn keeps(self, random: &mut SeededRandom) -> bool {
        match self {
            Self::Kept => true,
            Self::Lost => false,
            Self::Random => random.one_in(2),
        }
    }
}

fn set(names: &mut BTreeMap<PathBuf, Node>, path: &Path, node: Option<Node>) {
    match node {
        Some(node) => names.insert(path.to_owned(), node),
        None => names.remove(path),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simulated_disk_loses_unsynced_writes() {
        let [parent, folder, file] = ["/x", "/x/state", "/x/state/a.sqlite3"].map(PathBuf::from);
        let synced = |path: &PathBuf, before| Call::Synced { path: path.clone(), before };
        let calls = [
            Call::FolderCreated(folder.clone()),
            Call::Created(file.clone()),
            Call::Written { path: file.clone(), at: 0, data: vec![1; 2 * SECTOR] },
            synced(&file, 3),
            Call::Written { path: file.clone(), at: SECTOR, data: vec![2; 2 * SECTOR] },
            synced(&folder, 5),
            synced(&parent, 6),
            // A sync that began before the write finished.
            synced(&file, 4),
            Call::Removed(file.clone()),
        ];
        let steps: Vec<_> = calls.into_iter().map(|call| Step { at: 0.0, call }).collect();
        let mut random = SeededRandom::new("disk", 1, 0);
        let mut left =
            |first: usize, unsynced| SimulatedDisk::after(&steps[..first]).files(unsynced, &mut random).remove(&file);
        let durable = vec![1; 2 * SECTOR];
        let all = [vec![1; SECTOR], vec![2; 2 * SECTOR]].concat();
        assert_eq!((left(5, Unsynced::Lost), left(5, Unsynced::Kept)), (None, Some(all.clone())));
        assert_eq!(left(6, Unsynced::Lost), None, "its folder may be lost");
        assert_eq!((left(8, Unsynced::Lost), left(8, Unsynced::Kept)), (Some(durable.clone()), Some(all.clone())));
        assert_eq!((left(9, Unsynced::Lost), left(9, Unsynced::Kept)), (Some(durable), None));
        let some: std::collections::BTreeSet<_> = (0..100).map(|_| left(8, Unsynced::Random).unwrap()).collect();
        // Each of two sectors is kept or lost; the second one alone leaves a gap.
        assert_eq!(some.len(), 4);
    }
}
