//! The arguments of `banhook notify`, as fail2ban's action passes them.
//!
//! An attacker chooses some of the values and fail2ban's version others, and a ban must not be lost over either: only a
//! missing kind or jail is an error. A bad optional value, an option of a newer action file, or a tag that this fail2ban
//! does not know (it is left as `<bancount>`) counts as absent, with a warning where it is odd.
//!
//! The parser is written by hand, since a parser for people rejects what it does not know. [`OPTIONS`] is the one list of
//! what it does know: the help text is made of it too.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::event::readable::{MAX_TEXT_BYTES, bounded, cut, readable};
use crate::event::{Ban, BanDuration, Event, EventDetails, Kind, Timestamp};

/// An option of `notify`.
pub(crate) struct ActionOption {
    /// Without the dashes.
    pub name: &'static str,
    /// What stands for the value in the help text; `None` for a flag, which takes no value.
    pub value_name: Option<&'static str>,
    /// What it is, in the help text, with the tag that the action file passes.
    pub help: &'static str,
    set: fn(&mut ActionArguments, &Self, &str),
}

impl ActionOption {
    /// The one option that an event needs.
    pub(crate) const JAIL: &'static str = "jail";
}

/// All options that say something of an event, or of how it is stored.
pub(crate) const OPTIONS: [ActionOption; 9] = [
    ActionOption {
        name: ActionOption::JAIL,
        value_name: Some("JAIL"),
        help: "The jail: \"<name>\"",
        set: |arguments, option, value| arguments.jail = arguments.text(option, value),
    },
    ActionOption {
        name: "ip",
        value_name: Some("IP"),
        help: "The address that was banned, or what else the filter captured: \"<ip>\"",
        set: |arguments, option, value| {
            if value != "<ip>" && value != "<fid>" {
                arguments.ban.subject = arguments.text(option, value);
            }
        },
    },
    ActionOption {
        name: "failures",
        value_name: Some("N"),
        help: "How many failures led to the ban: \"<failures>\"",
        set: |arguments, option, value| arguments.ban.failures = arguments.number(option, value),
    },
    ActionOption {
        name: "time",
        value_name: Some("SECONDS"),
        help: "Time of the ban, in seconds since 1970: \"<time>\"",
        set: |arguments, option, value| {
            arguments.ban.ticket_at = arguments.optional(option, value, Timestamp::from_epoch_seconds(value));
        },
    },
    ActionOption {
        name: "bantime",
        value_name: Some("SECONDS"),
        help: "How long the ban lasts, in seconds; -1 is permanent: \"<bantime>\"",
        set: |arguments, option, value| {
            let is_negative = value.trim().starts_with('-') && value.trim().parse::<f64>().is_ok();
            arguments.ban.duration = match is_negative {
                true => Some(BanDuration::Permanent),
                false => arguments.number(option, value).map(BanDuration::Seconds),
            };
        },
    },
    ActionOption {
        name: "bancount",
        value_name: Some("N"),
        help: "How often it has been banned, this ban included: \"<bancount>\"",
        set: |arguments, option, value| arguments.ban.count = arguments.number(option, value),
    },
    ActionOption {
        name: "restored",
        value_name: Some("0|1"),
        help: "1 if fail2ban has restored the ban after a restart: \"<restored>\"",
        set: |arguments, option, value| {
            let flag = match value {
                "1" => Some(true),
                "0" => Some(false),
                _ => None,
            };
            arguments.ban.restored = arguments.optional(option, value, flag).unwrap_or(false);
        },
    },
    ActionOption {
        name: "host",
        value_name: Some("HOST"),
        help: "Name of this host [default: `host` in the configuration, otherwise the system's]",
        set: |arguments, option, value| arguments.host = arguments.text(option, value),
    },
    ActionOption {
        name: "no-spawn",
        value_name: None,
        help: "Start no short run, even if no daemon is running to deliver the event",
        set: |arguments, _, _| arguments.no_spawn = true,
    },
];

