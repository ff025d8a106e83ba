//! Where the log goes: stderr (the journal, under systemd), or a bounded file for runs that nobody watches.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;

use crate::store::{NO_FOLLOW, StateDir};
use tracing_subscriber::fmt;

/// Before the file would be longer, it begins anew, in bytes.
const FILE_BYTES: u64 = 1 << 20;

/// Logs to stderr. Without times where the journal adds its own.
pub fn to_stderr() {
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let builder = fmt().with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).with_target(false);
    // A second call, in tests, changes nothing.
    let _ = if journal { builder.without_time().try_init() } else { builder.try_init() };
}

/// Logs to `banhook.log` in the state folder; without a log, if that cannot be opened: delivering matters more.
pub fn to_file(folder: &StateDir) {
    let Ok(file) = BoundedLogFile::open(&folder.log_file(), FILE_BYTES) else { return };
    let _ = fmt().with_writer(Mutex::new(file)).with_ansi(false).with_target(false).try_init();
}

/// A file that is added to, and begins anew where it would grow beyond its bound. A run may take as long as a webhook is out
/// of reach.
struct BoundedLogFile {
    file: File,
    /// What is in it, as far as this process knows.
    bytes: u64,
    most: u64,
}

impl BoundedLogFile {
    fn open(path: &Path, most: u64) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(NO_FOLLOW).open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { file, bytes, most })
    }
}

impl Write for BoundedLogFile {
    /// A line comes whole, and so stays whole.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let adds = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        if self.bytes > 0 && self.bytes.saturating_add(adds(line.len())) > self.most {
            self.file.set_len(0)?;
            self.bytes = 0;
        }
        let written = self.file.write(line)?;
        self.bytes = self.bytes.saturating_add(adds(written));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_stays_within_its_bound_while_it_is_written() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("banhook.log");
        let read = || std::fs::read_to_string(&path).unwrap();
        let mut log = BoundedLogFile::open(&path, 20).unwrap();
        for number in 10..100 {
            writeln!(log, "line {number}").unwrap();
            assert!(read().len() <= 20 && read().ends_with(&format!("line {number}\n")), "{}", read());
        }
        assert_eq!(read(), "line 98\nline 99\n");
        // The next run goes on with it; what was too long begins anew.
        let mut log = BoundedLogFile::open(&path, 24).unwrap();
        log.write_all(b"line 00\n").unwrap();
        assert_eq!(read(), "line 98\nline 99\nline 00\n");
        BoundedLogFile::open(&path, 23).unwrap().write_all(b"a line that is longer than all\n").unwrap();
        assert_eq!(read(), "a line that is longer than all\n");
        BoundedLogFile::open(&path, 23).unwrap().write_all(b"another\n").unwrap();
        assert_eq!(read(), "another\n");
    }
}
