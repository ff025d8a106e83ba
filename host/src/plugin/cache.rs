//! Compiled components on disk, so that a daemon with many plugins is ready at once.
//!
//! Compiled code runs as it is: whoever can write it can run anything as this user. So the directory must belong to this
//! user alone; a file must be this user's, regular and not writable by others; its checksum must match; and its name is
//! the hash of the component, of wasmtime's version and of every setting that shapes the code. A file that fails any of
//! this is compiled again. The same holds for the functions of a plugin, which the next compilation of it uses; their file
//! has the hash of the plugin's path in its name.
//!
//! A file is mapped, not read: CPython's is 40 MB, of which one event touches little. It is never changed in place. Its
//! modification time is when it was last used.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::PluginError;
use super::compiler::Compiled;
use crate::hex::hex;

/// Ends each file, and changes with its format: the compiled component, 4 bytes of its CRC-32, and this.
const MAGIC: &[u8] = b"banhook compiled component 3\n";
const CHECKSUM: usize = 4;
const TRAILER: usize = CHECKSUM + MAGIC.len();

/// Ends the name of a file with a component.
const COMPONENT: &str = ".cwasm";

/// Ends the name of a file with the functions of a plugin.
const FUNCTIONS: &str = ".functions";

/// Bytes that are read at once for the checksum.
const PIECE: usize = 256 << 10;

/// Begins the name of a file that is being written.
const PART: &str = "part-";

/// After this time nobody writes a file any more: the process was killed.
const PART_AGE: Duration = Duration::from_secs(60 * 60);

/// Bytes of all files: the inbox may be on the same disk. CPython's has 43 MB.
const TOTAL: u64 = 512 << 20;

/// A file that has not been used for so long is removed when a new one is stored: nobody has that version any more.
const UNUSED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A directory of compiled components.
#[derive(Debug, Clone)]
pub struct Cache {
    directory: PathBuf,
}

impl Cache {
    /// Uses a directory, which is created if it does not exist.
    ///
    /// # Errors
    /// When it cannot be created, or others than this user can enter it.
    pub fn open(directory: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let meta = fs::symlink_metadata(directory)?;
        if !meta.is_dir() || meta.uid() != own_uid() || meta.mode() & 0o077 != 0 {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("{} must be a directory that belongs to this user alone (mode 0700)", directory.display()),
            ));
        }
        Ok(Self { directory: directory.to_owned() })
    }

    /// Returns the component whose file has this hash, if it was compiled for an engine like this one.
    pub(super) fn get(&self, engine: &Engine, sha256: &[u8; 32]) -> Option<Component> {
        let file = open_own(&self.file(engine, sha256)).ok()?;
        let component = is_whole(&file).ok()?.then(|| map(engine, &file))??;
        // If that fails, the file is removed early and compiled once more.
        let _ = file.set_modified(SystemTime::now());
        Some(component)
    }

    /// Stores a compiled component: whole, or not at all.
    pub(super) fn put(&self, engine: &Engine, sha256: &[u8; 32], compiled: &Compiled) -> io::Result<()> {
        self.write(&self.file(engine, sha256), compiled.component())
    }

    /// Returns the functions of the plugin that was compiled last from the file at this path.
    pub(super) fn functions(&self, engine: &Engine, plugin: &Path) -> Option<Vec<u8>> {
        let mut file = open_own(&self.functions_file(engine, plugin)?).ok()?;
        if !is_whole(&file).ok()? {
            return None;
        }
        let mut bytes = Vec::new();
        file.rewind().ok()?;
        file.read_to_end(&mut bytes).ok()?;
        bytes.truncate(bytes.len().checked_sub(TRAILER)?);
        Some(bytes)
    }

    /// Stores the functions of the plugin that was compiled from the file at this path, in place of those before.
    pub(super) fn put_functions(&self, engine: &Engine, plugin: &Path, compiled: &Compiled) -> io::Result<()> {
        match self.functions_file(engine, plugin) {
            Some(file) => self.write(&file, compiled.functions()),
            None => Ok(()),
        }
    }

    fn write(&self, to: &Path, bytes: &[u8]) -> io::Result<()> {
        // Mode 0600, in the same directory, so that the rename is atomic. Not synced: the checksum catches damage.
        let mut file = tempfile::Builder::new().prefix(PART).tempfile_in(&self.directory)?;
        file.write_all(bytes)?;
        file.write_all(&crc32fast::hash(bytes).to_le_bytes())?;
        file.write_all(MAGIC)?;
        file.persist(to)?;
        Ok(())
    }

    /// Removes files that were compiled for another engine, have not been used for long, or were never finished; and those
    /// that were used longest ago, until there is room for one more. Files that this process uses stay. A process that has
    /// a removed file mapped keeps its content; one that misses it compiles it again.
    ///
    /// # Errors
    /// When there is no room.
    pub(super) fn make_room(&self, engine: &Engine, in_use: &[[u8; 32]], compiled: &Compiled) -> io::Result<()> {
        let in_use: Vec<_> = in_use.iter().map(|sha256| self.file(engine, sha256)).collect();
        let engine = engine_hash(engine);
        let mut stay = Vec::new();
        for entry in fs::read_dir(&self.directory)?.flatten() {
            let (name, Ok(meta)) = (entry.file_name(), entry.metadata()) else { continue };
            let age = meta.modified().map(|at| at.elapsed().unwrap_or_default()).unwrap_or_default();
            let Some(name) = name.to_str() else { continue };
            let is_old = match engine_of(name) {
                Some(compiled_for) => compiled_for != engine || (age > UNUSED && !in_use.contains(&entry.path())),
                None if name.starts_with(PART) => age > PART_AGE,
                None => continue,
            };
            // A file that cannot be removed costs space, nothing else.
            if !is_old || fs::remove_file(entry.path()).is_err() {
                stay.push((age, meta.len(), entry.path()));
            }
        }
        stay.sort();
        let mut total = stay.iter().map(|(_, length, _)| length).sum::<u64>();
        let added = compiled.component().len().saturating_add(compiled.functions().len());
        total = total.saturating_add(u64::try_from(added).unwrap_or(u64::MAX));
        while total > TOTAL
            && let Some((_, length, path)) = stay.pop()
        {
            if !in_use.contains(&path) && fs::remove_file(&path).is_ok() {
                total -= length;
            }
        }
        if total <= TOTAL { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    fn file(&self, engine: &Engine, sha256: &[u8; 32]) -> PathBuf {
        self.named(engine, sha256, COMPONENT)
    }

    /// `None` if the path cannot be made absolute.
    fn functions_file(&self, engine: &Engine, plugin: &Path) -> Option<PathBuf> {
        let path = std::path::absolute(plugin).ok()?;
        Some(self.named(engine, &Sha256::digest(path.as_os_str().as_bytes()).into(), FUNCTIONS))
    }

    fn named(&self, engine: &Engine, hash: &[u8; 32], extension: &str) -> PathBuf {
        self.directory.join(format!("{}-{}{extension}", hex(hash), engine_hash(engine)))
    }
}

/// wasmtime's version and configuration, as it hashes them itself.
fn engine_hash(engine: &Engine) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// The engine's hash in the name of a file of the cache; `None` for any other file.
fn engine_of(name: &str) -> Option<&str> {
    let (hash, engine) = name.strip_suffix(COMPONENT).or_else(|| name.strip_suffix(FUNCTIONS))?.split_once('-')?;
    let is_hex = |part: &str, digits| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_hex(hash, 64) && is_hex(engine, 16)).then_some(engine)
}

