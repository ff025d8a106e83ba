//! What is active in a body: links, mentions, formatting, emoji, hidden characters.
//!
//! For tests, and on purpose without `escape`, `blockkit` or the dialects: it reads the JSON that goes out as the target
//! would, by rules of its own, and rather calls too much active than too little.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::{Map, Value};

use super::Target;

/// Kinds of active things, and how often each occurs. Links and mentions are named, formatting is not.
pub(super) type Active = BTreeMap<String, usize>;

/// Returns what is active in a body but not in `harmless`, the same message with harmless foreign text.
pub(super) fn gained(target: Target, body: &Value, harmless: &Value) -> Vec<String> {
    let before = active(target, harmless);
    let more = |(kind, count): (String, usize)| (count > before.get(&kind).copied().unwrap_or(0)).then_some(kind);
    active(target, body).into_iter().filter_map(more).collect()
}

/// Returns whether it mentions, links or hides something, and not only looks different.
pub(super) fn is_strong(kind: &str) -> bool {
    ["link", "mention", "angle", "hidden", "element"].iter().any(|strong| kind.starts_with(strong))
}

/// Returns everything active in a body.
pub(super) fn active(target: Target, body: &Value) -> Active {
    // An app's body is that of a webhook.
    let target = if target == Target::SLACK_APP { Target::SLACK } else { target };
    let mut scan = Scan { target, found: Active::new() };
    scan.value(body);
    scan.found
}

macro_rules! regexes {
    ($($name:ident = $pattern:expr;)*) => { $(static $name: LazyLock<Regex> = LazyLock::new(|| Regex::new($pattern).unwrap());)* };
}

#[path = "active_plain.rs"]
mod plain;

struct Scan {
    target: Target,
    found: Active,
}

regexes! {
    FENCE = r"(?s)```.*?```";
    SPAN = r"`[^`\n]+`";
    ANGLE = r"<[^<>]*>?";
    EMOJI = r":([A-Za-z0-9_+'.\-]+):";
    QUOTE = r"(?m)^(&gt;|>)";
    STAR = r"(?m)(?:^|[^\p{L}\p{N}])\*+[^\s*](?:[^*\n]*[^\s*])?\*+(?:$|[^\p{L}\p{N}])";
    UNDERSCORE = r"(?m)(?:^|[^\p{L}\p{N}])_+[^\s_](?:[^_\n]*[^\s_])?_+(?:$|[^\p{L}\p{N}])";
    TILDE = r"(?m)(?:^|[^\p{L}\p{N}])~+[^\s~](?:[^~\n]*[^\s~])?~+(?:$|[^\p{L}\p{N}])";
    URL = r"(?i)\b(?:https?|ftp|steam|discord)://[^\s)]*";
    WWW = r"(?i)\bwww\.[a-z0-9][^\s)]*";
    SCHEME = r"(?i)\b(?:mailto|tel):[^\s)\x{200b}]+";
    EMAIL = r"[\w.+\-]+@[\w\-]+\.\w+";
    DOMAIN = r"(?i)\b[a-z0-9\-]+\.[a-z]{2,}\b";
    MASKED = r"\[([^\]]*)\]\(([^)]*)\)";
    BACKSLASHED = r"\\[!-/:-@\[-`{-~]";
    ENTITY = r"&(?:#\d+|#x[0-9a-fA-F]+|[a-z]+);";
    SPOILER = r"\|\|[^|]+\|\|";
    TEX = r"\$[^$\n]+\$|\\[\[(]";
    HEADING = r"(?m)^ {0,3}#{1,6}[ \t]";
    LIST = r"(?m)^[ \t]*(?:[-+*•]|\d+[.)])[ \t]";
    RULE = r"(?m)^ {0,3}(?:-{2,}|={2,}|_{3,}|\*{3,})[ \t]*$";
    INDENTED = r"(?m)^(?: {4}|\t)\S";
    TABLE = r"(?m)^\s*\|";
    AT_NAME = r"@[A-Za-z0-9._\-]+";
    AT_EVERYONE = r"(?i)@(?:everyone|here)";
    ZULIP_AT = r"@_?\*\*?[^*]+\*";
    ZULIP_HASH = r"#\*\*[^*]+\*\*|#[A-Za-z0-9]";
    HASH = r"#[\p{L}0-9]";
    TILDE_CHANNEL = r"(?:^|[^\w~])~[a-z0-9]";
    PHONE = r"\+\(?\d";
    COMMAND = r"^/[a-z]";
    SLACK_LINK = r"<([^\n<|>]+)\|([^|\n>]+)>";
    SLACK_URL = r"(?i)<((?:[a-z]+:/|[\w\-]+\.)[^\s<|>]+)\|([^>\n]+)>";
    SLACK_ALL = r"<!(channel|here|everyone|all|group)[^>]*>";
    ZULIP_BOLD = r"(?m)([^\w]|^)\*([^*\s](?:[^*\n]*[^*\s])?)\*([^\w]|$)";
    ZULIP_ITALIC = r"(?m)([^\w]|^)_([^_\s](?:[^_\n]*[^_\s])?)_([^\w]|$)";
}

