//! The heartbeat: what fail2ban answered when it was last asked. Only root may ask it, and a daemon is not root: a timer asks,
//! and leaves the answer in the file `heartbeat` of the state directory, in the place of the one before.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use banhook_notify::{StateDir, StateDirError};
use serde::{Deserialize, Serialize};

use super::fail2ban_client::{NoAnswer, ask, jails};
use crate::event::Timestamp;
use crate::phrase::counted;

/// How long each answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// How long a file may be, in bytes.
const FILE_BYTES: usize = 4 << 10;

/// How much is kept of what the client said, in characters.
const REASON_CHARS: usize = 200;

/// What fail2ban answered, as JSON in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Heartbeat {
    /// When it was asked, in ms since 1970.
    pub at: i64,
    /// How many jails it has; absent: it did not answer.
    pub jails: Option<u64>,
    /// How many addresses are banned now, counted once in each jail.
    pub banned: Option<u64>,
    /// Why there was no answer.
    pub problem: Option<String>,
    /// When its log last grew, in ms since 1970; absent: it has none, or it is no file.
    pub log_grew_at: Option<i64>,
}

impl Heartbeat {
    /// Asks fail2ban; returns within half a minute.
    ///
    /// # Errors
    /// When it could not be asked, so that nothing is known of it.
    pub(crate) fn ask(now: Timestamp) -> Result<Self, NoAnswer> {
        let mut heartbeat = Self { at: now.0, jails: None, banned: None, problem: None, log_grew_at: None };
        match jails(ANSWER_LIMIT) {
            Ok(jails) => heartbeat.jails = Some(jails.len() as u64),
            Err(why @ (NoAnswer::NotInstalled | NoAnswer::Denied)) => return Err(why),
            Err(why) => {
                heartbeat.problem = Some(reason(why));
                return Ok(heartbeat);
            }
        }
        heartbeat.banned = ask(&["banned"], ANSWER_LIMIT).ok().map(|answer| count_subjects(&answer));
        heartbeat.log_grew_at = ask(&["get", "logtarget"], ANSWER_LIMIT).ok().and_then(|answer| {
            let log = answer.lines().next_back()?.trim_start_matches("`-").trim();
            grew_at(Path::new(log))
        });
        Ok(heartbeat)
    }

    /// Reads what the timer left; `None` if there is nothing, or it cannot be read.
    pub(crate) fn read(folder: &StateDir) -> Option<Self> {
        let bytes = fs::read(folder.heartbeat()).ok().filter(|bytes| bytes.len() <= FILE_BYTES)?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Replaces what is there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write(&self, folder: &StateDir) -> Result<(), StateDirError> {
        replace(folder, serde_json::json!(self).to_string().as_bytes())
    }
}

/// Has the packaged timer ask fail2ban, which it does where there is a heartbeat; or have it stop. What is there stays.
///
/// # Errors
/// When the system fails.
pub(crate) fn request(folder: &StateDir, is_wanted: bool) -> Result<(), StateDirError> {
    let file = folder.heartbeat();
    match (is_wanted, file.exists()) {
        (true, false) => replace(folder, b""),
        (false, true) => fs::remove_file(&file).map_err(|error| folder.error("remove", &file, error)),
        _ => Ok(()),
    }
}

fn replace(folder: &StateDir, content: &[u8]) -> Result<(), StateDirError> {
    let (file, new) = (folder.heartbeat(), folder.heartbeat().with_extension("new"));
    let write = || {
        // One that was left there is not written through.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        folder.open_private(&new).map_err(io::Error::other)?.write_all(content)?;
        fs::rename(&new, &file)
    };
    write().map_err(|error| folder.error("write", &file, error))
}

fn reason(why: NoAnswer) -> String {
    match why {
        NoAnswer::NotRunning => "it does not run".to_owned(),
        NoAnswer::NotInstalled | NoAnswer::Denied => "it could not be asked".to_owned(),
        NoAnswer::Late => format!("no answer within {}", counted(ANSWER_LIMIT.as_secs(), "second")),
        NoAnswer::Refused(said) => said.chars().take(REASON_CHARS).collect(),
    }
}

fn grew_at(log: &Path) -> Option<i64> {
    let meta = fs::metadata(log).ok().filter(fs::Metadata::is_file)?;
    i64::try_from(meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}

/// Counts the subjects in `[{'sshd': ['192.0.2.1', '192.0.2.2']}, {'nginx': []}]`, which is how Python writes it: a text is in
/// single quotes, or in double ones if it has a single one, with backslashes before what would end it. One before a colon is
/// the name of a jail.
fn count_subjects(answer: &str) -> u64 {
    let (mut count, mut rest) = (0, answer);
    while let Some((begin, quote)) = rest.char_indices().find(|(_, char)| ['\'', '"'].contains(char)) {
        let inner = rest.get(begin + 1..).unwrap_or_default();
        let mut is_escaped = false;
        let end = inner.char_indices().find(|(_, char)| {
            let ends = !is_escaped && *char == quote;
            is_escaped = !is_escaped && *char == '\\';
            ends
        });
        let Some((end, _)) = end else { break };
        rest = inner.get(end + 1..).unwrap_or_default();
        count += u64::from(!rest.trim_start().starts_with(':'));
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn count_subjects_of_the_answers_of_fail2ban() {
        for (answer, count) in [
            ("[]\n", 0),
            ("[{'sshd': []}]", 0),
            ("[{'sshd': ['192.0.2.1', '2001:db8::/64']}, {'nginx': ['192.0.2.1']}]", 3),
            (r#"[{'users': ["it's", 'a\': [\'b', "c\\"]}]"#, 3),
            ("[{'sshd': ['192.0.2.1", 0),
        ] {
            assert_eq!(count_subjects(answer), count, "{answer}");
        }
    }

    #[test]
    fn heartbeat_is_read_as_it_was_written_and_damaged_is_none() {
        let temp = tempfile::tempdir().unwrap();
        let folder = StateDir::new(temp.path());
        assert_eq!(Heartbeat::read(&folder), None);
        request(&folder, true).unwrap();
        assert_eq!(Heartbeat::read(&folder), None);
        let written =
            Heartbeat { at: 7, jails: Some(5), banned: None, problem: Some("a\n\"".into()), log_grew_at: Some(3) };
        written.write(&folder).unwrap();
        request(&folder, true).unwrap();
        assert_eq!(Heartbeat::read(&folder), Some(written));
        let text = fs::read(folder.heartbeat()).unwrap();
        fs::write(folder.heartbeat(), &text[..text.len() / 2]).unwrap();
        assert_eq!(Heartbeat::read(&folder), None);
        request(&folder, false).unwrap();
        assert!(!folder.heartbeat().exists());
    }

    #[test]
    fn write_does_not_follow_a_link_that_somebody_left() {
        let temp = tempfile::tempdir().unwrap();
        let (folder, other) = (StateDir::new(temp.path()), temp.path().join("other"));
        fs::write(&other, "kept").unwrap();
        std::os::unix::fs::symlink(&other, folder.heartbeat()).unwrap();
        std::os::unix::fs::symlink(&other, folder.heartbeat().with_extension("new")).unwrap();
        Heartbeat { at: 1, jails: None, banned: None, problem: None, log_grew_at: None }.write(&folder).unwrap();
        assert_eq!(fs::read_to_string(other).unwrap(), "kept");
        assert_eq!(Heartbeat::read(&folder).unwrap().at, 1);
    }
}
