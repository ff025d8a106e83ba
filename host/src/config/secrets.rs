//! What of a URL is secret, kept out of the text that a server sends back. Servers and proxies repeat what they were
//! asked for (`Cannot POST /hooks/…`): as it was, with escapes resolved, or escaped once more for HTML or JSON.

use std::ops::Range;

use aho_corasick::AhoCorasick;
use url::Url;

/// What stands for a secret.
const CONCEALED: &str = "[…]";

/// Bytes of a path, a query, a user's name or a password: what is shorter is no secret.
const LEAST: usize = 4;

/// The same of a part of a path and of a value of a query, which may be an ordinary word.
const LEAST_OF_PART: usize = 6;

/// Parts of paths that are the same in every webhook's URL, and words of answers, too.
const NO_SECRETS: [&str; 5] = ["services", "webhooks", "incoming", "external", "slack_incoming"];

/// Zulip's parameters that say where a message goes.
const NO_SECRET_PARAMETERS: [&str; 2] = ["stream", "topic"];

/// Bytes of the longest escape of a single character: `&#x0000002f;`, or `\u0025` and two digits.
const ESCAPE_MOST: usize = 12;

/// Escapes are resolved so often: one may have been put into another.
const ROUNDS: usize = 2;

/// The parts of URLs that no text may show. Hence no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets {
    /// As they are, and without escapes.
    parts: Vec<Vec<u8>>,
}

impl Secrets {
    /// What is secret in these URLs: path, query, user and password, in whole and in parts.
    pub fn of<'a>(urls: impl IntoIterator<Item = &'a Url>) -> Self {
        let forms = |part: String| [Text::of(&part).plain().bytes, part.into_bytes()];
        let mut parts: Vec<_> = urls.into_iter().flat_map(secret_parts).flat_map(forms).collect();
        parts.sort_unstable();
        parts.dedup();
        Self { parts }
    }

    /// The text with `[…]` for all that is secret in it, escaped or not. An end that may be the beginning of a secret
    /// is one: the text may have been cut there.
    #[must_use]
    pub fn conceal(&self, text: &str) -> String {
        let Ok(search) = AhoCorasick::builder().ascii_case_insensitive(true).build(&self.parts) else {
            return CONCEALED.to_owned();
        };
        let mut secret = Vec::new();
        // A `%` that is none of an escape makes one with what follows it: so both are looked at.
        let as_it_is = Text::of(text);
        for text in [as_it_is.plain(), as_it_is] {
            let found = search.find_overlapping_iter(&text.bytes).map(|found| found.range());
            secret.extend(found.chain(self.cut_off(&text.bytes)).filter_map(|at| text.place(at)));
        }
        secret.sort_unstable_by_key(|range| range.start);
        let (mut shown, mut upto) = (String::new(), 0);
        for Range { start, end } in secret {
            if start >= upto {
                shown.push_str(text.get(upto..start).unwrap_or_default());
                shown.push_str(CONCEALED);
            }
            upto = upto.max(end);
        }
        shown.push_str(text.get(upto..).unwrap_or_default());
        shown
    }

    /// The beginning of a secret at the end, and what is left of an escape behind it.
    fn cut_off(&self, bytes: &[u8]) -> Option<Range<usize>> {
        let tail = bytes.len().saturating_sub(ESCAPE_MOST);
        let is_begun_escape = |bytes: &[u8]| match bytes {
            [b'%' | b'&' | b'\\', rest @ ..] => rest.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'#'),
            // What a character that was cut has become.
            rest => rest == "\u{fffd}".as_bytes(),
        };
        let escape = (tail..bytes.len()).find(|at| bytes.get(*at..).is_some_and(is_begun_escape));
        let begun = |part: &[u8], end: usize| {
            let bytes = bytes.get(..end)?;
            let lengths = LEAST..part.len().min(bytes.len() + 1);
            let is_begun = |length: &usize| {
                let (begin, end) = (part.get(..*length), bytes.get(bytes.len() - length..));
                begin.zip(end).is_some_and(|(begin, end)| begin.eq_ignore_ascii_case(end))
            };
            lengths.rev().find(is_begun).map(|length| end - length)
        };
        let ends = [Some(bytes.len()), escape].into_iter().flatten();
        let from = ends.flat_map(|end| self.parts.iter().filter_map(move |part| begun(part, end))).min()?;
        Some(from..bytes.len())
    }
}

