//! Compiled components on disk, so that a daemon with many plugins is ready at once.
//!
//! Compiled code is run as it is: whoever can write it can run anything as us. So the folder must be ours alone, a
//! file must be ours, plain and not writable by others, its checksum must match, and its name is the hash of the
//! component, of wasmtime's version and of every setting that shapes the code. Whatever is odd is compiled anew.
//!
//! A file is mapped, not read: CPython's is 40 MB, of which one event touches little. It is never changed in place. When it
//! was last used is kept as the time of its last change.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use wasmtime::Engine;
use wasmtime::component::Component;

use super::PluginError;
use super::compiler::Compiled;
use crate::hex::hex;

/// Ends each file, and changes with its format: the compiled component, 4 bytes of its CRC-32, and this.
const MAGIC: &[u8] = b"banhook compiled component 2\n";
const CHECKSUM: usize = 4;
const TRAILER: usize = CHECKSUM + MAGIC.len();

/// Ends the name of each file.
const EXTENSION: &str = ".cwasm";

/// Bytes that are read at once for the checksum.
const PIECE: usize = 256 << 10;

/// What has not been used for so long goes when something new comes: versions of plugins that nobody has any more.
const UNUSED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A folder of compiled components.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Uses a folder, making it if there is none.
    ///
    /// # Errors
    /// When it cannot be made, or is not ours alone.
    pub fn open(folder: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let meta = fs::symlink_metadata(folder)?;
        if !meta.is_dir() || meta.uid() != own_uid() || meta.mode() & 0o077 != 0 {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("{} is not a folder of this user's alone (mode 0700)", folder.display()),
            ));
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// The component with this hash of its file, if it was compiled for an engine like this one.
    pub(super) fn get(&self, engine: &Engine, sha256: &[u8; 32]) -> Option<Component> {
        let file = open_own(&self.file(engine, sha256)).ok()?;
        let component = is_whole(&file).ok()?.then(|| map(engine, &file))??;
        // Without it, a file goes early and is compiled once more.
        let _ = file.set_modified(SystemTime::now());
        Some(component)
    }

    /// Keeps a compiled component: whole, or not at all.
    pub(super) fn put(&self, engine: &Engine, sha256: &[u8; 32], compiled: &Compiled) -> io::Result<()> {
        // Mode 0600, in the same folder, so that the rename is atomic. Not synced: the checksum catches damage.
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(compiled.bytes())?;
        file.write_all(&crc32fast::hash(compiled.bytes()).to_le_bytes())?;
        file.write_all(MAGIC)?;
        file.persist(self.file(engine, sha256))?;
        Ok(())
    }

    /// Removes what was compiled for another engine than this one, or has not been used for long and is not in use by this
    /// process. Whoever has a file mapped keeps what is in it, and who misses one compiles it.
    pub(super) fn remove_unused(&self, engine: &Engine, in_use: &[[u8; 32]]) {
        let in_use: Vec<_> = in_use.iter().map(|sha256| self.file(engine, sha256)).collect();
        let engine = engine_hash(engine);
        // What cannot be looked at or removed takes room, nothing else.
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(compiled_for) = name.to_str().and_then(engine_of) else { continue };
            let unused = || {
                let age = entry.metadata().and_then(|meta| meta.modified()).map(|at| at.elapsed().unwrap_or_default());
                age.is_ok_and(|age| age > UNUSED) && !in_use.contains(&entry.path())
            };
            if compiled_for != engine || unused() {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn file(&self, engine: &Engine, sha256: &[u8; 32]) -> PathBuf {
        let name = hex(sha256);
        self.folder.join(format!("{name}-{}{EXTENSION}", engine_hash(engine)))
    }
}

/// wasmtime's version and configuration, as it hashes them itself.
fn engine_hash(engine: &Engine) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// The engine's hash in the name of one of our files; `None`: it is none.
fn engine_of(name: &str) -> Option<&str> {
    let (component, engine) = name.strip_suffix(EXTENSION)?.split_once('-')?;
    let is_hex = |part: &str, digits| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_hex(component, 64) && is_hex(engine, 16)).then_some(engine)
}

/// Opens a file that is ours: a plain file behind no link, with one name, which nobody else can write.
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

/// What a file of the cache holds, which [`open_own`] opened and [`is_whole`] checked.
fn map(engine: &Engine, file: &File) -> Option<Component> {
    run_as_it_is(engine, &Trusted::File(file)).ok()
}

/// What was compiled just now and cannot be kept.
pub(super) fn load(engine: &Engine, compiled: &Compiled) -> Result<Component, PluginError> {
    run_as_it_is(engine, &Trusted::Fresh(compiled)).map_err(|error| PluginError::Unfit(error.root_cause().to_string()))
}

enum Trusted<'a> {
    File(&'a File),
    Fresh(&'a Compiled),
}

#[allow(unsafe_code, reason = "the one place in banhook")]
fn run_as_it_is(engine: &Engine, from: &Trusted<'_>) -> wasmtime::Result<Component> {
    // SAFETY: wasmtime trusts that it wrote these bytes itself, and that a mapped file does not change. A `Compiled` is
    // only what our own compiler answered. `Cache::open` and `open_own` uphold the rest for files: only this user can
    // have written one, `put` is the only code that does, from a `Compiled`, and it renames and never changes one in
    // place; `is_whole` excludes damage. The path names the file that was checked and no other. wasmtime checks version
    // and configuration itself.
    unsafe {
        match from {
            Trusted::File(file) => Component::deserialize_file(engine, format!("/proc/self/fd/{}", file.as_raw_fd())),
            Trusted::Fresh(compiled) => Component::deserialize(engine, compiled.bytes()),
        }
    }
}
