//! The arguments of `banhook notify`, as fail2ban's action passes them.
//!
//! An attacker chooses some of the values, fail2ban's version others, and an administrator the options; a ban must not be
//! lost over any of them: only a missing kind or jail is an error. A bad optional value, an unknown option, or a tag that
//! this fail2ban does not know (it is left as `<bancount>`) counts as absent, with a warning where it is odd.
//!
//! The parser is written by hand, since a parser for people rejects what it does not know. [`OPTIONS`] is the one list of
//! what it does know: the help text is made of it too.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::event::readable::{MAX_TEXT_BYTES, bounded, readable};
use crate::event::{Ban, BanDuration, Event, EventDetails, Kind, Timestamp};
use crate::phrase::{nearest, quoted};

/// An option of `notify`.
pub struct ActionOption {
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
    pub const JAIL: &'static str = "jail";
    /// The one whose separate value may be anything, since an attacker may have chosen it.
    const SUBJECT: &'static str = "ip";
}

/// All options that say something of an event, or of how it is stored.
pub const OPTIONS: [ActionOption; 9] = [
    ActionOption {
        name: ActionOption::JAIL,
        value_name: Some("JAIL"),
        help: "The jail: \"<name>\"",
        set: |arguments, option, value| {
            if !value.is_empty() && value != "<name>" {
                arguments.jail = arguments.text(option, value);
            }
        },
    },
    ActionOption {
        name: ActionOption::SUBJECT,
        value_name: Some("IP"),
        help: "The address that was banned, or what else the filter captured: \"<ip>\"",
        set: |arguments, option, value| {
            if !value.is_empty() && value != "<ip>" && value != "<fid>" {
                arguments.ban.subject = arguments.text(option, value);
            }
        },
    },
    ActionOption {
        name: "failures",
        value_name: Some("N"),
        help: "How many failures led to the ban: \"<failures>\"",
        set: |arguments, option, value| {
            arguments.ban.failures = arguments.number(option, value).or(arguments.ban.failures);
        },
    },
    ActionOption {
        name: "time",
        value_name: Some("SECONDS"),
        help: "Time of the ban, in seconds since 1970: \"<time>\"",
        set: |arguments, option, value| {
            let ticket_at = arguments.optional(option, value, Timestamp::from_epoch_seconds(value));
            arguments.ban.ticket_at = ticket_at.or(arguments.ban.ticket_at);
        },
    },
    ActionOption {
        name: "bantime",
        value_name: Some("SECONDS"),
        help: "How long the ban lasts, in seconds; -1 is permanent: \"<bantime>\"",
        set: |arguments, option, value| {
            let is_negative = value.trim().starts_with('-') && value.trim().parse::<f64>().is_ok();
            let duration = match is_negative {
                true => Some(BanDuration::Permanent),
                false => arguments.number(option, value).map(BanDuration::Seconds),
            };
            arguments.ban.duration = duration.or(arguments.ban.duration);
        },
    },
    ActionOption {
        name: "bancount",
        value_name: Some("N"),
        help: "How often it has been banned, this ban included: \"<bancount>\"",
        set: |arguments, option, value| {
            arguments.ban.count = arguments.number(option, value).or(arguments.ban.count);
        },
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
            arguments.restored_is_unknown = value == "<restored>";
            let restored = arguments.optional(option, value, flag).unwrap_or(arguments.ban.restored);
            arguments.ban.restored = restored;
        },
    },
    ActionOption {
        name: "host",
        value_name: Some("HOST"),
        help: "Name of this host [default: `host` in the configuration, otherwise the system's]",
        set: |arguments, option, value| {
            if !value.is_empty() {
                arguments.host = arguments.text(option, value);
            }
        },
    },
    ActionOption {
        name: "no-spawn",
        value_name: None,
        help: "Start no short run, even if no daemon is running to deliver the event",
        set: |arguments, _, _| arguments.no_spawn = true,
    },
];

