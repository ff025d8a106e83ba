//! What of a webhook's answer is stored and shown.
//!
//! Servers and proxies repeat the URL that they were asked for, and with it the secret: as it was, decoded, or escaped
//! for HTML or JSON. So nothing of an answer is kept but errors that the service is known for, and of other text plain
//! words. A word consists of letters only, which no escape does, and shares no run of characters with a secret.

use std::borrow::Cow;
use std::collections::HashSet;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::Value;
use url::{Url, form_urlencoded};

use crate::config::{BasicAuth, Token};
use crate::message::Target;

/// Stands for everything that is left out.
const LEFT_OUT: &str = "…";

/// Letters and digits in a row, in any case, that a text and a secret may not have in common. A shorter text is
/// not a secret.
const RUN: usize = 4;

/// Characters of a word at most: a secret that was encoded as letters is longer.
const WORD_MAX: usize = 24;

/// Characters that are kept of an answer's words.
const WORDS_MAX: usize = 160;

/// The secrets of a webhook: of its URL everything that its service does not name as public, and the credentials of a proxy
/// and of a server before the chat.
/// Hence no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Redaction {
    target: Target,
    /// All runs of letters and digits in the secrets, in lower case.
    runs: HashSet<[u8; RUN]>,
}

impl Redaction {
    /// Returns what is to be left out of the answers of a webhook.
    pub(super) fn new(
        target: Target,
        url: &Url,
        proxy: Option<&Url>,
        basic_auth: Option<&BasicAuth>,
        token: Option<&Token>,
    ) -> Self {
        let mut runs = HashSet::new();
        let mut add = |secret: &str| add_runs(&mut runs, secret);
        let public = target.public_words();
        for url in [Some(url), proxy].into_iter().flatten() {
            for secret in [url.path(), url.query().unwrap_or_default()] {
                let parts = secret.split(['/', '&', '=']).filter(|part| !public.contains(part));
                add(&parts.collect::<Vec<_>>().join("/"));
            }
            add(&format!("{}:{}", url.username(), url.password().unwrap_or_default()));
        }
        if let Some((user, password)) = basic_auth.map(BasicAuth::expose) {
            let login = format!("{user}:{password}");
            add(&login);
            add(&BASE64_STANDARD.encode(login));
        }
        if let Some(token) = token {
            // What all tokens begin with is in no secret of its own.
            add(token.expose().trim_start_matches("xoxb-"));
        }
        Self { target, runs }
    }

    /// Returns the same with another secret that is to be left out.
    pub(super) fn and(mut self, secret: &str) -> Self {
        add_runs(&mut self.runs, secret);
        self
    }

    /// Returns what an answer says, without anything secret: `invalid_blocks`. Empty, if nothing is left.
    pub(super) fn answer(&self, body: &str, json: &Value) -> String {
        let known: Vec<_> = self.target.known_errors().into_iter().filter(|error| body.contains(error)).collect();
        let is_longest =
            |error: &&&str| !known.iter().any(|other| other.len() > error.len() && other.contains(**error));
        if !known.is_empty() {
            return known.iter().filter(is_longest).copied().collect::<Vec<_>>().join(", ");
        }
        let text = match json {
            Value::Object(fields) => {
                Cow::Owned(fields.values().filter_map(Value::as_str).collect::<Vec<_>>().join(" "))
            }
            _ => Cow::Borrowed(body),
        };
        let words = self.filtered(&text, plain_word);
        let mut chars = words.chars();
        let kept: String = chars.by_ref().take(WORDS_MAX).collect();
        if chars.next().is_none() { kept } else { kept + LEFT_OUT }
    }

    /// Returns an error of banhook's own, whose cause may have quoted a proxy, without what it shares with a secret.
    pub(super) fn error(&self, text: &str) -> String {
        self.filtered(text, Some)
    }

    /// Leaves out of a line of banhook's own what it shares with a secret.
    pub(super) fn line(&self, line: &mut String) {
        let words: Vec<_> = line.split_whitespace().collect();
        if !self.secret_words(&words).is_empty() {
            *line = self.filtered(line, Some);
        }
    }

    /// Returns the words that `word` finds in the text and that share nothing with a secret; empty, if there are none.
    fn filtered<'t>(&self, text: &'t str, word: fn(&'t str) -> Option<&'t str>) -> String {
        let words: Vec<_> = text.split_whitespace().collect();
        let secret = self.secret_words(&words);
        let mut shown: Vec<&str> = Vec::new();
        for (index, text) in words.iter().enumerate() {
            let word = word(text).filter(|_| !secret.contains(&index)).unwrap_or(LEFT_OUT);
            if word != LEFT_OUT || shown.last() != Some(&LEFT_OUT) {
                shown.push(word);
            }
        }
        if shown == [LEFT_OUT] { String::new() } else { shown.join(" ") }
    }

    /// Returns which words hold a part of a secret. Runs go across words, since a secret may hold spaces.
    fn secret_words(&self, words: &[&str]) -> HashSet<usize> {
        let bytes: Vec<(u8, usize)> = words
            .iter()
            .enumerate()
            .flat_map(|(index, word)| normalized(word).map(move |byte| (byte, index)))
            .collect();
        let runs = bytes.array_windows::<RUN>().filter(|run| self.runs.contains(&run.map(|(byte, _)| byte)));
        runs.flat_map(|run| run.map(|(_, index)| index)).collect()
    }
}

fn add_runs(runs: &mut HashSet<[u8; RUN]>, secret: &str) {
    for form in [secret, &decoded(secret)] {
        let normalized: Vec<u8> = normalized(form).collect();
        runs.extend(normalized.array_windows::<RUN>().copied());
    }
}

/// The ASCII letters and digits of a text, in lower case.
fn normalized(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase())
}

/// A part of a URL without its escapes; only its letters and digits matter.
fn decoded(part: &str) -> String {
    form_urlencoded::parse(part.as_bytes()).flat_map(|(name, value)| [name, value]).collect()
}

/// A word of letters, without the punctuation of prose around it. A `/`, `%`, `&` or `\\` may belong to an escape.
fn plain_word(text: &str) -> Option<&str> {
    let word = text.trim_matches(['.', ',', ':', ';', '!', '?', '"', '\'', '(', ')', '[', ']']);
    let is_allowed = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-' | b'.' | b'\'');
    (!word.is_empty() && word.len() <= WORD_MAX && word.bytes().all(is_allowed)).then_some(word)
}

#[cfg(test)]
#[path = "redaction_tests.rs"]
mod tests;
