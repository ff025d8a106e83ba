//! A file system in memory whose calls are handed out one by one, so that a test decides who is next, who is killed, and when
//! the power fails.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Condvar, Mutex};

use crate::file_system::FileSystem;

/// What the disk and the kernel know.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    /// The names as they were when the directory was synced last, and the changes since.
    durable_names: BTreeMap<String, usize>,
    changes: Vec<(String, Option<usize>)>,
    /// Who holds a lock: file, handle, exclusive.
    locks: Vec<(usize, u64, bool)>,
    next_handle: u64,
}

#[derive(Debug, Clone, Default)]
struct Inode {
    data: Vec<u8>,
    durable: Vec<u8>,
    links: u64,
}

/// What a power failure leaves of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsynced {
    Kept,
    Lost,
    /// The first half is there.
    Half,
    /// The length is there, the content is not.
    Zeros,
}

impl World {
    fn set(&mut self, name: &str, inode: Option<usize>) {
        let before = match inode {
            Some(inode) => self.names.insert(name.to_owned(), inode),
            None => self.names.remove(name),
        };
        for (inode, change) in [(before, -1), (inode, 1)] {
            if let Some(inode) = inode {
                self.inodes[inode].links = self.inodes[inode].links.wrapping_add_signed(change);
            }
        }
        self.changes.push((name.to_owned(), inode));
    }

    /// How many changes of names are not durable.
    pub(crate) fn unsynced_names(&self) -> usize {
        self.changes.len()
    }

    /// The disk after a power failure: `names` has a bit for each change of a name that survives.
    pub(crate) fn after_power_failure(&self, data: Unsynced, names: usize) -> Self {
        let mut world = Self { inodes: self.inodes.clone(), names: self.durable_names.clone(), ..Self::default() };
        for (number, (name, inode)) in self.changes.iter().enumerate() {
            if names & (1 << number) != 0 {
                match inode {
                    Some(inode) => world.names.insert(name.clone(), *inode),
                    None => world.names.remove(name),
                };
            }
        }
        for (number, inode) in world.inodes.iter_mut().enumerate() {
            let unsynced = inode.data.len() - inode.durable.len();
            let mut kept = inode.durable.clone();
            match data {
                Unsynced::Kept => kept = inode.data.clone(),
                Unsynced::Lost => {}
                Unsynced::Half => kept.extend_from_slice(&inode.data[kept.len()..][..unsynced / 2]),
                Unsynced::Zeros => kept.resize(inode.data.len(), 0),
            }
            (inode.data, inode.durable) = (kept.clone(), kept);
            inode.links = world.names.values().filter(|named| **named == number).count() as u64;
        }
        world.durable_names = world.names.clone();
        world
    }
}

/// Who may make the next call.
#[derive(Debug, Default)]
struct Turns {
    /// Threads that wait to make a call.
    waiting: BTreeSet<usize>,
    running: BTreeSet<usize>,
    granted: Option<usize>,
    killed: BTreeSet<usize>,
}

/// Hands out the calls of several threads.
#[derive(Debug, Default)]
pub(crate) struct Scheduler {
    turns: Mutex<Turns>,
    changed: Condvar,
    pub(crate) world: Mutex<World>,
}

/// The payload with which a thread unwinds that is killed.
pub(crate) struct Killed;

impl Scheduler {
    pub(crate) fn with(world: World, threads: usize) -> Arc<Self> {
        let turns = Turns { running: (0..threads).collect(), ..Turns::default() };
        Arc::new(Self { turns: Mutex::new(turns), changed: Condvar::new(), world: Mutex::new(world) })
    }

    /// Waits until each thread either waits to make a call or has ended. Returns those that wait.
    pub(crate) fn waiting(&self) -> Vec<usize> {
        let turns = self.turns.lock().unwrap();
        let turns = self.changed.wait_while(turns, |turns| !turns.running.is_empty()).unwrap();
        turns.waiting.iter().copied().collect()
    }

    /// Lets a thread make its call, or kills it there.
    pub(crate) fn grant(&self, thread: usize, kill: bool) {
        let mut turns = self.turns.lock().unwrap();
        turns.waiting.remove(&thread);
        turns.running.insert(thread);
        if kill {
            turns.killed.insert(thread);
        }
        turns.granted = Some(thread);
        self.changed.notify_all();
    }

    pub(crate) fn ended(&self, thread: usize) {
        self.turns.lock().unwrap().running.remove(&thread);
        self.changed.notify_all();
    }

    /// Waits for the turn; `false` if the thread is killed.
    fn wait(&self, thread: usize) -> bool {
        let mut turns = self.turns.lock().unwrap();
        if turns.killed.contains(&thread) {
            return false;
        }
        turns.running.remove(&thread);
        turns.waiting.insert(thread);
        self.changed.notify_all();
        let mut turns = self.changed.wait_while(turns, |turns| turns.granted != Some(thread)).unwrap();
        turns.granted = None;
        !turns.killed.contains(&thread)
    }
}

