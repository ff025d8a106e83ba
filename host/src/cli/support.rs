//! `banhook support`: one text for a bug report, with what is known of this installation and nothing secret.
//!
//! A text and no archive: whoever sends it reads it before. All parts are without secrets by themselves; what shares
//! anything with a secret of the configuration is left out once more, and so are addresses.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use super::addresses::replace_addresses;
use super::command_error::{CommandError, Outcome};
use super::config::as_toml;
use super::global_options::{GlobalOptions, host_name};
use crate::accounts::user_name;
use crate::config::Config;
use crate::deliver::Endpoints;
use crate::event::Timestamp;
use crate::message::clean;
use crate::status::{StatusReport, metrics};

/// Bytes of the end of the log.
const LOG_BYTES: u64 = 64 << 10;

/// Messages that are listed.
const MESSAGES_MAX: usize = 50;

/// Prints the text.
pub(super) fn support(global: &GlobalOptions) -> Outcome {
    let (now, config) = (Timestamp::now(), global.config());
    let mut text = String::new();
    section(&mut text, "banhook", &program());
    let shown = match &config {
        Ok(config) => as_toml(&without_texts(config.clone()))?,
        Err(failure) => failure.text(),
    };
    section(&mut text, "configuration", &shown);
    let files: BTreeSet<&Path> = match &config {
        Ok(config) => config.files.iter().map(AsRef::as_ref).collect(),
        Err(_) => BTreeSet::from([global.config.as_path()]),
    };
    section(&mut text, "files of the configuration", &files.into_iter().map(describe).collect::<String>());
    let folder = global.folder()?;
    let mut state: Vec<_> = fs::read_dir(folder.path()).into_iter().flatten().flatten().map(|e| e.path()).collect();
    state.sort();
    let state: String = [folder.path()].into_iter().chain(state.iter().map(AsRef::as_ref)).map(describe).collect();
    section(&mut text, "state directory", &state);
    let config = config.map(Arc::new);
    section(&mut text, "store", &store(global, &config, now).unwrap_or_else(|failure| failure.text()));
    section(&mut text, "end of banhook.log", &end_of(&folder.log_file()).unwrap_or_else(|error| error.to_string()));
    let text = match &config {
        Ok(config) => Endpoints::new(config, &host_name()).without_secrets(&text),
        Err(_) => text,
    };
    let mut out = io::stdout();
    for line in text.lines() {
        writeln!(out, "{}", without_addresses(&clean(line)))?;
    }
    Ok(true)
}

fn section(text: &mut String, title: &str, content: &str) {
    let _ = writeln!(text, "== {title}\n{}\n", content.trim_end());
}

fn program() -> String {
    let system = rustix::system::uname();
    let os_release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("unknown");
    format!(
        "version {}\nsystem {name}, {} {} {}\nuser {}\n",
        env!("CARGO_PKG_VERSION"),
        system.sysname().to_string_lossy(),
        system.release().to_string_lossy(),
        system.machine().to_string_lossy(),
        user_name(rustix::process::geteuid())
    )
}

/// Leaves out texts that may be anything: settings of plugins, and labels.
fn without_texts(mut config: Config) -> Config {
    let settings = config.routes.iter_mut().flat_map(|route| route.settings.values_mut());
    for text in settings.chain(config.labels.values_mut()) {
        *text = format!("({} bytes)", text.len());
    }
    config
}

/// A file with its mode, owner and size.
fn describe(path: &Path) -> String {
    let shown = path.display();
    match fs::symlink_metadata(path) {
        Ok(meta) => {
            format!("{:06o} {}:{} {:>12} {shown}\n", meta.mode(), meta.uid(), meta.gid(), meta.len())
        }
        Err(error) => format!("{shown}: {error}\n"),
    }
}

/// The status as JSON, the messages that are not sent, and the metrics.
fn store(
    global: &GlobalOptions,
    config: &Result<Arc<Config>, CommandError>,
    now: Timestamp,
) -> Result<String, CommandError> {
    let (folder, store) = (global.folder()?, global.existing_store()?.map(|(_, store)| store));
    let known = |_: bool| Some(config.as_ref().map(Arc::clone).map_err(|failure| failure.text()));
    let report = StatusReport::read(&folder, store.as_ref(), known, false)?;
    let mut text = serde_json::to_string_pretty(&report).map_err(anyhow::Error::from)?;
    for message in store.iter().flat_map(|store| store.list_messages(true, true, MESSAGES_MAX)).flatten() {
        let _ = write!(text, "\n{}", serde_json::to_string(&message).map_err(anyhow::Error::from)?);
    }
    let _ = write!(text, "\n{}", metrics(&report, None, now).map_err(anyhow::Error::from)?);
    Ok(text)
}

fn end_of(log: &Path) -> io::Result<String> {
    let mut file = fs::File::open(log)?;
    let begin = file.metadata()?.len().saturating_sub(LOG_BYTES);
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.take(LOG_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Leaves out addresses and networks, but for loopback.
fn without_addresses(line: &str) -> String {
    replace_addresses(line, |_, net| {
        let address = net.addr();
        (!address.is_loopback() && !address.is_unspecified()).then(|| "[address]".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_left_out_but_for_loopback() {
        for (line, expected) in [
            ("ban of 203.0.113.7.", "ban of [address]."),
            ("at 203.0.113.7:443, 2001:db8::1", "at [address]:443, [address]"),
            ("[2001:db8::1]:443", "[[address]]:443"),
            ("127.0.0.1:8065 and ::1 at 10:56:55.5", "127.0.0.1:8065 and ::1 at 10:56:55.5"),
            ("version 0.1.0, cafe: é", "version 0.1.0, cafe: é"),
            ("203.0.113.0/24", "[address]"),
        ] {
            assert_eq!(without_addresses(line), expected);
        }
    }
}
