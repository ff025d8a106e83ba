//! Where the log goes: stderr (the journal, under systemd), or a bounded file for runs that nobody watches.

use std::fs::{File, OpenOptions};
use std::io::IsTerminal;
use std::os::unix::fs::OpenOptionsExt;

use banhook::store::StateFolder;
use tracing_subscriber::fmt;

use super::failure::Failure;

/// When the file is longer, it begins anew, in bytes.
const FILE_BYTES: u64 = 1 << 20;

/// Logs to stderr. Without times where the journal adds its own.
pub fn to_stderr() {
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let builder = fmt().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal()).with_target(false);
    // A second call, in tests, changes nothing.
    let _ = if journal { builder.without_time().try_init() } else { builder.try_init() };
}

/// Logs to `banhook.log` in the state folder.
pub fn to_file(folder: &StateFolder) -> Result<(), Failure> {
    let path = folder.log_file();
    let too_long = std::fs::metadata(&path).is_ok_and(|meta| meta.len() > FILE_BYTES);
    let file: File = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(&path)
        .map_err(|error| Failure::Other(anyhow::anyhow!("cannot open {}: {error}", path.display())))?;
    if too_long {
        file.set_len(0)?;
    }
    let _ = fmt().with_writer(file).with_ansi(false).with_target(false).try_init();
    Ok(())
}
