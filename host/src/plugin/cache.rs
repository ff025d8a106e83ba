//! Compiled components on disk, so that a daemon with many plugins is ready at once.
//!
//! Compiled code is run as it is: whoever can write it can run anything as us. So the folder must be ours alone, a
//! file must be ours, plain and not writable by others, its checksum must match, and its name is the hash of the
//! component, of wasmtime's version and of every setting that shapes the code. Whatever is odd is compiled anew.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

/// Begins each file, and changes with its format: then come 32 bytes of SHA-256, then the compiled component.
const MAGIC: &[u8] = b"banhook compiled component 1\n";
const HEADER: usize = MAGIC.len() + 32;

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

    /// The component, if it was compiled by an engine like this one.
    pub(super) fn get(&self, engine: &Engine, wasm: &[u8]) -> Option<Component> {
        let bytes = read_own(&self.file(engine, wasm)).ok()?;
        let (header, compiled) = bytes.split_at_checked(HEADER)?;
        let (magic, checksum) = header.split_at_checked(MAGIC.len())?;
        if magic != MAGIC || checksum != Sha256::digest(compiled).as_slice() {
            return None;
        }
        deserialize(engine, compiled)
    }

    /// Keeps a compiled component: whole, or not at all.
    pub(super) fn put(&self, engine: &Engine, wasm: &[u8], component: &Component) -> io::Result<()> {
        let compiled = component.serialize().map_err(io::Error::other)?;
        // Mode 0600, in the same folder, so that the rename is atomic. Not synced: the checksum catches damage.
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(MAGIC)?;
        file.write_all(&Sha256::digest(&compiled))?;
        file.write_all(&compiled)?;
        file.persist(self.file(engine, wasm))?;
        Ok(())
    }

    fn file(&self, engine: &Engine, wasm: &[u8]) -> PathBuf {
        // wasmtime's version and configuration, as it hashes them itself.
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let name: String = Sha256::digest(wasm).iter().map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(format!("{name}-{:016x}.cwasm", hasher.finish()))
    }
}

/// Reads a file that is ours: a plain file behind no link, with one name, which nobody else can write.
fn read_own(path: &Path) -> io::Result<Vec<u8>> {
    let mut file: File = OpenOptions::new()
        .read(true)
        .custom_flags((rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits().cast_signed())
        .open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() || meta.uid() != own_uid() || meta.mode() & 0o022 != 0 || meta.nlink() != 1 {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or_default());
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[allow(unsafe_code, reason = "the one place in banhook")]
fn deserialize(engine: &Engine, compiled: &[u8]) -> Option<Component> {
    // SAFETY: `Component::deserialize` trusts that wasmtime itself wrote these bytes. `Cache::open` and `read_own`
    // uphold it: only this user can have written the file, `put` is the only code that does, and it writes what
    // `Component::serialize` gave; the checksum excludes damage. The bytes are a private copy, so the file may
    // change meanwhile. wasmtime checks version and configuration itself.
    unsafe { Component::deserialize(engine, compiled) }.ok()
}
