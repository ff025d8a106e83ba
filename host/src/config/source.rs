//! A configuration file: its text, where a byte of it stands, and who can read it.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::problem::{Location, Problems, quoted};

/// Bytes. The largest real one is some kilobytes; more is the wrong file.
const LARGEST: u64 = 1 << 20;

/// Permission bits of those who are neither owner nor group.
const OTHERS: u32 = 0o007;

/// A file with text in it. That may be a secret: no `Debug`.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) text: String,
    /// The permission bits, if others than its owner and group have any.
    pub(super) open_to_others: Option<u32>,
}

impl Source {
    /// Text that lies in no file that others could read.
    pub(super) fn private(path: &Path, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), open_to_others: None }
    }

    /// Reads a regular file of at most `LARGEST` bytes.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        // A FIFO or a device would block or never end, so it is not even opened.
        if !path.metadata()?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let file = File::open(path)?;
        // Of what was opened, whatever the name points to by now.
        let mode = file.metadata()?.mode() & 0o7777;
        let mut bytes = Vec::new();
        file.take(LARGEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LARGEST {
            return Err(io::Error::other(format!("it is larger than {LARGEST} bytes")));
        }
        let text = String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8 text"))?;
        Ok(Self { path: path.to_owned(), text, open_to_others: (mode & OTHERS != 0).then_some(mode) })
    }

    /// The path of what this file names: relative ones start from its folder.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        let path = self.path.parent().unwrap_or(Path::new("")).join(name);
        std::path::absolute(&path).unwrap_or(path)
    }

    /// The spot of a byte.
    pub(super) fn place(&self, offset: usize) -> Location {
        let before = self.text.get(..self.text.floor_char_boundary(offset)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Location { file: self.path.clone(), position: Some((line, column)) }
    }

    /// The text as TOML; `None` after reporting what is wrong with it.
    pub(super) fn parse(&self, problems: &Problems) -> Option<toml::de::DeTable<'_>> {
        let (table, errors) = toml::de::DeTable::parse_recoverable(&self.text);
        if errors.is_empty() {
            return Some(table.into_inner());
        }
        let mut lines = Vec::new();
        for error in errors {
            let span = error.span().unwrap_or_default();
            let place = self.place(span.start);
            let line = place.position.map(|(line, _)| line);
            // The rest of a line rarely makes sense after its first error.
            if !lines.contains(&line) {
                lines.push(line);
                // Only the message: the error's own Display shows the line, and with it perhaps a secret.
                let mut message = error.message().to_owned();
                if message == "duplicate key" {
                    let key = self.text.get(span).unwrap_or_default().trim_matches(['"', '\'']);
                    message.push_str(&format!(" {}", quoted(key)));
                }
                problems.report(place, message);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters() {
        let source = Source::private(Path::new("c"), "a = 1\né = \"ü\" x");
        let at = |offset| source.place(offset).position.unwrap();
        assert_eq!(at(0), (1, 1));
        assert_eq!(at(6), (2, 1));
        assert_eq!(at(8), (2, 2));
        assert_eq!(at(1000), (2, 10));
    }

    #[test]
    fn who_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c");
        std::fs::write(&path, "x").unwrap();
        for (mode, open) in [(0o640, None), (0o600, None), (0o644, Some(0o644)), (0o602, Some(0o602))] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(Source::read(&path).unwrap().open_to_others, open);
        }
        assert_eq!(Source::read(folder.path()).err().unwrap().to_string(), "it is not a regular file");
        std::fs::write(&path, vec![b'#'; 1 << 21]).unwrap();
        assert_eq!(Source::read(&path).err().unwrap().to_string(), "it is larger than 1048576 bytes");
        std::fs::write(&path, b"\xff").unwrap();
        assert_eq!(Source::read(&path).err().unwrap().to_string(), "it is not UTF-8 text");
    }
}
