//! Rocket.Chat's incoming integrations.

use serde_json::Value;

use super::super::guard_error::GuardError;
use super::super::model::Message;
use super::super::sanitizer::Sanitizer;
use super::super::slack_compatible::{self, BREAK, Dialect, Markers, Place, breaks_in_code};
use super::service::Service;
use super::service::{HttpAnswer, Verdict};

/// Rocket.Chat.
pub(super) struct RocketChat;

/// Part of the error when there are too many requests, which comes with several statuses.
const TOO_MANY: &str = "error-too-many-requests";

/// Parts of the errors of a webhook that accepts no message: a word or a sentence, depending on the version.
const DISABLED: [&str; 4] =
    ["invalid-channel", "Invalid integration id", "error-not-allowed", "error-action-not-allowed"];

/// Parts of the errors about a message.
const REJECTED: [&str; 2] = ["error-message-size-exceeded", "body-param-required"];

impl Service for RocketChat {
    fn key(&self) -> &'static str {
        "rocketchat"
    }

    fn name(&self) -> &'static str {
        "Rocket.Chat"
    }

    fn public_words(&self) -> &'static [&'static str] {
        &["hooks"]
    }

    fn lower(&self, message: &Message, sanitizer: &Sanitizer) -> Result<Value, GuardError> {
        let body = slack_compatible::lower(message, sanitizer, self);
        body.map(Value::Object).ok_or(GuardError::Empty(self.name()))
    }

    fn accepts(&self, answer: &HttpAnswer<'_>) -> bool {
        answer.json["success"] == true
    }

    fn dialect(&self) -> Option<&dyn Dialect> {
        Some(self)
    }

    fn add_note(&self, body: &mut Value, note: &str) {
        slack_compatible::add_note(body, note, self);
    }

    fn verdict(&self, answer: &HttpAnswer<'_>) -> Option<Verdict> {
        let has = |errors: &[&str]| errors.iter().any(|error| answer.body.contains(error));
        if has(&[TOO_MANY]) {
            Some(Verdict::RateLimited)
        } else if answer.json["success"] != false {
            None
        } else if has(&DISABLED) {
            Some(Verdict::EndpointGone)
        } else {
            Some(if has(&REJECTED) { Verdict::Rejected } else { Verdict::Unclear })
        }
    }

    /// "… You must wait 46 seconds before trying this endpoint again. …"
    fn retry_after(&self, answer: &HttpAnswer<'_>) -> Option<f64> {
        answer.text("error").split_once("wait ")?.1.split_whitespace().next()?.parse().ok()
    }

    fn known_errors(&self) -> Vec<&'static str> {
        let more = ["error-invalid-channel", "Invalid integration id or token provided"];
        [&[TOO_MANY][..], &DISABLED, &REJECTED, &more].concat()
    }
}

impl Dialect for RocketChat {
    /// Rocket.Chat's default; its administrator may set another.
    fn text_max(&self, _attached: bool) -> usize {
        5_000
    }

    fn markers(&self) -> Markers {
        Markers { bold: "*", italic: "_", strike: "~" }
    }

