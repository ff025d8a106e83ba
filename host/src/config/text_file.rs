//! A file that the configuration consists of or names: its text, the location of a byte in it, and whether it keeps a secret.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::StatVfsMountFlags;

use super::problem::{Location, Problems, quoted};

/// The largest file that is read, in bytes. A real one has some kilobytes; more is the wrong file.
const MAX_BYTES: u64 = 1 << 20;

/// How far apart the places of a file are, in bytes, whose line and column are computed once. The location of a byte takes
/// the same time in any file then, and in one long line.
const LANDMARK_BYTES: usize = 1_024;

/// The permission bits of users other than the owner and the group.
const OTHERS: u32 = 0o007;

/// The permission to write, of all but the owner.
const WRITE: u32 = 0o022;

/// A file with text in it, which may be a secret: no `Debug`.
pub(super) struct TextFile {
    pub(super) path: PathBuf,
    pub(super) text: String,
    /// Why it keeps no secret; `None` if it does.
    pub(super) exposure: Option<Exposure>,
    landmarks: OnceCell<Vec<Landmark>>,
}

/// A place in a file, with its line and column from 1.
#[derive(Clone, Copy)]
struct Landmark {
    offset: usize,
    line: usize,
    column: usize,
}

/// The variable that systemd sets for services.
const INVOCATION: &str = "INVOCATION_ID";

/// Why a file keeps no secret, with its permission bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exposure {
    /// Users other than its owner can write it.
    Writable(u32),
    /// Users other than its owner and its group can read it.
    Readable(u32),
}

impl Exposure {
    /// The one rule for the files of all secrets: nobody but the owner can write it, and users other than owner and group can
    /// do nothing with it. Only a file of root on a read-only mount, as a container gets its secrets, may be readable: the
    /// container cannot change it.
    fn of(mode: u32, owned_by_root: bool, read_only_mount: bool) -> Option<Self> {
        if mode & WRITE != 0 {
            return Some(Self::Writable(mode));
        }
        (mode & OTHERS != 0 && !(owned_by_root && read_only_mount)).then_some(Self::Readable(mode))
    }

    /// Returns what is wrong, as the end of a sentence about the file, and the command that helps.
    pub(super) fn explain(self, path: &Path) -> (String, String) {
        let path = path.display();
        match self {
            Self::Writable(mode) => {
                let rights = if mode & 0o004 == 0 { "go-w" } else { "go-w,o-rwx" };
                (format!("can be changed by other users (mode {mode:04o})"), format!("run: chmod {rights} {path}"))
            }
            Self::Readable(mode) => (
                format!("is accessible to every user of this host (mode {mode:04o})"),
                format!("run: chmod o-rwx {path}"),
            ),
        }
    }
}

impl TextFile {
    /// Makes a file of a text, as if nobody else could read it.
    pub(super) fn private(path: &Path, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), exposure: None, landmarks: OnceCell::new() }
    }

    /// Reads a regular file of at most [`MAX_BYTES`].
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        // A FIFO or a device could block or never end, so it is not opened.
        if !path.metadata()?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        // The kernel calls some files regular that block (/proc/kmsg).
        let file =
            File::options().read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
        // Of the open file: the name may point to another one by now.
        let metadata = file.metadata()?;
        // To a systemd service with `ProtectSystem=` every file of the host is on a read-only mount.
        let is_service = std::env::var_os(INVOCATION).is_some();
        let read_only =
            !is_service && rustix::fs::fstatvfs(&file).is_ok_and(|fs| fs.f_flag.contains(StatVfsMountFlags::RDONLY));
        let exposure = Exposure::of(metadata.mode() & 0o7777, metadata.uid() == 0, read_only);
        let mut bytes = Vec::new();
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(io::Error::other(format!("it is larger than {MAX_BYTES} bytes")));
        }
        let text = String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8 text"))?;
        Ok(Self { path: path.to_owned(), text, exposure, landmarks: OnceCell::new() })
    }

    /// Returns the absolute path of a name in this file: relative ones start from its folder.
    pub(super) fn resolve(&self, name: &str) -> PathBuf {
        let path = self.path.parent().unwrap_or(Path::new("")).join(name);
        std::path::absolute(&path).unwrap_or(path)
    }

    /// Returns the location of a byte.
    pub(super) fn location(&self, offset: usize) -> Location {
        let offset = self.text.floor_char_boundary(offset);
        let landmarks = self.landmarks.get_or_init(|| landmarks(&self.text));
        let before = landmarks.partition_point(|landmark| landmark.offset <= offset).saturating_sub(1);
        let near = landmarks.get(before).copied().unwrap_or(Landmark { offset: 0, line: 1, column: 1 });
        let column = near.column + self.text.get(near.offset..offset).unwrap_or_default().chars().count();
        Location { file: self.path.clone(), position: Some((near.line, column)) }
    }

    /// Parses the text as TOML; `None` after reporting what is wrong with it.
    pub(super) fn parse(&self, problems: &Problems) -> Option<toml::de::DeTable<'_>> {
        let (table, errors) = toml::de::DeTable::parse_recoverable(&self.text);
        if errors.is_empty() {
            return Some(table.into_inner());
        }
        let mut lines = BTreeSet::new();
        for error in errors {
            let span = error.span().unwrap_or_default();
            let start = span.start;
            let location = self.location(start);
            let line = location.position.map(|(line, _)| line);
            // The rest of a line rarely makes sense after its first error.
            if lines.insert(line) {
                // Only the message: the error's own Display shows the line, and with it perhaps a secret.
                let mut message = error.message().to_owned();
                if message == "duplicate key" {
                    let key = self.text.get(span).unwrap_or_default().trim_matches(['"', '\'']);
                    message.push_str(&format!(" {}", quoted(key)));
                }
                match quotes_hint(&self.text, start) {
                    Some(hint) => problems.report_with(location, message, hint),
                    None => problems.report(location, message),
                }
            }
        }
        None
    }
}

