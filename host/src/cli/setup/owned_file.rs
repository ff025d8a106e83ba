//! A file that `setup` writes and `uninstall` removes. Its first line has a checksum of the others: a file that a person has
//! changed is theirs from then on.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::cli::whole_file::of_path;

/// The first line, around the checksum.
const MARK: (&str, &str) =
    ("# Written by `banhook setup`. Change what you want: it then leaves this file alone. [", "]\n");

/// What is at the path of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing.
    Absent,
    /// A file as `setup` wrote it, with the text after its first line.
    Ours(String),
    /// A file that a person wrote or changed, or a package brought.
    Foreign(String),
}

/// Reads what is there.
pub(crate) fn find(path: &Path) -> io::Result<Found> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Absent),
        Err(error) => return Err(of_path("read", path, &error)),
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let marked = text.strip_prefix(MARK.0).and_then(|rest| rest.split_once(MARK.1));
    Ok(match marked {
        Some((sum, body)) if sum == checksum(body) => Found::Ours(body.to_owned()),
        _ => Found::Foreign(text),
    })
}

/// Returns the text of a file with this body: the first line, and the body.
pub(crate) fn marked(body: &str) -> String {
    format!("{}{}{}{body}", MARK.0, checksum(body), MARK.1)
}

fn checksum(body: &str) -> String {
    format!("{:08x}", crc32fast::hash(body.as_bytes()))
}

/// Removes a file, and its directory if that is empty then. Returns false if it was not there.
pub(crate) fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(of_path("remove", path, &error)),
    }
}

/// Returns the place of an absolute path below `root`.
///
/// # Errors
/// When a symbolic link there leads out of `root`.
pub(crate) fn below(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let place = root.join(path.strip_prefix("/").unwrap_or(path));
    let Some(existing) = place.ancestors().find(|path| path.exists()) else { return Ok(place) };
    if existing.canonicalize()?.starts_with(root.canonicalize()?) {
        return Ok(place);
    }
    Err(io::Error::other(format!("{} leads out of {}", existing.display(), root.display())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::cli::whole_file::write;

    #[test]
    fn find_knows_what_setup_wrote_from_what_a_person_changed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new/file");
        assert_eq!(find(&file).unwrap(), Found::Absent);
        write(&file, marked("a = 1\n").as_bytes(), 0o640, None).unwrap();
        assert_eq!(find(&file).unwrap(), Found::Ours("a = 1\n".to_owned()));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o640);
        for changed in ["a = 2\n", "", "a = 1\n\n"] {
            let text = marked("a = 1\n").replace("a = 1\n", changed);
            fs::write(&file, &text).unwrap();
            assert_eq!(find(&file).unwrap(), Found::Foreign(text));
        }
        fs::write(&file, b"\xff").unwrap();
        assert!(matches!(find(&file).unwrap(), Found::Foreign(_)));
        assert!(remove(&file).unwrap() && !remove(&file).unwrap());
    }

    #[test]
    fn below_stays_in_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir(&root).unwrap();
        assert_eq!(below(&root, Path::new("/etc/banhook")).unwrap(), root.join("etc/banhook"));
        std::os::unix::fs::symlink("/etc", root.join("etc")).unwrap();
        assert!(below(&root, Path::new("/etc/banhook")).unwrap_err().to_string().contains("leads out of"));
    }
}