fn secret_parts(url: &Url) -> Vec<String> {
    let path = url.path().trim_end_matches('/');
    // A proxy may have taken the beginning of the path away.
    let wholes = path.match_indices('/').filter_map(|(at, _)| path.get(at..)).chain(url.query());
    let wholes = wholes.chain([url.username()]).chain(url.password());
    let mut parts: Vec<_> = wholes.filter(|whole| whole.len() >= LEAST).map(str::to_owned).collect();
    let is_secret = |part: &str| part.len() >= LEAST_OF_PART && !NO_SECRETS.contains(&part);
    parts.extend(path.split('/').filter(|part| is_secret(part)).map(str::to_owned));
    for pair in url.query().into_iter().flat_map(|query| query.split('&')) {
        let (name, value) = pair.split_once('=').unwrap_or(("", pair));
        if is_secret(value) && !NO_SECRET_PARAMETERS.contains(&name) {
            parts.push(value.to_owned());
        }
    }
    parts
}

/// A text, some of whose escapes may be resolved, and where each byte of it comes from.
#[derive(Default)]
struct Text {
    bytes: Vec<u8>,
    from: Vec<Range<usize>>,
}

/// The bytes that an escape at the beginning stands for, and how long it is.
type Escape = fn(&[u8]) -> Option<(Vec<u8>, usize)>;

impl Text {
    fn of(text: &str) -> Self {
        let mut whole = Self::default();
        for (at, char) in text.char_indices() {
            whole.add(char.encode_utf8(&mut [0; 4]).as_bytes(), at..at + char.len_utf8());
        }
        whole
    }

    /// Without escapes.
    fn plain(&self) -> Self {
        let mut plain = Self { bytes: self.bytes.clone(), from: self.from.clone() };
        for escape in [of_json, of_html, of_url].repeat(ROUNDS) {
            plain = plain.without(escape);
        }
        // In a query, both stand for a space.
        plain.bytes.iter_mut().filter(|byte| **byte == b'+').for_each(|byte| *byte = b' ');
        plain
    }

    fn add(&mut self, bytes: &[u8], from: Range<usize>) {
        self.from.extend(bytes.iter().map(|_| from.clone()));
        self.bytes.extend_from_slice(bytes);
    }

    fn without(&self, escape: Escape) -> Self {
        let (mut plain, mut at) = (Self::default(), 0);
        while let Some(rest @ [byte, ..]) = self.bytes.get(at..) {
            let (bytes, length) = escape(rest).unwrap_or_else(|| (vec![*byte], 1));
            plain.add(&bytes, self.place(at..at + length).unwrap_or_default());
            at += length;
        }
        plain
    }

    /// Where some of the bytes come from.
    fn place(&self, bytes: Range<usize>) -> Option<Range<usize>> {
        let from = self.from.get(bytes)?;
        Some(from.first()?.start..from.last()?.end)
    }
}

fn of_url(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let digits = text.strip_prefix(b"%")?.get(..2)?;
    Some((vec![u8::try_from(number(digits, 16)?).ok()?], 3))
}

fn of_json(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    match text.strip_prefix(b"\\")? {
        [char @ (b'/' | b'"' | b'\\'), ..] => Some((vec![*char], 2)),
        [b'u', digits @ ..] => Some((utf8(number(digits.get(..4)?, 16)?)?, 6)),
        _ => None,
    }
}

