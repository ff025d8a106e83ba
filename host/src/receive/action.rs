//! The arguments of `banhook notify`, as fail2ban's action passes them.
//!
//! An attacker chooses some of the values and fail2ban's version others, and a ban must not be lost over either:
//! only a missing word or jail is refused. A bad optional value, an option of a newer action file, a tag that
//! this fail2ban does not know (it is left as `<bancount>`): absent, with a warning where it is odd.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::event::readable::{MAX_TEXT_BYTES, cut, readable};
use crate::event::{Ban, BanDuration, Event, EventDetails, Kind, Timestamp};

/// What to store, and what was odd about the arguments.
#[derive(Debug, PartialEq, Eq)]
pub struct ActionArguments {
    kind: Kind,
    jail: String,
    host: String,
    ban: Ban,
    /// Start no run, though nothing is at work.
    pub no_spawn: bool,
    /// `--config`, for the run that is started.
    pub config: Option<PathBuf>,
    /// `--state-dir`.
    pub state_dir: Option<PathBuf>,
    /// One line each, for stderr.
    pub warnings: Vec<String>,
}

/// Arguments that name no event.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ArgumentError {
    /// No word at all.
    #[error("notify: say what happened: start, stop, flush, ban or unban")]
    MissingKind,
    /// A word that is none of the five.
    #[error("notify: unknown word \"{}\"; it is start, stop, flush, ban or unban", .0.escape_debug())]
    UnknownWord(String),
    /// No jail, an empty one, or the literal tag.
    #[error("notify: --jail is missing or empty; the action file passes it as --jail=\"<name>\"")]
    NoJail,
}

impl ActionArguments {
    /// Parses what follows `notify`: the word and the options, in any order, `--jail=sshd` or `--jail sshd`.
    ///
    /// # Errors
    /// When the word or the jail is missing.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, ArgumentError> {
        let mut word = None;
        let mut parsed = Self {
            kind: Kind::Start,
            jail: String::new(),
            host: String::new(),
            ban: Ban::default(),
            no_spawn: false,
            config: None,
            state_dir: None,
            warnings: Vec::new(),
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let bytes = argument.as_bytes();
            let Some(option) = bytes.strip_prefix(b"--") else {
                match word {
                    None => word = Some(readable(bytes).into_owned()),
                    Some(_) => parsed.warn(&format!("ignored \"{}\"", readable(bytes).escape_debug())),
                }
                continue;
            };
            if option == b"no-spawn" {
                parsed.no_spawn = true;
            } else if let Some(at) = option.iter().position(|byte| *byte == b'=') {
                let (name, value) = option.split_at(at);
                parsed.set(name, OsStr::from_bytes(value.get(1..).unwrap_or_default()));
            } else {
                let value = arguments.next().unwrap_or_default();
                parsed.set(option, &value);
            }
        }
        let word = word.ok_or(ArgumentError::MissingKind)?;
        parsed.kind = Kind::parse(&word).ok_or(ArgumentError::UnknownWord(word))?;
        if parsed.jail.is_empty() || parsed.jail == "<name>" {
            return Err(ArgumentError::NoJail);
        }
        Ok(parsed)
    }

    /// The event that the arguments tell of.
    #[must_use]
    pub fn into_event(self, id: String, at: Timestamp) -> Event {
        Event {
            id,
            at,
            host: self.host,
            jail: self.jail,
            details: match self.kind {
                Kind::Start => EventDetails::Start,
                Kind::Stop => EventDetails::Stop,
                Kind::Flush => EventDetails::Flush,
                Kind::Ban => EventDetails::Ban(self.ban),
                Kind::Unban => EventDetails::Unban(self.ban),
            },
            labels: std::collections::BTreeMap::new(),
        }
    }

    fn set(&mut self, name: &[u8], given: &OsStr) {
        let (name, value) = (&*readable(name), &*readable(given.as_bytes()));
        match name {
            "config" => self.config = Some(given.into()),
            "state-dir" => self.state_dir = Some(given.into()),
            "jail" => self.jail = self.text(name, value),
            "host" => self.host = self.text(name, value),
            "ip" if value != "<ip>" && value != "<fid>" => self.ban.subject = self.text(name, value),
            "ip" => {}
            "failures" => self.ban.failures = self.number(name, value),
            "bancount" => self.ban.count = self.number(name, value),
            "bantime" if value.trim().starts_with('-') && value.trim().parse::<f64>().is_ok() => {
                self.ban.duration = Some(BanDuration::Permanent);
            }
            "bantime" => self.ban.duration = self.number(name, value).map(BanDuration::Seconds),
            "time" => self.ban.ticket_at = self.optional(name, value, Timestamp::from_epoch_seconds(value)),
            "restored" => {
                let flag = match value {
                    "1" => Some(true),
                    "0" => Some(false),
                    _ => None,
                };
                self.ban.restored = self.optional(name, value, flag).unwrap_or(false);
            }
            _ => self.warn(&format!("ignored the unknown option --{}", cut(name, 100).escape_debug())),
        }
    }

    /// A whole number, saturating; fail2ban writes some of them as `600.0`.
    fn number(&mut self, name: &str, value: &str) -> Option<u32> {
        let number = value.trim().parse::<f64>().ok().filter(|number| *number >= 0.0);
        // The cast saturates and drops the fraction, which is what is wanted; NaN is filtered out above.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        self.optional(name, value, number.map(|number| number as u32))
    }

    fn text(&mut self, name: &str, value: &str) -> String {
        if value.len() <= MAX_TEXT_BYTES {
            return value.to_owned();
        }
        self.warn(&format!("--{name} has {} bytes; kept the first {MAX_TEXT_BYTES}", value.len()));
        format!("{}…", cut(value, MAX_TEXT_BYTES))
    }

    fn optional<T>(&mut self, name: &str, value: &str, parsed: Option<T>) -> Option<T> {
        if parsed.is_none() && !value.is_empty() && !is_literal_tag(value) {
            self.warn(&format!("--{name} has no use for \"{}\"; stored without it", cut(value, 100).escape_debug()));
        }
        parsed
    }

    fn warn(&mut self, warning: &str) {
        self.warnings.push(format!("notify: {warning}"));
    }
}