impl Scan {
    fn add(&mut self, kind: impl Into<String>) {
        *self.found.entry(kind.into()).or_default() += 1;
    }

    fn each(&mut self, kind: &str, regex: &Regex, text: &str) {
        for _ in regex.find_iter(text) {
            self.add(kind);
        }
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => self.object(fields),
            Value::Array(items) => items.iter().for_each(|item| self.value(item)),
            Value::String(text) => self.hidden(text),
            _ => {}
        }
    }

    fn object(&mut self, fields: &Map<String, Value>) {
        let kind = fields.get("type").and_then(Value::as_str).unwrap_or_default();
        for (key, value) in fields {
            self.hidden(key);
            self.value(value);
            let Some(text) = value.as_str() else { continue };
            if key == "url" || key.ends_with("_url") || key.ends_with("_link") {
                self.link(text);
            }
            if self.target != Target::SLACK {
                match key.as_str() {
                    "message" | "title" | "label" if self.target == Target::NTFY => self.plain(text),
                    "text" | "altText" | "title" if self.target == Target::TEAMS => self.card_text(text),
                    "text" if self.target == Target::TELEGRAM => self.telegram(text, fields),
                    "text" | "title" | "label" | "alt" if self.target == Target::JSON => self.plain(text),
                    "html" if self.target == Target::JSON => self.html(text),
                    "text" | "pretext" | "title" | "value" => self.markdown(text),
                    "fallback" => self.bare(text),
                    _ => {}
                }
            } else {
                match (kind, key.as_str()) {
                    ("mrkdwn" | "", "text") => {
                        self.mrkdwn(text, fields.get("verbatim") != Some(&Value::Bool(true)) && kind == "mrkdwn")
                    }
                    ("", "fallback" | "pretext" | "value") => self.mrkdwn(text, false),
                    ("plain_text", "text") if fields.get("emoji") != Some(&Value::Bool(false)) => self.emoji(text),
                    ("markdown", "text") => self.markdown(text),
                    _ => {}
                }
            }
        }
        if self.target == Target::TEAMS {
            // Markdown is read in them.
            if ["TextBlock", "FactSet"].contains(&kind) || fields.contains_key("entities") {
                self.add(format!("element {kind}"));
            }
            for look in ["weight", "italic", "strikethrough", "fontType", "isSubtle", "separator"] {
                if fields.contains_key(look) && kind == "TextRun" && !matches!(look, "fontType") {
                    self.add(format!("look {look}"));
                }
            }
        }
        if matches!(kind, "user" | "usergroup" | "broadcast" | "team") {
            self.add(format!("element {}", Value::Object(fields.clone())));
        }
        if let Some(style) = fields.get("style").and_then(Value::as_object) {
            style.keys().for_each(|style| self.add(format!("style {style}")));
        }
    }

    fn hidden(&mut self, text: &str) {
        // Elsewhere than on Slack a zero-width space is the one that keeps things apart.
        let ours = |c: char| c == '\u{200b}' && self.target != Target::SLACK;
        let hides = |c: char| {
            (c.is_control() && c != '\n' && c != '\t')
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{ad}')
        };
        if text.chars().any(|c| hides(c) && !ours(c)) {
            self.add("hidden");
        }
    }

    /// Counts a link by its origin: foreign text may stand in its path.
    fn link(&mut self, url: &str) {
        match url::Url::parse(url) {
            Ok(url) => self.add(format!("link {}", url.origin().ascii_serialization())),
            Err(_) => self.add(format!("link {url}")),
        }
    }

    fn emoji(&mut self, text: &str) {
        const HEX: [&str; 11] = ["a", "b", "ab", "de", "bee", "100", "cd", "abcd", "1234", "abc", "bed"];
        let mut rest = text;
        while let Some(found) = EMOJI.captures(rest) {
            let name = &found[1];
            let address = name.bytes().all(|b| b.is_ascii_hexdigit()) && !HEX.contains(&name);
            if !address && name.contains(|c: char| c.is_ascii_alphanumeric()) {
                self.add("emoji");
            }
            // The colon that ends it may begin the next.
            rest = &rest[found.get(0).unwrap().end() - 1..];
        }
    }

    /// Slack's markup.
    fn mrkdwn(&mut self, text: &str, links_bare: bool) {
        let text = self.without_code(text);
        for angle in ANGLE.find_iter(&text) {
            // Foreign text may be its label.
            self.add(format!("angle {}", angle.as_str().split('|').next().unwrap()));
        }
        let text = ANGLE.replace_all(&text, "\u{1}").into_owned();
        if links_bare {
            self.bare(&text);
        }
        self.each("quote", &QUOTE, &text);
        self.emoji(&text);
        self.formatting(&text);
    }

    fn formatting(&mut self, text: &str) {
        self.each("bold", &STAR, text);
        self.each("italic", &UNDERSCORE, text);
        self.each("strike", &TILDE, text);
        self.each("quote", &QUOTE, text);
        if text.contains('`') {
            self.add("code");
        }
    }

    fn without_code(&mut self, text: &str) -> String {
        self.each("code", &FENCE, text);
        let text = FENCE.replace_all(text, "\u{1}");
        self.each("code", &SPAN, &text);
        SPAN.replace_all(&text, "\u{1}").into_owned()
    }

    /// A backslash keeps a backtick from beginning code; within code it is a character like any other.
    fn without_escaped_backticks(&self, text: &str) -> String {
        if self.target == Target::ZULIP {
            return text.to_owned();
        }
        let mut kept = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['\\', '`']) {
            kept.push_str(&rest[..at]);
            rest = &rest[at..];
            let length = if rest.starts_with('`') {
                let fence = if rest.starts_with("```") { "```" } else { "`" };
                rest[fence.len()..].find(fence).map_or(rest.len(), |end| end + 2 * fence.len())
            } else {
                rest.chars().take(2).map(char::len_utf8).sum()
            };
            kept.push_str(if rest.starts_with("\\`") { "\u{1}" } else { &rest[..length] });
            rest = &rest[length..];
        }
        kept + rest
    }

    /// Translates Slack's markup as the server does before it looks for its own.
    fn translated(&self, text: &str) -> String {
        if self.target == Target::ROCKETCHAT {
            return text.to_owned();
        }
        let links = if self.target == Target::MATTERMOST { &SLACK_LINK } else { &SLACK_URL };
        let text = links.replace_all(text, "[$2]($1)");
        let text = SLACK_ALL.replace_all(&text, |found: &Captures<'_>| match self.target.as_str() {
            "zulip" => "@**all**".to_owned(),
            "discord" => format!("@{}", found[1].replace("channel", "everyone")),
            _ => format!("@{}", &found[1]),
        });
        if self.target != Target::ZULIP {
            return text.into_owned();
        }
        let text = ZULIP_BOLD.replace_all(&text, "$1**$2**$3");
        ZULIP_ITALIC.replace_all(&text, "$1*$2*$3").into_owned()
    }

    /// Rocket.Chat has Slack's form of links itself, with plain labels.
    fn without_slack_links(&mut self, text: &str) -> String {
        for found in SLACK_URL.captures_iter(text) {
            self.link(&found[1]);
            self.each("mention", &AT_NAME, &found[2]);
        }
        SLACK_ALL.replace_all(&SLACK_URL.replace_all(text, "\u{1}"), "@$1").into_owned()
    }

    /// The Markdown of the target; on Slack that of its `markdown` block.
    fn markdown(&mut self, text: &str) {
        let text = if self.target == Target::SLACK { text.to_owned() } else { self.translated(text) };
        if self.target == Target::DISCORD {
            // In code as well: Discord does not document that its server looks for code first.
            self.each("mention everyone", &AT_EVERYONE, &text);
        }
        let text = if self.target == Target::ROCKETCHAT { self.without_slack_links(&text) } else { text };
        let text = self.without_code(&self.without_escaped_backticks(&text));
        let text = match self.target.as_str() {
            "zulip" => text,
            _ => BACKSLASHED.replace_all(&text, "\u{1}").into_owned(),
        };
        let text = match self.target.as_str() {
            "discord" | "rocketchat" => text,
            _ => ENTITY.replace_all(&text, "\u{1}").into_owned(),
        };
        for found in MASKED.captures_iter(&text) {
            self.link(&found[2]);
        }
        let text = MASKED.replace_all(&text, "\u{1}$1\u{1}").into_owned();
        for angle in
            ANGLE.find_iter(&text).filter(|angle| angle.as_str().chars().nth(1).is_some_and(|c| c.is_ascii_graphic()))
        {
            self.add(format!("angle {}", angle.as_str()));
        }
        self.bare(&text);
        self.emoji(&text);
        self.formatting(&text);
        for (kind, regex) in
            [("heading", &HEADING), ("list", &LIST), ("rule", &RULE), ("indented code", &INDENTED), ("table", &TABLE)]
        {
            self.each(kind, regex, &text);
        }
        match self.target.as_str() {
            "discord" => self.each("spoiler", &SPOILER, &text),
            "rocketchat" => {
                self.each("spoiler", &SPOILER, &text);
                self.each("link phone", &PHONE, &text);
                self.each("link domain", &DOMAIN, &text);
            }
            "zulip" => {
                self.each("command", &COMMAND, &text);
                self.each("link domain", &DOMAIN, &text);
            }
            _ => {}
        }
        if self.target != Target::DISCORD && self.target != Target::SLACK {
            self.each("tex", &TEX, &text);
        }
    }

    /// Counts what some services look for in any text.
    fn bare(&mut self, text: &str) {
        let www = (self.target != Target::DISCORD).then_some(&WWW);
        for regex in [&URL, &SCHEME].into_iter().chain(www) {
            for found in regex.find_iter(text) {
                self.link(found.as_str());
            }
        }
        self.each("link email", &EMAIL, text);
        match self.target.as_str() {
            "slack" | "ntfy" | "json" | "telegram" | "teams" => {}
            "mattermost" => {
                self.each("mention", &AT_NAME, text);
                self.each("link channel", &TILDE_CHANNEL, text);
                self.each("link hashtag", &HASH, text);
            }
            "rocketchat" => {
                self.each("mention", &AT_NAME, text);
                self.each("link channel", &HASH, text);
            }
            "discord" => self.each("mention everyone", &AT_EVERYONE, text),
            "zulip" => {
                self.each("mention", &ZULIP_AT, text);
                self.each("link channel", &ZULIP_HASH, text);
            }
            other => panic!("there are no rules for {other}"),
        }
    }
}