fn of_html(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let entity = text.strip_prefix(b"&")?;
    let length = entity.iter().take(ESCAPE_MOST).position(|byte| *byte == b';')?;
    let char = match entity.get(..length)? {
        b"amp" => u32::from(b'&'),
        b"lt" => u32::from(b'<'),
        b"gt" => u32::from(b'>'),
        b"quot" => u32::from(b'"'),
        b"apos" => u32::from(b'\''),
        [b'#', b'x' | b'X', digits @ ..] => number(digits, 16)?,
        [b'#', digits @ ..] => number(digits, 10)?,
        _ => return None,
    };
    Some((utf8(char)?, length + 2))
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

fn utf8(char: u32) -> Option<Vec<u8>> {
    Some(char::from_u32(char)?.encode_utf8(&mut [0; 4]).as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secrets(url: &str) -> Secrets {
        Secrets::of([&url.parse().unwrap()])
    }

    #[test]
    fn what_a_server_repeats_is_concealed_in_all_its_forms() {
        let url = "https://chat.example.org/hooks/s3/s3cr%2Fet%C3%A9?api_key=k%26y/+w'ord&stream=bans-here&t0psecret";
        for (text, shown) in [
            ("<pre>Cannot POST /hooks/s3/s3cr%2Fet%C3%A9</pre>", "<pre>Cannot POST […]</pre>"),
            ("The requested URL /hooks/s3/s3cr/et\u{e9} was not found", "The requested URL […] was not found"),
            ("no /s3/s3cr%2fet%c3%a9 here", "no […] here"),
            ("no S3CR&#x2F;ET\u{e9} here", "no […] here"),
            ("no s3cr&#47;et&#233; here", "no […] here"),
            (r#"{"path":"\/hooks\/s3\/s3cr\/et\u00e9","n":1}"#, r#"{"path":"[…]","n":1}"#),
            ("twice: s3cr%252Fet%25C3%25A9.", "twice: […]."),
            ("k%26y/+w'ord", "[…]"),
            ("key k&amp;y/ w&#39;ord is wrong", "key […] is wrong"),
            ("{\"msg\":\"k&y/ w'ord\"}", "{\"msg\":\"[…]\"}"),
            ("t0psecret?", "[…]?"),
            ("one s3cr/et\u{e9}, two s3cr/et\u{e9}t0psecret", "one […], two […][…]"),
            ("Stream 'bans-here' does not exist", "Stream 'bans-here' does not exist"),
            ("invalid_blocks", "invalid_blocks"),
            ("\u{e9}100 % & \\", "\u{e9}100 % & \\"),
            ("", ""),
        ] {
            assert_eq!(secrets(url).conceal(text), shown, "{text}");
        }
        let slack = secrets("https://hooks.slack.com/services/T0123456/B0123456/s3cret");
        assert_eq!(slack.conceal("no_service for /services/T0123456/B0123456/s3cret"), "no_service for […]");
        assert_eq!(slack.conceal("Our services, B0123456, s3cret"), "Our services, […], […]");
        let proxy = secrets("http://user:p%40ss@proxy.example:3128");
        assert_eq!(proxy.conceal("not you, user, with p@ss"), "not you, […], with […]");
        assert_eq!(secrets("http://localhost/").conceal("no /"), "no /");
    }

    #[test]
    fn a_secret_that_is_cut_is_concealed() {
        let secrets = secrets("http://localhost/hooks/s3cr%2Fet-and-more");
        let whole = "Cannot POST /hooks/s3cr%2Fet-and-more";
        for cut in 16..=whole.len() {
            assert_eq!(secrets.conceal(&whole[..cut]), "Cannot POST […]", "{}", &whole[..cut]);
        }
        assert_eq!(secrets.conceal("POST /hooks/s3cr&#x2"), "POST […]");
        assert_eq!(secrets.conceal("POST /hooks/s3cr\u{fffd}"), "POST […]");
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in ".{0,40}", path in "[a-z%&;#/+\\\\0-9é]{0,20}") {
            let url: Url = format!("http://localhost/{path}").parse().unwrap();
            let parts = secret_parts(&url);
            let shown = Secrets::of([&url]).conceal(&format!("{text}{}{text}", url.path()));
            for part in parts.iter().filter(|part| !text.contains(part.as_str())) {
                prop_assert!(!shown.contains(part.as_str()), "{shown}");
            }
        }
    }
}