/// The event to store, and what was odd about the arguments.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ActionArguments {
    kind: Kind,
    jail: String,
    host: String,
    ban: Ban,
    /// Start no run, even if no daemon is running.
    pub no_spawn: bool,
    /// One line each, for stderr.
    pub warnings: Vec<String>,
}

/// Arguments that name no event.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum ArgumentError {
    /// The event kind is missing.
    #[error("notify: the event kind is missing; expected start, stop, flush, ban or unban")]
    MissingKind,
    /// It is not one of the five.
    #[error("notify: unknown event kind \"{}\"; expected start, stop, flush, ban or unban", .0.escape_debug())]
    UnknownKind(String),
    /// No jail, an empty one, or the literal tag.
    #[error("notify: --jail is missing or empty; the action file passes it as --jail=\"<name>\"")]
    MissingJail,
}

impl ActionArguments {
    /// Parses what follows `notify`: the kind and the options, in any order, `--jail=sshd` or `--jail sshd`.
    ///
    /// `other` is handed each option that is not of [`OPTIONS`], and returns whether it knows it.
    ///
    /// # Errors
    /// When the kind or the jail is missing.
    pub(crate) fn parse(
        arguments: impl IntoIterator<Item = OsString>,
        mut other: impl FnMut(&str, &OsStr) -> bool,
    ) -> Result<Self, ArgumentError> {
        let mut kind = None;
        let mut parsed = Self {
            kind: Kind::Start,
            jail: String::new(),
            host: String::new(),
            ban: Ban::default(),
            no_spawn: false,
            warnings: Vec::new(),
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let bytes = argument.as_bytes();
            let Some(option) = bytes.strip_prefix(b"--") else {
                match kind {
                    None => kind = Some(readable(bytes).into_owned()),
                    Some(_) => parsed.warn(&format!("ignored \"{}\"", readable(bytes).escape_debug())),
                }
                continue;
            };
            let (name, given) = match option.iter().position(|byte| *byte == b'=') {
                Some(at) => (option.get(..at), option.get(at + 1..)),
                None => (Some(option), None),
            };
            let name = &*readable(name.unwrap_or_default());
            let known = OPTIONS.iter().find(|known| known.name == name);
            let is_flag = known.is_some_and(|known| known.value_name.is_none());
            let value = match given {
                Some(value) => OsStr::from_bytes(value).to_owned(),
                None if is_flag => OsString::new(),
                None => arguments.next().unwrap_or_default(),
            };
            match known {
                Some(known) => (known.set)(&mut parsed, known, &readable(value.as_bytes())),
                None if other(name, &value) => {}
                None => parsed.warn(&format!("ignored the unknown option --{}", cut(name, 100).escape_debug())),
            }
        }
        let kind = kind.ok_or(ArgumentError::MissingKind)?;
        parsed.kind = Kind::parse(&kind).ok_or(ArgumentError::UnknownKind(kind))?;
        if parsed.jail.is_empty() || parsed.jail == "<name>" {
            return Err(ArgumentError::MissingJail);
        }
        Ok(parsed)
    }

