//! The errors of the state directory, each with what an administrator can do about it.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// A step in the state directory that failed. Everything stored before is intact.
///
/// The texts are whole sentences that include the reason; no variant has a source that would repeat it.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    /// The disk is full.
    #[error("cannot {} {path}: the disk is full; free some space there (everything stored before is intact)", placed(step), path = path.display())]
    Full {
        /// The step, as a verb.
        step: &'static str,
        /// The state directory.
        path: PathBuf,
    },
    /// The directory or a file in it cannot be opened, created or written.
    #[error("cannot {step} {path}: {reason}{hint}", path = path.display(), hint = hint(reason))]
    Access {
        /// The step, as a verb.
        step: &'static str,
        /// The directory or file.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// Users other than the owner may write the directory or a file in it.
    #[error("others than its owner may write {path} (mode {mode:04o}), and so decide what banhook sends and runs; run: chmod go-w {path}", path = path.display())]
    WritableByOthers {
        /// The directory or file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The directory was removed or created again while a process was using it.
    #[error("the state directory {path} was removed or replaced while banhook was using it, and its contents are lost; start banhook again", path = path.display())]
    Removed {
        /// The state directory.
        path: PathBuf,
    },
    /// The disk, or its driver, has failed. It may have been for a moment.
    #[error("cannot {} {path}: the disk failed ({reason}); the kernel's log says more (dmesg); run banhook again once it works, and move nothing away: what is stored stays as it is", placed(step), path = path.display())]
    Disk {
        /// The step, as a verb.
        step: &'static str,
        /// The state directory, or a file in it.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The file system has no room for another file.
    #[error("cannot {} {path}: the file system has no free inodes (df -i); remove files there (everything stored before is intact)", placed(step), path = path.display())]
    Inodes {
        /// The step, as a verb.
        step: &'static str,
        /// The state directory.
        path: PathBuf,
    },
}

impl StateDirError {
    /// Classifies an error of the system's on `path`, in the state directory at `folder`.
    #[must_use]
    pub fn new(step: &'static str, folder: &Path, path: &Path, reason: io::Error) -> Self {
        match Errno::from_io_error(&reason) {
            Some(Errno::NOSPC | Errno::DQUOT) => {
                let has_inodes = rustix::fs::statvfs(folder).is_ok_and(|fs| fs.f_files == 0 || fs.f_favail > 0);
                let folder = folder.to_owned();
                return if has_inodes {
                    Self::Full { step, path: folder }
                } else {
                    Self::Inodes { step, path: folder }
                };
            }
            Some(Errno::IO | Errno::NXIO | Errno::NODEV | Errno::STALE | Errno::TIMEDOUT) => {
                return Self::Disk { step, path: path.to_owned(), reason: reason.to_string() };
            }
            _ => {}
        }
        // Every file of the store is created where it is missing, after the directory itself.
        if reason.kind() == io::ErrorKind::NotFound && matches!(folder.try_exists(), Ok(false)) {
            return Self::Removed { path: folder.to_owned() };
        }
        Self::Access { step, path: path.to_owned(), reason }
    }
}

/// A step with the word that a place follows.
fn placed(step: &str) -> String {
    if [" in", " from"].iter().any(|word| step.ends_with(word)) { step.to_owned() } else { format!("{step} in") }
}

/// What to do about the system's reason; empty where nothing general helps.
fn hint(reason: &io::Error) -> &'static str {
    match Errno::from_io_error(reason) {
        Some(Errno::ACCESS | Errno::PERM) => {
            "; run banhook as root or as the folder's owner, or give the folder to the user that banhook runs as: chown -R USER: FOLDER"
        }
        Some(Errno::ROFS | Errno::NOTDIR | Errno::EXIST) => "; choose another folder with --state-dir",
        Some(Errno::MFILE) => "; allow banhook more open files (LimitNOFILE= in its unit, or ulimit -n)",
        Some(Errno::NFILE) => "; the system has no free file handles (sysctl fs.file-max)",
        Some(Errno::NOMEM) => "; the system has no free memory; run banhook again later",
        Some(Errno::NOLCK | Errno::NOSYS) => {
            "; locks do not work there; choose a folder on a local file system with --state-dir"
        }
        Some(Errno::LOOP) => "; a symbolic link is in its place: remove it",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_class_of_the_error_decides_the_hint() {
        let dir = tempfile::tempdir().unwrap();
        let (here, missing) = (dir.path().to_owned(), dir.path().join("missing"));
        for (errno, folder, words) in [
            (Errno::NOENT, &missing, "removed or replaced"),
            (Errno::NOENT, &here, "No such file"),
            (Errno::IO, &missing, "the disk failed"),
            (Errno::IO, &here, "move nothing away"),
            (Errno::MFILE, &here, "LimitNOFILE"),
            (Errno::ACCESS, &here, "chown -R"),
            (Errno::ROFS, &here, "--state-dir"),
            (Errno::NOSPC, &here, "the disk is full"),
            (Errno::NOLCK, &here, "local file system"),
        ] {
            let text = StateDirError::new("open", folder, &folder.join("banhook.sqlite3"), errno.into()).to_string();
            assert!(text.contains(words), "{errno}: no {words:?} in {text:?}");
            assert!(!text.contains("chown") || words.contains("chown"), "{errno}: {text}");
        }
    }
}
