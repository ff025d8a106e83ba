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
    /// Changes of names that were not synced, each with its step. Those of one call are kept or lost together.
    unsynced_names: Vec<(usize, Vec<NameChange>)>,
}

/// A name, and what it is then; `None`: it is removed.
type NameChange = (PathBuf, Option<Node>);

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
            Call::Created(path) => self.create(number, path),
            Call::Replaced(path) => {
                self.create(number, path);
                self.edit(number, path, Edit::Truncate(0));
            }
            Call::FolderCreated(path) => self.set_names(number, vec![(path.clone(), Some(Node::Folder))]),
            Call::Removed(path) => self.set_names(number, vec![(path.clone(), None)]),
            Call::Linked { from, to } => {
                let node = self.names[from];
                self.set_names(number, vec![(to.clone(), Some(node))]);
            }
            Call::Renamed { from, to } => {
                let node = self.names[from];
                self.set_names(number, vec![(to.clone(), Some(node)), (from.clone(), None)]);
            }
            Call::Written { path, at, data } => self.edit(number, path, Edit::Write(*at, data.clone())),
            Call::Appended { path, data } => {
                let end = self.file(path).length();
                self.edit(number, path, Edit::Write(end, data.clone()));
            }
            Call::Truncated { path, bytes } => self.edit(number, path, Edit::Truncate(*bytes)),
            Call::Synced { path, before } => self.sync(path, *before),
            Call::Exited(_) => {}
        }
    }

    fn create(&mut self, number: usize, path: &Path) {
        if !self.names.contains_key(path) {
            self.files.push(File::default());
            self.set_names(number, vec![(path.to_owned(), Some(Node::File(self.files.len() - 1)))]);
        }
    }

    fn set_names(&mut self, number: usize, changes: Vec<NameChange>) {
        for (path, node) in &changes {
            set(&mut self.names, path, *node);
        }
        self.unsynced_names.push((number, changes));
    }

    fn edit(&mut self, number: usize, path: &Path, edit: Edit) {
        self.file(path).unsynced.push((number, edit));
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
        let is_synced = |(number, changes): &mut (usize, Vec<NameChange>)| {
            *number < before && changes.iter().all(|(name, _)| name.parent() == Some(path))
        };
        for (name, node) in self.unsynced_names.extract_if(.., is_synced).flat_map(|(_, changes)| changes) {
            set(&mut self.durable_names, &name, node);
        }
    }

    /// The files that are found after a power failure, each with its names and content.
    pub fn files(&self, unsynced: Unsynced, random: &mut SeededRandom) -> Vec<(Vec<PathBuf>, Vec<u8>)> {
        let mut names = self.durable_names.clone();
        for (_, changes) in &self.unsynced_names {
            if unsynced.keeps(random) {
                changes.iter().for_each(|(name, node)| set(&mut names, name, *node));
            }
        }
        // The topmost folder existed before.
        let is_there = |folder: &Path| names.get(folder) == Some(&Node::Folder) || !self.names.contains_key(folder);
        let mut files = BTreeMap::<usize, Vec<PathBuf>>::new();
        for (name, node) in &names {
            if let Node::File(file) = node
                && name.ancestors().skip(1).all(is_there)
            {
                files.entry(*file).or_default().push(name.clone());
            }
        }
        files.into_iter().map(|(file, names)| (names, self.files[file].content(unsynced, random))).collect()
    }
}

impl File {
    /// The current length.
    fn length(&self) -> usize {
        self.unsynced.iter().fold(self.durable.len(), |length, (_, edit)| match edit {
            Edit::Truncate(bytes) => *bytes,
            Edit::Write(at, data) => length.max(at + data.len()),
        })
    }

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
            |first: usize, unsynced| content(&SimulatedDisk::after(&steps[..first]), &file, unsynced, &mut random);
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

    /// The content of a file after a power failure, if it is found.
    fn content(disk: &SimulatedDisk, name: &PathBuf, unsynced: Unsynced, random: &mut SeededRandom) -> Option<Vec<u8>> {
        disk.files(unsynced, random).into_iter().find(|(names, _)| names.contains(name)).map(|(_, content)| content)
    }

    #[test]
    fn simulated_disk_keeps_links_and_renames_together() {
        let [folder, file, link, new] =
            ["/x/spool", "/x/spool/1.segment", "/x/spool/active", "/x/spool/2"].map(PathBuf::from);
        let append = |path: &PathBuf| Call::Appended { path: path.clone(), data: vec![7; 3] };
        let calls = [
            Call::FolderCreated(folder.clone()),
            Call::Created(file.clone()),
            append(&file),
            Call::Synced { path: folder.clone(), before: 3 },
            Call::Synced { path: "/x".into(), before: 3 },
            Call::Linked { from: file.clone(), to: link.clone() },
            append(&link),
            Call::Synced { path: link.clone(), before: 7 },
            Call::Renamed { from: file.clone(), to: new.clone() },
            Call::Replaced(new.clone()),
        ];
        let steps: Vec<_> = calls.into_iter().map(|call| Step { at: 0.0, call }).collect();
        let mut random = SeededRandom::new("links", 1, 0);
        let mut found = |first: usize, unsynced| SimulatedDisk::after(&steps[..first]).files(unsynced, &mut random);
        assert_eq!(found(3, Unsynced::Lost), []);
        assert_eq!(found(8, Unsynced::Lost), [(vec![file.clone()], vec![7; 6])], "synced by its other name");
        assert_eq!(found(8, Unsynced::Kept), [(vec![file.clone(), link.clone()], vec![7; 6])]);
        for _ in 0..50 {
            let names: Vec<_> = found(9, Unsynced::Random).into_iter().flat_map(|(names, _)| names).collect();
            assert!(names.contains(&file) != names.contains(&new), "{names:?}");
        }
        assert_eq!(found(10, Unsynced::Kept), [(vec![new, link], vec![])], "emptied");
    }
}