/// What people call options, and their names.
const SYNONYMS: [(&str, &str); 15] = [
    ("fails", "failures"),
    ("address", ActionOption::SUBJECT),
    ("addr", ActionOption::SUBJECT),
    ("ip-address", ActionOption::SUBJECT),
    ("ipaddr", ActionOption::SUBJECT),
    ("subject", ActionOption::SUBJECT),
    ("jail-name", ActionOption::JAIL),
    ("name", ActionOption::JAIL),
    ("hostname", "host"),
    ("attempts", "failures"),
    ("failcount", "failures"),
    ("duration", "bantime"),
    ("count", "bancount"),
    ("timestamp", "time"),
    ("nospawn", "no-spawn"),
];

/// The event to store, and what was odd about the arguments.
#[derive(Debug, PartialEq, Eq)]
pub struct ActionArguments {
    kind: Kind,
    jail: String,
    host: String,
    ban: Ban,
    /// Whether fail2ban does not say if a ban is restored: before 0.10 it leaves the tag as it is.
    pub restored_is_unknown: bool,
    /// Start no run, even if no daemon is running.
    pub no_spawn: bool,
    /// One line each, for stderr.
    pub warnings: Vec<String>,
}

/// Arguments that name no event.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ArgumentError {
    /// The event kind is missing.
    #[error("notify: the event kind is missing; expected start, stop, flush, ban, unban or prolong")]
    MissingKind,
    /// It is not one of the known kinds.
    #[error("notify: unknown event kind {}; expected start, stop, flush, ban, unban or prolong", quoted(.0))]
    UnknownKind(String),
    /// No jail, an empty one, or the literal tag.
    #[error("notify: --jail is missing or empty; the action file passes it as --jail=\"<name>\"")]
    MissingJail,
}

impl ActionArguments {
    /// Parses the arguments before and after `notify`: options on both sides, `--jail=sshd` or `--jail sshd`, and the kind
    /// after it, in any order.
    ///
    /// `others` are the names of more options with a value, which get theirs.
    ///
    /// # Errors
    /// When the kind or the jail is missing.
    pub fn parse(
        before: &[OsString],
        after: &[OsString],
        others: &mut [(&str, Option<OsString>)],
    ) -> Result<Self, ArgumentError> {
        let mut parsed = Self {
            kind: Kind::Start,
            jail: String::new(),
            host: String::new(),
            ban: Ban::default(),
            restored_is_unknown: false,
            no_spawn: false,
            warnings: Vec::new(),
        };
        let jails = before.iter().chain(after).filter(|argument| is_option(argument, ActionOption::JAIL)).count();
        let mut stray = Side { arguments: before, jails, may_have_kind: false }.parse(&mut parsed, others);
        let mut words = Side { arguments: after, jails, may_have_kind: true }.parse(&mut parsed, others);
        let Some((index, kind)) = words.iter().enumerate().find_map(|(index, word)| Some((index, Kind::parse(word)?)))
        else {
            return Err(words.into_iter().next().map_or(ArgumentError::MissingKind, ArgumentError::UnknownKind));
        };
        if parsed.jail.is_empty() {
            return Err(ArgumentError::MissingJail);
        }
        parsed.kind = kind;
        if matches!(kind, Kind::Ban | Kind::Unban) && parsed.ban.subject.is_empty() {
            let option = ActionOption::SUBJECT;
            parsed.warn(&format!(
                "the {} has no address; the action file passes it as --{option}=\"<ip>\"",
                kind.as_str()
            ));
        }
        words.remove(index);
        stray.append(&mut words);
        for word in stray {
            parsed.warn(&format!("ignored {}", quoted(&word)));
        }
        Ok(parsed)
    }

    /// Returns the event that the arguments describe.
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
                Kind::Prolong => EventDetails::Prolong(self.ban),
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
            self.warn(&format!("ignored the invalid value of --{}: {}", option.name, quoted(value)));
        }
        parsed
    }

    fn warn(&mut self, warning: &str) {
        self.warnings.push(format!("notify: {warning}"));
    }
}

/// The arguments on one side of `notify`.
struct Side<'a> {
    arguments: &'a [OsString],
    /// How often `--jail` is given, on both sides.
    jails: usize,
    /// Whether the kind is on this side.
    may_have_kind: bool,
}