/// A tag that this version of fail2ban does not know is left as it stands in the action file.
fn is_literal_tag(value: &str) -> bool {
    value
        .strip_prefix('<')
        .and_then(|rest| rest.strip_suffix('>'))
        .is_some_and(|tag| tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn parse(arguments: &[&str]) -> Result<ActionArguments, ArgumentError> {
        ActionArguments::parse(arguments.iter().map(OsString::from))
    }

    fn json(arguments: &[&str]) -> String {
        parse(arguments).unwrap().into_event(String::new(), Timestamp(0)).to_json()
    }

    #[test]
    fn everything_that_the_action_file_passes() {
        assert_eq!(
            json(&[
                "ban",
                "--jail=sshd",
                "--ip=203.0.113.7",
                "--failures=5",
                "--time=1763809015.601",
                "--bantime=600",
                "--bancount=2",
                "--restored=1",
                "--host=web-1",
            ]),
            r#"{"action":"ban","at":"1970-01-01T00:00:00.000Z","host":"web-1","jail":"sshd","subject":"203.0.113.7","family":"ipv4","failures":5,"count":2,"duration":600,"restored":true,"ticket_at":"2025-11-22T10:56:55.601Z"}"#
        );
        assert_eq!(
            json(&["--jail", "sshd", "start"]),
            r#"{"action":"start","at":"1970-01-01T00:00:00.000Z","jail":"sshd"}"#
        );
    }

    #[test]
    fn values_that_are_numbers_in_other_ways() {
        let ban = |bantime: &str| parse(&["ban", "--jail=j", bantime]).unwrap().ban.duration;
        assert_eq!(ban("--bantime=-1"), Some(BanDuration::Permanent));
        assert_eq!(ban("--bantime=600.0"), Some(BanDuration::Seconds(600)));
        assert_eq!(ban("--bantime=1e99"), Some(BanDuration::Seconds(u32::MAX)));
    }

    #[test]
    fn tags_that_fail2ban_left_are_absent_without_a_word() {
        let parsed = parse(&[
            "ban",
            "--jail=j",
            "--ip=<ip>",
            "--failures=<failures>",
            "--bantime=<bantime>",
            "--bancount=<bancount>",
            "--restored=<restored>",
            "--time=<time>",
        ]);
        let parsed = parsed.unwrap();
        assert_eq!((parsed.ban, parsed.warnings), (Ban::default(), vec![]));
    }

    #[test]
    fn bad_optional_values_are_absent_with_a_warning() {
        let parsed = parse(&[
            "ban",
            "--jail=j",
            "--failures=many",
            "--bantime=-x",
            "--time=nan",
            "--restored=2",
            "--new=1",
            "more",
        ]);
        let parsed = parsed.unwrap();
        assert_eq!(parsed.ban, Ban::default());
        assert_eq!(parsed.warnings.len(), 6, "{:?}", parsed.warnings);
        assert_eq!(parsed.warnings[0], "notify: --failures has no use for \"many\"; stored without it");
    }

    #[test]
    fn only_a_missing_word_or_jail_is_refused() {
        assert_eq!(parse(&[]), Err(ArgumentError::MissingKind));
        assert_eq!(parse(&["--jail=j"]), Err(ArgumentError::MissingKind));
        assert_eq!(parse(&["bann", "--jail=j"]), Err(ArgumentError::UnknownWord("bann".into())));
        for jail in [&["ban"][..], &["ban", "--jail="], &["ban", "--jail"], &["ban", "--jail=<name>"]] {
            assert_eq!(parse(jail), Err(ArgumentError::NoJail), "{jail:?}");
        }
    }

    #[test]
    fn hostile_text_is_kept_verbatim_and_bounded() {
        let id = "abc 1.2.3.4] Ban 9.9.9.9 $(id) `x` \"q\" 'é' <!channel> *b*";
        assert_eq!(parse(&["ban", "--jail=j", &format!("--ip={id}")]).unwrap().ban.subject, id);
        let bytes = OsString::from_vec(b"--ip=a\xff=b".to_vec());
        let parsed = ActionArguments::parse(["ban".into(), "--jail=j".into(), bytes]).unwrap();
        assert_eq!(parsed.ban.subject, "a\\xFF=b");
        let long = parse(&["ban", "--jail=j", &format!("--ip={}", "é".repeat(60_000))]).unwrap();
        assert_eq!(long.ban.subject.len(), MAX_TEXT_BYTES + "…".len());
        assert_eq!(long.warnings.len(), 1);
    }
}
