//! Writes files whole: at every moment the old content is there, or the new one.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;

use tempfile::NamedTempFile;

/// Writes a file, with the directories above it. `owner`: user and group, where they are not those of this process.
pub(super) fn write(path: &Path, content: &[u8], mode: u32, owner: Option<(u32, u32)>) -> io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    let write = || {
        fs::create_dir_all(parent)?;
        // Private from its first byte on: it may be a secret.
        let mut file = NamedTempFile::new_in(parent)?;
        file.write_all(content)?;
        if let Some((user, group)) = owner {
            chown(file.path(), Some(user), Some(group))?;
        }
        file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        fs::File::open(parent)?.sync_all()
    };
    write().map_err(|error| of_path("write", path, &error))
}

/// Writes a file with the owner and mode of another, which may be the one that it replaces.
pub(super) fn write_like(like: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    let meta = fs::metadata(like).map_err(|error| of_path("read", like, &error))?;
    write(path, content, meta.mode() & 0o7777, Some((meta.uid(), meta.gid())))
}

/// Adds to an error what failed, on what.
pub(super) fn of_path(step: &str, path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot {step} {}: {error}", path.display()))
}