/// Opens a file that only this user can have written: a regular file, not a link, with one name.
fn open_own(path: &Path) -> io::Result<File> {
    let file: File = OpenOptions::new()
        .read(true)
        .custom_flags((rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits().cast_signed())
        .open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() || meta.uid() != own_uid() || meta.mode() & 0o022 != 0 || meta.nlink() != 1 {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(file)
}

/// Whether checksum and trailer are right.
fn is_whole(mut file: &File) -> io::Result<bool> {
    let Some(mut left) = usize::try_from(file.metadata()?.len()).ok().and_then(|length| length.checked_sub(TRAILER))
    else {
        return Ok(false);
    };
    let mut checksum = crc32fast::Hasher::new();
    let mut piece = vec![0; PIECE];
    while left > 0 {
        let Some(part) = piece.get_mut(..left.min(PIECE)) else { return Ok(false) };
        file.read_exact(part)?;
        checksum.update(part);
        left -= part.len();
    }
    let mut trailer = [0; TRAILER];
    file.read_exact(&mut trailer)?;
    let (found, magic) = trailer.split_at(CHECKSUM);
    Ok(found == checksum.finalize().to_le_bytes() && magic == MAGIC)
}

fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Maps a file of the cache, which [`open_own`] opened and [`is_whole`] checked, or one in memory that this program just
/// wrote.
pub(super) fn map(engine: &Engine, file: &File) -> Option<Component> {
    deserialize(engine, &Trusted::File(file)).ok()
}

/// Loads a component that was just compiled and cannot be stored.
pub(super) fn load(engine: &Engine, compiled: &Compiled) -> Result<Component, PluginError> {
    deserialize(engine, &Trusted::Fresh(compiled)).map_err(|error| PluginError::Unfit(error.root_cause().to_string()))
}

/// Compiled code that this program wrote itself.
enum Trusted<'a> {
    File(&'a File),
    Fresh(&'a Compiled),
}

#[allow(unsafe_code, reason = "the one place in banhook")]
fn deserialize(engine: &Engine, from: &Trusted<'_>) -> wasmtime::Result<Component> {
    // SAFETY: wasmtime requires that it wrote these bytes itself, and that a mapped file does not change. Only our own
    // compiler makes a `Compiled`. For files, `Cache::open` and `open_own` ensure that only this user can have written
    // one; `put` is the only code that does, from a `Compiled`, and it renames and never changes one in place; `is_whole`
    // excludes damage. The other file that is mapped is in memory: the program that compiled it wrote it and became this
    // process, which only reads it. The path names the file that was checked and no other. wasmtime checks version and configuration
    // itself.
    unsafe {
        match from {
            Trusted::File(file) => Component::deserialize_file(engine, format!("/proc/self/fd/{}", file.as_raw_fd())),
            Trusted::Fresh(compiled) => Component::deserialize(engine, compiled.component()),
        }
    }
}
