//! Where the log goes: stderr (the journal, under systemd), or a bounded file for runs that nobody watches.

use std::fs::OpenOptions;
use std::io::IsTerminal;
use std::os::unix::fs::OpenOptionsExt;

use banhook::store::StateFolder;
use tracing_subscriber::fmt;

/// When the file is longer, it begins anew, in bytes.
const FILE_BYTES: u64 = 1 << 20;

/// Logs to stderr. Without times where the journal adds its own.
pub fn to_stderr() {
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let builder = fmt().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal()).with_target(false);
    // A second call, in tests, changes nothing.
    let _ = if journal { builder.without_time().try_init() } else { builder.try_init() };
}

/// Logs to `banhook.log` in the state folder; without a log, if that cannot be opened: delivering matters more.
pub fn to_file(folder: &StateFolder) {
    let path = folder.log_file();
    let too_long = std::fs::metadata(&path).is_ok_and(|meta| meta.len() > FILE_BYTES);
    let Ok(file) = OpenOptions::new().append(true).create(true).mode(0o600).open(&path) else { return };
    if too_long {
        // Then it goes on growing for this once.
        let _ = file.set_len(0);
    }
    let _ = fmt().with_writer(file).with_ansi(false).with_target(false).try_init();
}