    fn mention_all(&self, whom: &str) -> &'static str {
        if whom == "here" { "@here" } else { "@all" }
    }

    fn escape(&self, place: Place<'_>, out: &mut String) {
        match place.char {
            char @ ('*' | '_' | '~' | '`') => out.extend(['\\', char]),
            // It links bare domains and addresses.
            '.' if place.before.is_some_and(is_in_domain) => out.push_str("\\."),
            _ => escape_with_breaks(place, out),
        }
    }

    /// Between its markers there are neither escapes nor bare links.
    fn escape_within(&self, place: Place<'_>, out: &mut String) {
        match place.char {
            '\\' => out.push('∖'),
            '*' => out.push('∗'),
            '_' => out.push('ˍ'),
            '~' => out.push('∼'),
            '|' => out.push('¦'),
            ']' => out.push('］'),
            '.' if place.before.is_some_and(is_in_domain) && place.after().is_some_and(char::is_alphabetic) => {
                out.push('․');
            }
            _ => escape_with_breaks(place, out),
        }
    }

    fn backtick_within(&self) -> char {
        '\''
    }

    /// Slack's form. A `[` in text would make all up to the `](` of the other form its label.
    fn link(&self, url: &str, label: &str) -> Option<String> {
        let mut link = format!("<{url}|");
        for (at, char) in label.char_indices() {
            match char {
                '<' => link.push('‹'),
                '>' => link.push('›'),
                '|' => link.push('¦'),
                '\n' | '\t' => link.push(' '),
                // The server looks for mentions everywhere.
                char @ ('@' | '#') => link.extend([char, BREAK]),
                ']' if label.get(at + 1..).is_some_and(|rest| rest.starts_with('(')) => link.extend([']', BREAK]),
                char => link.push(char),
            }
        }
        link.push('>');
        Some(link)
    }

    /// A `[` in text also opens a label that runs into code.
    fn breaks_in_code(&self, char: char, rest: &str) -> bool {
        breaks_in_code(char, rest) || char == ']' && rest.starts_with('(')
    }
}

/// Emoticons, by its parser.
const EMOTICONS: &[&str] = &[
    "<3", "</3", ":')", ":'-)", ":D", ":-D", "=D", ":)", ":-)", "=]", "=)", ":]", "':)", "':-)", "'=)", "':D", "':-D",
    "'=D", ">:)", ">;)", ">:-)", ">=)", ";)", ";-)", "*-)", "*)", ";-]", ";]", ";D", ";^)", "':(", "':-(", "'=(", ":*",
    ":-*", "=*", ":^*", ">:P", "X-P", "x-p", ">:[", ":-(", ":(", ":-[", ":[", "=(", ">:(", ">:-(", ":@", ":'(", ":'-(",
    ";(", ";-(", ">.<", "D:", ":$", "=$", "#-)", "#)", "%-)", "%)", "X)", "X-)", "*\\0/*", "\\0/", "*\\O/*", "\\O/",
    "O:-)", "0:-3", "0:3", "0:-)", "0:)", "0;^)", "O:)", "O;-)", "O=)", "0;-)", "O:-3", "O:3", "B-)", "B)", "8)",
    "8-)", "B-D", "8-D", "-_-", "-__-", "-___-", ">:\\", ">:/", ":-/", ":-.", ":/", ":\\", "=/", "=\\", ":L", "=L",
    ":P", ":-P", "=P", ":-\u{de}", ":\u{de}", ":-b", ":b", ":-O", ":O", ":-X", ":X", ":-#", ":#", "=X", "=#", ">:O",
    "(y)", "XD",
];

/// What gets a backslash.
const ESCAPED: [char; 5] = ['*', '_', '~', '`', '.'];

/// Returns whether a part of a domain may end with a character, as the server reads it.
fn is_in_domain(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '-' | '_')
}

fn escape_with_breaks(place: Place<'_>, out: &mut String) {
    match place.char {
        // Begins a formula, which may hold anything.
        '$' => out.push('＄'),
        // `+` begins a phone number, which becomes a link, and `\(` a formula.
        char @ ('@' | '#' | '<' | '[' | ']' | '|' | '+' | '\\') => out.extend([char, BREAK]),
        ':' if place.colon_acts() => out.extend([':', BREAK]),
        // `:\` is one, and the next character gets a backslash.
        ':' | '=' if place.rest.get(1..).is_some_and(|rest| rest.trim_start_matches('-').starts_with(ESCAPED)) => {
            out.extend([place.char, BREAK]);
        }
        'l' if place.rest.starts_with("localhost") => out.extend(['l', BREAK]),
        char if "<>:;='*#%(-\\08BDOXx".contains(char) && place.begins_emoticon(EMOTICONS) => out.extend([char, BREAK]),
        char => out.push(char),
    }
}
