//! How each log fares, as `status` shows it: those of the configuration, and those that a daemon follows.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use rustix::process::geteuid;
use serde::Serialize;

use crate::accounts::{log_hint, user_name};
use crate::config::{LogSource, is_pattern};
use crate::event::Timestamp;
use crate::receive::tail::{STDIN, matching, named_logs};
use crate::store::LogState;

/// How a log fares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct LogStatus {
    /// How far its file has been read, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// How much of it is not read yet, in bytes; of a log that was rotated meanwhile, without its old file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag: Option<u64>,
    /// The time of its last event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_event_at: Option<Timestamp>,
    /// Why nothing of it is read or understood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem_since: Option<Timestamp>,
}

/// Returns how the logs of these sources fare, and those that a running daemon follows.
pub(super) fn logs(sources: &[LogSource], states: Vec<LogState>, running: bool) -> BTreeMap<String, LogStatus> {
    let states: BTreeMap<_, _> = states.into_iter().map(|state| (state.log.clone(), state)).collect();
    let mut names: Vec<String> = Vec::new();
    for log in sources.iter().flat_map(|source| &source.logs) {
        names.push(log.to_string_lossy().into_owned());
        if is_pattern(log) {
            names.extend(matching(log).iter().map(|log| log.to_string_lossy().into_owned()).filter(|log| {
                // Rotated files are read as part of their log.
                states.contains_key(log)
            }));
        }
    }
    names.extend(states.values().filter(|state| running && state.followed).map(|state| state.log.clone()));
    let sources: Vec<_> = sources.iter().cloned().map(Arc::new).collect();
    let (_, aliases) = named_logs(&sources);
    let shown = |path: &Path| path.to_string_lossy().into_owned();
    let read_as: BTreeMap<_, _> = aliases.iter().map(|alias| (shown(&alias.path), shown(&alias.log))).collect();
    let mut logs: BTreeMap<_, _> = names
        .into_iter()
        .map(|name| {
            let state = states.get(read_as.get(&name).unwrap_or(&name)).cloned().unwrap_or_default();
            let status = status_of(&name, state);
            (name, status)
        })
        .collect();
    for (alias, problem) in aliases.iter().filter_map(|alias| Some((alias, alias.problem()?))) {
        logs.entry(shown(&alias.path)).or_default().problem = Some(problem);
    }
    logs
}

fn status_of(name: &str, state: LogState) -> LogStatus {
    let path = Path::new(name);
    let mut status = LogStatus {
        position: Some(state.checkpoint.offset).filter(|_| state.checkpoint.id != 0),
        lag: None,
        last_event_at: state.last_event_at,
        problem: state.problem,
        problem_since: state.problem_since,
    };
    if name == STDIN {
        return status;
    }
    if is_pattern(path) {
        if matching(path).is_empty() {
            status.problem = Some("no log matches this pattern".to_owned());
        }
        return status;
    }
    let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    match File::options().read(true).custom_flags(nonblock).open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            status.problem = Some("the log does not exist".to_owned());
        }
        Err(error) => {
            let hint = log_hint(&error, path, &user_name(geteuid()));
            status.problem = Some(format!("cannot be read: {error}{hint}"));
        }
    }
    if let Some(position) = status.position
        && let Ok(meta) = fs::metadata(path)
    {
        let is_same = meta.ino() == state.checkpoint.inode;
        status.lag = Some(if is_same { meta.len().saturating_sub(position) } else { meta.len() });
    }
    status
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::store::Checkpoint;

    #[test]
    fn logs_have_position_lag_and_why_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let name = |log: &str| path(log).display().to_string();
        fs::write(path("a.log"), [b'x'; 100]).unwrap();
        let inode = fs::metadata(path("a.log")).unwrap().ino();
        let source = LogSource {
            logs: vec![path("a.log"), path("none.log"), path("b*")],
            timezone: TimeZone::UTC,
            from_start: false,
            host: None,
            tag: None,
            own_hosts: Vec::new(),
        };
        let checkpoint = Checkpoint { id: 1, inode, offset: 30, ..Checkpoint::default() };
        let a = LogState { log: name("a.log"), checkpoint, last_event_at: Some(Timestamp(5)), ..LogState::default() };
        let other = LogState { log: name("c.log"), followed: true, ..LogState::default() };
        let found = logs(&[source], vec![a, other], false);
        assert_eq!(found.keys().cloned().collect::<Vec<_>>(), [name("a.log"), name("b*"), name("none.log")]);
        let a = &found[&name("a.log")];
        assert_eq!((a.position, a.lag, a.last_event_at, &a.problem), (Some(30), Some(70), Some(Timestamp(5)), &None));
        assert_eq!(found[&name("none.log")].problem.as_deref(), Some("the log does not exist"));
        assert_eq!(found[&name("b*")].problem.as_deref(), Some("no log matches this pattern"));
    }
}