/// The check finds what was deliberately not escaped.
#[test]
fn gained_finds_unescaped_text() {
    const SLACK: Target = Target::SLACK;
    const MATTERMOST: Target = Target::MATTERMOST;
    const ROCKETCHAT: Target = Target::ROCKETCHAT;
    const DISCORD: Target = Target::DISCORD;
    const ZULIP: Target = Target::ZULIP;
    const NTFY: Target = Target::NTFY;
    const JSON: Target = Target::JSON;
    const TELEGRAM: Target = Target::TELEGRAM;
    const TEAMS: Target = Target::TEAMS;
    const MARKUP: &[Target] = &[SLACK, MATTERMOST, ROCKETCHAT, DISCORD, ZULIP];
    let text = |target: Target, text: &str| match target.as_str() {
        "ntfy" => serde_json::json!({ "message": text, "actions": [{ "label": text }] }),
        "json" => serde_json::json!({ "html": text }),
        _ => serde_json::json!({ "text": text }),
    };
    for (target, found) in [
        (&[SLACK][..], "<!channel>"),
        (&[SLACK], "<https://evil.example|x>"),
        (&[SLACK], "<unclosed"),
        (MARKUP, "a *b* c"),
        (MARKUP, "_i_"),
        (MARKUP, "~~s~~"),
        (MARKUP, "`c`"),
        (MARKUP, ":skull:"),
        (Target::ALL, "\u{202e}"),
        (Target::ALL, "\u{1b}[31m"),
        (MARKUP, "> q"),
        (&[SLACK], "\u{200b}"),
        (&[MATTERMOST, ROCKETCHAT, DISCORD, ZULIP], "<https://evil.example|x>"),
        (&[MATTERMOST, ROCKETCHAT, DISCORD, ZULIP], "[x](https://evil.example)"),
        (&[MATTERMOST, ROCKETCHAT, DISCORD, ZULIP], "https://evil.example"),
        (&[MATTERMOST, ROCKETCHAT, DISCORD, ZULIP], "<!channel>"),
        (&[MATTERMOST, ROCKETCHAT, DISCORD, ZULIP], "# h"),
        (&[MATTERMOST, ROCKETCHAT, DISCORD, ZULIP], "1. l"),
        (&[MATTERMOST, ROCKETCHAT], "@channel"),
        (&[MATTERMOST, ROCKETCHAT], "x @anna"),
        (&[MATTERMOST], "~town-square"),
        (&[MATTERMOST, ZULIP], "www.evil.example"),
        (&[ROCKETCHAT, ZULIP], "evil.example"),
        (&[ROCKETCHAT], "#general"),
        (&[DISCORD], "@everyone"),
        (&[DISCORD], "`@here`"),
        (&[DISCORD], "<@123>"),
        (&[DISCORD], "||x||"),
        (&[ZULIP], "@**all**"),
        (&[ZULIP], "/me x"),
        (&[ZULIP], "$$x$$"),
        (&[NTFY], "https://evil.example"),
        (&[NTFY], "www.evil.example"),
        (&[NTFY], "evil.example"),
        (&[NTFY], "root@evil.example"),
        (&[NTFY], "tel:110"),
        (&[TELEGRAM], "https://evil.example"),
        (&[TELEGRAM], "evil.example"),
        (&[TELEGRAM], "203.0.113.7"),
        (&[TELEGRAM], "x @anna"),
        (&[TELEGRAM], "#tag"),
        (&[TELEGRAM], "$USD"),
        (&[TELEGRAM], "/start"),
        (&[TELEGRAM], "+491"),
        (&[TELEGRAM], "tg://x"),
        (&[TEAMS], "https://evil.example"),
        (&[TEAMS], "evil.example"),
        (&[TEAMS], "{{DATE(x)}}"),
        (&[TEAMS], "<at>x</at>"),
        (&[JSON], "<b>x</b>"),
        (&[JSON], "<a href=\"https://evil.example\">x</a>"),
        (&[JSON], "<img src=x>"),
        (&[JSON], "<b"),
        (&[JSON], "\" onclick=\"x"),
        (&[JSON], "&copy"),
        (&[JSON], "https:&#47;/x"),
        (&[JSON], "evil.example"),
    ] {
        for target in target {
            let gained = gained(*target, &text(*target, found), &text(*target, "harmless"));
            assert!(!gained.is_empty(), "{target:?} {found:?}");
        }
    }
    for body in [
        serde_json::json!({ "blocks": [{ "type": "mrkdwn", "text": "https://evil.example" }] }),
        serde_json::json!({ "blocks": [{ "type": "plain_text", "text": ":skull:" }] }),
        serde_json::json!({ "blocks": [{ "type": "broadcast", "range": "here" }] }),
        serde_json::json!({ "blocks": [{ "type": "markdown", "text": "[x](https://evil.example)" }] }),
        serde_json::json!({ "blocks": [{ "type": "text", "text": "\u{202e}" }] }),
    ] {
        assert!(!active(SLACK, &body).is_empty(), "{body}");
    }
}
