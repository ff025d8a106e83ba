//! A disk without power: what was synced is there, and of what was not, any part.
//!
//! As POSIX has it, which is less than ext4 promises: a file that was made or removed is so only once its folder was
//! synced, and writes that were not synced are there or not, each of its sectors by itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::recording::{Call, Step};
use crate::seeded_random::SeededRandom;

/// Bytes that are written whole or not at all.
const SECTOR: usize = 512;

/// Files and folders, and what of them is safe.
#[derive(Default)]
pub struct Disk {
    files: Vec<File>,
    /// As whoever looks sees it.
    names: BTreeMap<PathBuf, Node>,
    safe: BTreeMap<PathBuf, Node>,
    /// What happened to names, and at which step.
    renamings: Vec<(usize, PathBuf, Option<Node>)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Node {
    File(usize),
    Folder,
}

#[derive(Default)]
struct File {
    safe: Vec<u8>,
    edits: Vec<(usize, Edit)>,
}

enum Edit {
    Write(usize, Vec<u8>),
    Cut(usize),
}

/// How much of what was not synced is there.
#[derive(Debug, Clone, Copy)]
pub enum Luck {
    /// All of it, as when only a process dies.
    All,
    /// None.
    None,
    /// Any part.
    Some,
}

impl Disk {
    /// After these steps, in a folder that held nothing.
    pub fn after(steps: &[Step]) -> Self {
        let mut disk = Self::default();
        for (number, step) in steps.iter().enumerate() {
            disk.follow(number, &step.call);
        }
        disk
    }

    fn follow(&mut self, number: usize, call: &Call) {
        match call {
            Call::Made(path) if !self.names.contains_key(path) => {
                self.files.push(File::default());
                self.name(number, path, Some(Node::File(self.files.len() - 1)));
            }
            Call::FolderMade(path) => self.name(number, path, Some(Node::Folder)),
            Call::Removed(path) => self.name(number, path, None),
            Call::Written { path, at, data } => {
                let edit = Edit::Write(*at, data.clone());
                self.file(path).edits.push((number, edit));
            }
            Call::Cut { path, bytes } => self.file(path).edits.push((number, Edit::Cut(*bytes))),
            Call::Synced { path, before } => self.sync(path, *before),
            Call::Made(_) | Call::Done(_) => {}
        }
    }

    fn name(&mut self, number: usize, path: &Path, node: Option<Node>) {
        set(&mut self.names, path, node);
        self.renamings.push((number, path.to_owned(), node));
    }

    fn file(&mut self, path: &Path) -> &mut File {
        let Some(Node::File(file)) = self.names.get(path) else { panic!("{} was not made", path.display()) };
        &mut self.files[*file]
    }

    fn sync(&mut self, path: &Path, before: usize) {
        if let Some(Node::File(file)) = self.names.get(path) {
            let File { safe, edits } = &mut self.files[*file];
            for (_, edit) in edits.extract_if(.., |(number, _)| *number < before) {
                edit.apply(safe, |_| true);
            }
            return;
        }
        let is_safe = |(number, name, _): &mut (usize, PathBuf, _)| *number < before && name.parent() == Some(path);
        for (_, name, node) in self.renamings.extract_if(.., is_safe) {
            set(&mut self.safe, &name, node);
        }
    }

    /// What is found of it after a power failure: files with what is in them.
    pub fn left(&self, luck: Luck, random: &mut SeededRandom) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut names = self.safe.clone();
        for (_, name, node) in &self.renamings {
            if luck.has(random) {
                set(&mut names, name, *node);
            }
        }
        let is_there = |path: &Path| {
            let above = path.parent().unwrap();
            // That above all was there before.
            names.get(above) == Some(&Node::Folder) || !self.names.contains_key(above)
        };
        let mut left = BTreeMap::new();
        for (name, node) in &names {
            if let Node::File(file) = node
                && is_there(name)
            {
                left.insert(name.clone(), self.files[*file].left(luck, random));
            }
        }
        left
    }
}

impl File {
    fn left(&self, luck: Luck, random: &mut SeededRandom) -> Vec<u8> {
        let mut content = self.safe.clone();
        for (_, edit) in &self.edits {
            // Mostly a write is there as a whole or not at all.
            let torn = random.one_in(3);
            if torn || luck.has(random) {
                edit.apply(&mut content, |_| !torn || luck.has(random));
            }
        }
        content
    }
}

impl Edit {
    /// `sector`: whether this one of its sectors is written.
    fn apply(&self, content: &mut Vec<u8>, mut sector: impl FnMut(usize) -> bool) {
        match self {
            Self::Cut(bytes) => {
                if sector(0) {
                    content.resize(*bytes, 0);
                }
            }
            Self::Write(at, data) => {
                let mut written = 0;
                while written < data.len() {
                    let place = at + written;
                    let end = data.len().min(written + SECTOR - place % SECTOR);
                    if sector(place / SECTOR) {
                        let until = at + end;
                        content.resize(content.len().max(until), 0);
                        content[place..until].copy_from_slice(&data[written..end]);
                    }
                    written = end;
                }
            }
        }
    }
}

impl Luck {
    pub fn any(random: &mut SeededRandom) -> Self {
        match random.below(8) {
            0 => Self::All,
            1 | 2 => Self::None,
            _ => Self::Some,
        }
    }

    fn has(self, random: &mut SeededRandom) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Some => random.one_in(2),
        }
    }
}

fn set(names: &mut BTreeMap<PathBuf, Node>, path: &Path, node: Option<Node>) {
    match node {
        Some(node) => names.insert(path.to_owned(), node),
        None => names.remove(path),
    };
}

#[test]
fn simulated_disk_loses_unsynced_writes() {
    let [above, folder, file] = ["/x", "/x/state", "/x/state/a.sqlite3"].map(PathBuf::from);
    let synced = |path: &PathBuf, before| Call::Synced { path: path.clone(), before };
    let calls = [
        Call::FolderMade(folder.clone()),
        Call::Made(file.clone()),
        Call::Written { path: file.clone(), at: 0, data: vec![1; 2 * SECTOR] },
        synced(&file, 3),
        Call::Written { path: file.clone(), at: SECTOR, data: vec![2; 2 * SECTOR] },
        synced(&folder, 5),
        synced(&above, 6),
        // Begun before what it is to make safe was done.
        synced(&file, 4),
        Call::Removed(file.clone()),
    ];
    let steps: Vec<_> = calls.into_iter().map(|call| Step { at: 0.0, call }).collect();
    let mut random = SeededRandom::of("disk", 1, 0);
    let mut left = |first: usize, luck| Disk::after(&steps[..first]).left(luck, &mut random).remove(&file);
    let safe = vec![1; 2 * SECTOR];
    let all = [vec![1; SECTOR], vec![2; 2 * SECTOR]].concat();
    assert_eq!((left(5, Luck::None), left(5, Luck::All)), (None, Some(all.clone())));
    assert_eq!(left(6, Luck::None), None, "its folder may be gone");
    assert_eq!((left(8, Luck::None), left(8, Luck::All)), (Some(safe.clone()), Some(all.clone())));
    assert_eq!((left(9, Luck::None), left(9, Luck::All)), (Some(safe), None));
    let some: std::collections::BTreeSet<_> = (0..100).map(|_| left(8, Luck::Some).unwrap()).collect();
    // Each of two sectors is there or not; the second one after the end makes a gap.
    assert_eq!(some.len(), 4);
}