/// Quotes of a text processor, which TOML does not know.
const CURLY: [char; 8] = ['“', '”', '„', '‟', '‘', '’', '«', '»'];

/// Returns what is wrong with the quotes in the line of a syntax error, if they are the likely cause.
fn quotes_hint(text: &str, error: usize) -> Option<&'static str> {
    let (before, after) = text.split_at_checked(text.floor_char_boundary(error))?;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let end = after.find('\n').map_or(text.len(), |at| before.len() + at);
    let line = text.get(start..end)?;
    let value = line.split_once('=').map_or(line, |(_, value)| value).trim_start_matches(['[', '{', ' ', '\t']);
    if after.starts_with(CURLY) || value.starts_with(CURLY) || line.trim_start().starts_with(CURLY) {
        return Some("write straight quotes: \"…\" or '…'");
    }
    let inside = value.strip_prefix('"').filter(|inside| !inside.starts_with("\"\""))?;
    let escaped = |at: usize| inside.get(..at).is_some_and(|before| before.ends_with('\\'));
    let (close, _) = inside.match_indices('"').find(|(at, _)| !escaped(*at))?;
    let rest = inside.get(close + 1..)?.trim_start();
    let is_nested = rest.contains('"') && !rest.starts_with([',', ']', '}', '#']);
    is_nested.then_some("a string in \"…\" ends at its next \"; write \\\" inside it, or '…' around it")
}

/// Returns the beginning of each line, and more places in long ones.
fn landmarks(text: &str) -> Vec<Landmark> {
    let mut here = Landmark { offset: 0, line: 1, column: 1 };
    let mut landmarks = vec![here];
    let mut last = 0;
    for (offset, character) in text.char_indices() {
        here.offset = offset + character.len_utf8();
        here.column += 1;
        if character == '\n' {
            here = Landmark { offset: here.offset, line: here.line + 1, column: 1 };
        }
        if character == '\n' || here.offset - last >= LANDMARK_BYTES {
            last = here.offset;
            landmarks.push(here);
        }
    }
    landmarks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exposure_has_one_rule() {
        for (mode, writable, readable) in [
            (0o400, false, false),
            (0o600, false, false),
            (0o440, false, false),
            (0o640, false, false),
            (0o444, false, true),
            (0o644, false, true),
            (0o604, false, true),
            (0o601, false, true),
            (0o660, true, false),
            (0o620, true, false),
            (0o602, true, false),
            (0o664, true, false),
            (0o666, true, false),
            (0o777, true, false),
        ] {
            let expected = match (writable, readable) {
                (true, _) => Some(Exposure::Writable(mode)),
                (false, true) => Some(Exposure::Readable(mode)),
                (false, false) => None,
            };
            for (root, read_only) in [(false, false), (true, false), (false, true)] {
                assert_eq!(Exposure::of(mode, root, read_only), expected, "{mode:o}");
            }
            // The secret of a container: a writable one is refused there as well.
            assert_eq!(Exposure::of(mode, true, true), expected.filter(|_| writable), "{mode:o}");
        }
    }

    #[test]
    fn location_counts_characters() {
        let file = TextFile::private(Path::new("c"), "a = 1\né = \"ü\" x");
        let at = |offset| file.location(offset).position.unwrap();
        assert_eq!(at(0), (1, 1));
        assert_eq!(at(6), (2, 1));
        assert_eq!(at(8), (2, 2));
        assert_eq!(at(1000), (2, 10));
        let long = TextFile::private(Path::new("c"), &format!("é{}\nx", "y".repeat(3 * LANDMARK_BYTES)));
        assert_eq!(long.location(2 * LANDMARK_BYTES).position.unwrap(), (1, 2 * LANDMARK_BYTES));
        assert_eq!(long.location(3 * LANDMARK_BYTES + 3).position.unwrap(), (2, 1));
    }

    #[test]
    fn read_notes_open_permissions_and_rejects_other_files() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c");
        std::fs::write(&path, "x").unwrap();
        for (mode, exposure) in [
            (0o640, None),
            (0o600, None),
            (0o644, Some(Exposure::Readable(0o644))),
            (0o602, Some(Exposure::Writable(0o602))),
        ] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(TextFile::read(&path).unwrap().exposure, exposure);
        }
        assert_eq!(TextFile::read(folder.path()).err().unwrap().to_string(), "it is not a regular file");
        std::fs::write(&path, vec![b'#'; 1 << 21]).unwrap();
        assert_eq!(TextFile::read(&path).err().unwrap().to_string(), "it is larger than 1048576 bytes");
        std::fs::write(&path, b"\xff").unwrap();
        assert_eq!(TextFile::read(&path).err().unwrap().to_string(), "it is not UTF-8 text");
    }
}
