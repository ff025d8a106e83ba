//! Where the log goes: stderr (the journal, under systemd), or a bounded file for short runs.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;

use crate::store::{NO_FOLLOW, StateDir};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, format};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The longest log file, in bytes; before it would grow longer, it starts from empty.
const FILE_BYTES: u64 = 1 << 20;

/// Bytes of one line; a plugin, a log or a webhook may have written part of it.
const LINE_BYTES: usize = 4 << 10;

/// Ends a line that is cut.
const CUT: &[u8] = " …\n".as_bytes();

/// Logs to stderr. To the journal with a priority, and without times, since it adds its own.
pub(super) fn to_stderr() {
    let builder = fmt().with_writer(|| CutLines(io::stderr())).with_ansi(io::stderr().is_terminal()).with_target(false);
    // A second call, in tests, changes nothing.
    let _ = if is_journal() {
        let builder = builder.event_format(WithPriority(format().with_ansi(false).with_target(false).without_time()));
        builder.finish().with(own_events()).try_init()
    } else {
        builder.finish().with(own_events()).try_init()
    };
}

/// Returns whether stderr is the stream to the journal: processes inherit the variable, and may write elsewhere.
fn is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let stderr = rustix::fs::fstat(io::stderr());
    stderr.is_ok_and(|stderr| stream == format!("{}:{}", stderr.st_dev, stderr.st_ino))
}

/// Begins each line with its priority, as `sd-daemon(3)` has it: `<4>`.
struct WithPriority<F>(F);

impl<S, N, F> FormatEvent<S, N> for WithPriority<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: format::Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            _ => 7,
        };
        write!(writer, "<{priority}>")?;
        self.0.format_event(context, writer, event)
    }
}

/// Logs to `banhook.log` in the state directory; logs nothing if that cannot be opened, since delivering matters more.
pub(super) fn to_file(folder: &StateDir) {
    let Ok(file) = BoundedLogFile::open(&folder.log_file(), FILE_BYTES) else { return };
    let builder = fmt().with_writer(Mutex::new(CutLines(file))).with_ansi(false).with_target(false);
    let _ = builder.finish().with(own_events()).try_init();
}

/// What is logged: all but what the library for the broker says of each connection, which banhook says in its own words.
fn own_events() -> Targets {
    Targets::new().with_default(LevelFilter::INFO).with_target("async_nats", LevelFilter::OFF)
}

/// Cuts each line that is longer than `LINE_BYTES`.
struct CutLines<W>(W);

impl<W: Write> Write for CutLines<W> {
    /// Writes a line. Each call is one whole line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if line.len() <= LINE_BYTES {
            return self.0.write(line);
        }
        let begins = |at: &usize| line.get(*at).is_some_and(|byte| byte & 0b1100_0000 != 0b1000_0000);
        let end = (0..=LINE_BYTES).rev().find(begins).unwrap_or(LINE_BYTES);
        let kept = line.get(..end).unwrap_or(line);
        self.0.write_all(&[kept, CUT].concat())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A file that is appended to, and truncated where it would grow beyond its bound: a run may last as long as a webhook
/// cannot be reached.
struct BoundedLogFile {
    file: File,
    /// Its length, as far as this process knows.
    bytes: u64,
    max_bytes: u64,
}

impl BoundedLogFile {
    fn open(path: &Path, max_bytes: u64) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(NO_FOLLOW).open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { file, bytes, max_bytes })
    }
}

impl Write for BoundedLogFile {
    /// Writes a line. Each call is one whole line, so none is cut in two.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let length = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        if self.bytes > 0 && self.bytes.saturating_add(length(line.len())) > self.max_bytes {
            self.file.set_len(0)?;
            self.bytes = 0;
        }
        let written = self.file.write(line)?;
        self.bytes = self.bytes.saturating_add(length(written));
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
    fn cut_lines_long_line_is_cut_between_characters() {
        let written = |line: &str| {
            let mut log = CutLines(Vec::new());
            log.write_all(line.as_bytes()).unwrap();
            String::from_utf8(log.0).unwrap()
        };
        let whole = format!("{}\n", "x".repeat(LINE_BYTES - 1));
        assert_eq!(written(&whole), whole);
        for first in ["", "x", "xx"] {
            let cut = written(&format!("{first}{}\n", "€".repeat(LINE_BYTES)));
            assert!(cut.ends_with("€ …\n") && cut.len() <= LINE_BYTES + CUT.len(), "{} bytes", cut.len());
            assert!(cut.len() > LINE_BYTES - 3, "{} bytes", cut.len());
        }
    }

    #[test]
    fn bounded_log_file_is_truncated_before_it_exceeds_its_bound() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("banhook.log");
        let read = || std::fs::read_to_string(&path).unwrap();
        let mut log = BoundedLogFile::open(&path, 20).unwrap();
        for number in 10..100 {
            writeln!(log, "line {number}").unwrap();
            assert!(read().len() <= 20 && read().ends_with(&format!("line {number}\n")), "{}", read());
        }
        assert_eq!(read(), "line 98\nline 99\n");
        // The next run appends to it; a line that is too long truncates it.
        let mut log = BoundedLogFile::open(&path, 24).unwrap();
        log.write_all(b"line 00\n").unwrap();
        assert_eq!(read(), "line 98\nline 99\nline 00\n");
        BoundedLogFile::open(&path, 23).unwrap().write_all(b"a line that is longer than all\n").unwrap();
        assert_eq!(read(), "a line that is longer than all\n");
        BoundedLogFile::open(&path, 23).unwrap().write_all(b"another\n").unwrap();
        assert_eq!(read(), "another\n");
    }
}