impl Side<'_> {
    /// Parses the options; returns the words that are no options.
    fn parse(self, parsed: &mut ActionArguments, others: &mut [(&str, Option<OsString>)]) -> Vec<String> {
        let mut words = Vec::new();
        let mut rest = self.arguments;
        while let Some((argument, after)) = rest.split_first() {
            rest = after;
            let bytes = argument.as_bytes();
            let Some(option) = bytes.strip_prefix(b"--") else {
                words.push(readable(bytes).into_owned());
                continue;
            };
            let (name, given) = match option.iter().position(|byte| *byte == b'=') {
                Some(at) => (option.get(..at).unwrap_or_default(), option.get(at + 1..)),
                None => (option, None),
            };
            let name = &*readable(name);
            let other = others.iter_mut().find(|(other, _)| *other == name);
            let known = OPTIONS.iter().find(|known| known.name == name);
            let known = if known.is_none() && other.is_none() { self.misspelt(name, parsed) } else { known };
            if known.is_none() && other.is_none() {
                continue;
            }
            let takes_value = known.is_none_or(|known| known.value_name.is_some());
            let value = match (given, rest.split_first()) {
                (Some(value), _) => value,
                (None, Some((next, after))) if takes_value && self.is_value(name, next, after, &words) => {
                    rest = after;
                    next.as_bytes()
                }
                (None, _) => b"",
            };
            if takes_value && value.is_empty() && (other.is_some() || given.is_none()) {
                parsed.warn(&format!("--{name} has no value"));
            } else if let Some(known) = known {
                (known.set)(parsed, known, &readable(value));
            } else if let Some((_, other)) = other {
                *other = Some(OsStr::from_bytes(value).to_owned());
            }
        }
        words
    }

    /// Returns whether the argument after an option without `=` is its value. It is not if the event would be lost without
    /// it: then the value was forgotten.
    fn is_value(&self, option: &str, next: &OsStr, after: &[OsString], words: &[String]) -> bool {
        if next.as_bytes().starts_with(b"--") {
            return option == ActionOption::SUBJECT && !(self.jails == 1 && is_option(next, ActionOption::JAIL));
        }
        let is_kind = |word: &OsStr| word.to_str().and_then(Kind::parse).is_some();
        let is_only_kind = self.may_have_kind
            && is_kind(next)
            && !after.iter().any(|later| is_kind(later))
            && !words.iter().any(|word| Kind::parse(word).is_some());
        !is_only_kind
    }

    /// Warns of an unknown option. Returns the option that it is taken as: the jail, which an event needs.
    fn misspelt(&self, name: &str, parsed: &mut ActionArguments) -> Option<&'static ActionOption> {
        let synonyms = SYNONYMS.iter().map(|(synonym, _)| *synonym);
        let near = nearest(name, OPTIONS.iter().map(|known| known.name).chain(synonyms));
        let near =
            near.map(|near| SYNONYMS.iter().find(|(synonym, _)| *synonym == near).map_or(near, |(_, name)| name));
        let shown = quoted(&format!("--{name}"));
        if self.jails == 0 && near == Some(ActionOption::JAIL) && parsed.jail.is_empty() {
            parsed.warn(&format!("took the unknown option {shown} as --{}", ActionOption::JAIL));
            return OPTIONS.iter().find(|known| known.name == ActionOption::JAIL);
        }
        let hint = near.map(|near| format!("; did you mean --{near}?")).unwrap_or_default();
        parsed.warn(&format!("ignored the unknown option {shown}{hint}"));
        None
    }
}

/// Returns whether an argument is this option, with a value or without.
fn is_option(argument: &OsStr, name: &str) -> bool {
    let rest = argument.as_bytes().strip_prefix(b"--").and_then(|option| option.strip_prefix(name.as_bytes()));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"="))
}

/// Whether a value is a tag that this version of fail2ban does not know, and so has left as it is in the action file.
fn is_literal_tag(value: &str) -> bool {
    value
        .strip_prefix('<')
        .and_then(|rest| rest.strip_suffix('>'))
        .is_some_and(|tag| tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte)))
}

#[cfg(test)]
#[path = "arguments_tests.rs"]
mod tests;
