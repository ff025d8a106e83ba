//! What is active in bodies of services without markup, or with another than Markdown: what their servers and apps find in
//! plain text, in HTML, and in the text of entities and cards.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

use super::{AT_NAME, DOMAIN, HASH, PHONE, Scan, URL};

regexes! {
    CARD_DATE = r"\{\{";
    CARD_MENTION = r"(?i)</?at";
    IPV4 = r"\b\d{1,3}(?:\.\d{1,3}){3}\b";
    CASHTAG = r"(?:^|[^\w$])\$[A-Z]";
    BOT_COMMAND = r"(?:^|[^\w/])/[A-Za-z0-9_]";
    ANY_SCHEME = r"(?i)[a-z]://[a-z0-9]";
    OUR_ENTITY = r"&(?:lt|gt|quot|amp|#39);";
    TAG = r"<[^<>]*>";
}

impl Scan {
    /// The text of a card's run: what Teams replaces in it, and what its apps link.
    pub(super) fn card_text(&mut self, text: &str) {
        self.each("element date", &CARD_DATE, text);
        self.each("mention", &CARD_MENTION, text);
        self.plain(text);
    }

    /// Telegram's text: entities by their kinds, and what the server finds outside of code.
    pub(super) fn telegram(&mut self, text: &str, fields: &Map<String, Value>) {
        let mut units: Vec<u16> = text.encode_utf16().collect();
        for entity in fields.get("entities").and_then(Value::as_array).into_iter().flatten() {
            let kind = entity["type"].as_str().unwrap();
            let [offset, length] =
                ["offset", "length"].map(|key| usize::try_from(entity[key].as_u64().unwrap()).unwrap());
            assert!(length > 0 && offset + length <= units.len(), "{entity} of {text}");
            match kind {
                "code" | "pre" => units[offset..offset + length].fill(1),
                "text_link" => {}
                kind => self.add(kind),
            }
        }
        let text = String::from_utf16(&units).unwrap();
        self.bare(&text);
        for (kind, regex) in [
            ("link domain", &DOMAIN),
            ("link address", &IPV4),
            ("mention", &AT_NAME),
            ("link hashtag", &HASH),
            ("link cashtag", &CASHTAG),
            ("link command", &BOT_COMMAND),
            ("link phone", &PHONE),
            ("link scheme", &ANY_SCHEME),
        ] {
            self.each(kind, regex, &text);
        }
    }

    /// Counts tags and attributes by their names, and links by their origins; the rest is text.
    pub(super) fn html(&mut self, html: &str) {
        for tag in TAG.find_iter(html) {
            match tag.as_str().strip_prefix("<a href=\"").and_then(|tag| tag.strip_suffix("\">")) {
                Some(url) if !url.contains(['"', ' ']) => self.link(&decoded(url)),
                _ => self.add(format!("tag {}", tag.as_str())),
            }
        }
        let text = TAG.replace_all(html, "\u{1}").into_owned();
        if text.contains(['<', '>', '"', '\'']) {
            self.add("link unescaped");
        }
        if text.matches('&').count() != OUR_ENTITY.find_iter(&text).count() {
            self.add("link entity");
        }
        self.plain(&decoded(&text));
    }

    /// Text without markup, in which apps find links. A link of the message itself counts by its origin.
    pub(super) fn plain(&mut self, text: &str) {
        for found in URL.find_iter(text) {
            self.link(found.as_str());
        }
        let text = URL.replace_all(text, "\u{1}").into_owned();
        self.bare(&text);
        self.each("link domain", &DOMAIN, &text);
    }
}

/// Text of HTML, with the entities that mean its own characters.
fn decoded(html: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    entities.into_iter().fold(html.to_owned(), |text, (entity, char)| text.replace(entity, char))
}