    /// Returns the event that the arguments describe.
    #[must_use]
    pub(crate) fn into_event(self, id: String, at: Timestamp) -> Event {
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

    /// Parses a whole number, saturating; fail2ban writes some of them as `600.0`.
    fn number(&mut self, option: &ActionOption, value: &str) -> Option<u32> {
        let number = value.trim().parse::<f64>().ok().filter(|number| *number >= 0.0);
        // The cast saturates and drops the fraction, which is what is wanted; NaN is filtered out above.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        self.optional(option, value, number.map(|number| number as u32))
    }

    /// Bounds a text.
    fn text(&mut self, option: &ActionOption, value: &str) -> String {
        if value.len() > MAX_TEXT_BYTES {
            self.warn(&format!("--{} has {} bytes; kept the first {MAX_TEXT_BYTES}", option.name, value.len()));
        }
        bounded(value.into())
    }

    /// Warns of a value that could not be parsed.
    fn optional<T>(&mut self, option: &ActionOption, value: &str, parsed: Option<T>) -> Option<T> {
        if parsed.is_none() && !value.is_empty() && !is_literal_tag(value) {
            let value = cut(value, 100).escape_debug();
            self.warn(&format!("ignored the invalid value of --{}: \"{value}\"", option.name));
        }
        parsed
    }

    fn warn(&mut self, warning: &str) {
        self.warnings.push(format!("notify: {warning}"));
    }
}

/// Whether a value is a tag that this version of fail2ban does not know, and so has left as it is in the action file.
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
        ActionArguments::parse(arguments.iter().map(OsString::from), |_, _| false)
    }

    fn json(arguments: &[&str]) -> String {
        parse(arguments).unwrap().into_event(String::new(), Timestamp(0)).to_json()
    }

    #[test]
    fn parse_options_of_the_action_file_keeps_each_value() {
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
    fn parse_number_with_fraction_or_overflow_is_rounded_or_saturated() {
        let ban = |bantime: &str| parse(&["ban", "--jail=j", bantime]).unwrap().ban.duration;
        assert_eq!(ban("--bantime=-1"), Some(BanDuration::Permanent));
        assert_eq!(ban("--bantime=600.0"), Some(BanDuration::Seconds(600)));
        assert_eq!(ban("--bantime=1e99"), Some(BanDuration::Seconds(u32::MAX)));
    }

    #[test]
    fn parse_literal_tags_are_absent_without_a_warning() {
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
    fn parse_invalid_optional_values_are_absent_with_a_warning() {
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
        assert_eq!(parsed.warnings[0], "notify: ignored the invalid value of --failures: \"many\"");
    }

    #[test]
    fn parse_fails_only_without_kind_or_jail() {
        assert_eq!(parse(&[]), Err(ArgumentError::MissingKind));
        assert_eq!(parse(&["--jail=j"]), Err(ArgumentError::MissingKind));
        assert_eq!(parse(&["bann", "--jail=j"]), Err(ArgumentError::UnknownKind("bann".into())));
        for jail in [&["ban"][..], &["ban", "--jail="], &["ban", "--jail"], &["ban", "--jail=<name>"]] {
            assert_eq!(parse(jail), Err(ArgumentError::MissingJail), "{jail:?}");
        }
    }

    #[test]
    fn parse_hostile_text_is_kept_verbatim_and_bounded() {
        let id = "abc 1.2.3.4] Ban 9.9.9.9 $(id) `x` \"q\" 'é' <!channel> *b*";
        assert_eq!(parse(&["ban", "--jail=j", &format!("--ip={id}")]).unwrap().ban.subject, id);
        let bytes = OsString::from_vec(b"--ip=a\xff=b".to_vec());
        let parsed = ActionArguments::parse(["ban".into(), "--jail=j".into(), bytes], |_, _| false).unwrap();
        assert_eq!(parsed.ban.subject, "a\\xFF=b");
        let long = parse(&["ban", "--jail=j", &format!("--ip={}", "é".repeat(60_000))]).unwrap();
        assert!(long.ban.subject.len() < MAX_TEXT_BYTES + 20);
        assert_eq!(long.warnings.len(), 1);
    }
    #[test]
    fn parse_options_of_the_command_are_handed_on_wherever_they_are() {
        let mut others = Vec::new();
        let arguments = ["--state-dir", "s", "ban", "--no-spawn", "--jail=j", "--config=c", "--ip", "--config=x"];
        let parsed = ActionArguments::parse(arguments.map(OsString::from), |name, value| {
            others.push((name.to_owned(), value.to_owned()));
            true
        });
        let parsed = parsed.unwrap();
        assert_eq!(others, [("state-dir".to_owned(), "s".into()), ("config".to_owned(), "c".into())]);
        assert_eq!((parsed.no_spawn, parsed.ban.subject.as_str()), (true, "--config=x"));
        assert_eq!(parsed.warnings, [] as [&str; 0]);
    }
}