/// The file system as one thread sees it. Without a thread, its calls are made at once.
#[derive(Debug, Clone)]
pub(crate) struct Simulated {
    pub(crate) scheduler: Arc<Scheduler>,
    pub(crate) thread: Option<usize>,
}

/// An open file.
#[derive(Debug)]
pub(crate) struct SimulatedFile {
    files: Simulated,
    inode: usize,
    handle: u64,
}

impl Simulated {
    pub(crate) fn alone(world: World) -> Self {
        Self { scheduler: Scheduler::with(world, 0), thread: None }
    }

    /// Makes a call when it is this thread's turn.
    pub(crate) fn call<T>(&self, call: impl FnOnce(&mut World) -> T) -> T {
        if let Some(thread) = self.thread
            && !self.scheduler.wait(thread)
        {
            std::panic::resume_unwind(Box::new(Killed));
        }
        call(&mut self.scheduler.world.lock().unwrap())
    }

    fn file(&self, world: &mut World, inode: usize) -> SimulatedFile {
        world.next_handle += 1;
        SimulatedFile { files: self.clone(), inode, handle: world.next_handle }
    }
}

impl Drop for SimulatedFile {
    /// Closing a file is a call as well: whoever is frozen before it keeps the lock.
    fn drop(&mut self) {
        if let Some(thread) = self.files.thread {
            let _ = self.files.scheduler.wait(thread);
        }
        let handle = self.handle;
        self.files.scheduler.world.lock().unwrap().locks.retain(|(_, holder, _)| *holder != handle);
    }
}

impl FileSystem for Simulated {
    type File = SimulatedFile;

    fn is_local(&self) -> bool {
        true
    }

    fn open(&self, name: &str) -> io::Result<SimulatedFile> {
        self.call(|world| match world.names.get(name) {
            Some(inode) => {
                let inode = *inode;
                Ok(self.file(world, inode))
            }
            None => Err(io::ErrorKind::NotFound.into()),
        })
    }

    fn create(&self, name: &str) -> io::Result<SimulatedFile> {
        self.call(|world| {
            if world.names.contains_key(name) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            world.inodes.push(Inode::default());
            let inode = world.inodes.len() - 1;
            world.set(name, Some(inode));
            Ok(self.file(world, inode))
        })
    }

    fn link(&self, name: &str, new_name: &str) -> io::Result<()> {
        self.call(|world| {
            let inode = *world.names.get(name).ok_or(io::ErrorKind::NotFound)?;
            if world.names.contains_key(new_name) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            world.set(new_name, Some(inode));
            Ok(())
        })
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        self.call(|world| {
            if !world.names.contains_key(name) {
                return Err(io::ErrorKind::NotFound.into());
            }
            world.set(name, None);
            Ok(())
        })
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.call(|world| Ok(world.names.keys().cloned().collect()))
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.call(|world| {
            world.durable_names = world.names.clone();
            world.changes.clear();
            Ok(())
        })
    }

    fn lock_shared(&self, file: &SimulatedFile) -> io::Result<bool> {
        self.call(|world| Ok(lock(world, file, false)))
    }

    fn lock_exclusive(&self, file: &SimulatedFile) -> io::Result<bool> {
        self.call(|world| Ok(lock(world, file, true)))
    }

    fn links(&self, file: &SimulatedFile) -> io::Result<u64> {
        self.call(|world| Ok(world.inodes[file.inode].links))
    }

    fn append(&self, file: &SimulatedFile, bytes: &[u8]) -> io::Result<usize> {
        self.call(|world| {
            world.inodes[file.inode].data.extend_from_slice(bytes);
            Ok(bytes.len())
        })
    }

    fn read_at(&self, file: &SimulatedFile, offset: u64, bytes: usize) -> io::Result<Vec<u8>> {
        self.call(|world| {
            let data = &world.inodes[file.inode].data;
            let begin = usize::try_from(offset).unwrap().min(data.len());
            Ok(data[begin..data.len().min(begin + bytes)].to_vec())
        })
    }

    fn sync(&self, file: &SimulatedFile) -> io::Result<()> {
        self.call(|world| {
            let inode = &mut world.inodes[file.inode];
            inode.durable.clone_from(&inode.data);
            Ok(())
        })
    }
}

fn lock(world: &mut World, file: &SimulatedFile, exclusive: bool) -> bool {
    let conflicts = |(inode, handle, other): &(usize, u64, bool)| {
        *inode == file.inode && *handle != file.handle && (exclusive || *other)
    };
    if world.locks.iter().any(conflicts) {
        return false;
    }
    world.locks.push((file.inode, file.handle, exclusive));
    true
}
