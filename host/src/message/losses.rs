//! What a plugin decided and nobody would get to see: texts and lists that are cut, links and mentions that become text,
//! markup that is neutralized, times that cannot be.
//!
//! Production does this in silence, since an alert goes out whatever is wrong with it. `banhook test` says it. The limits
//! are those of Slack, which the built-in lists are cut to for every target.

use blockkit::emoji::is_name;
use blockkit::limits::{ALT_MAX, BUTTON_MAX, FIELD_MAX, HEADER_MAX, TABLE_COLUMNS_MAX, TEXT_OBJECT_MAX, TITLE_MAX};
use blockkit::text::{clean, one_line};
use blockkit::{Finding, Rule, Severity, web_url};

use super::limits::{
    BLOCKS_MAX, BUTTONS_MAX, CELL_MAX, CONTEXT_MAX, FIELDS_MAX, HOLD_MS_MAX, ITEMS_MAX, KEY_CHARS, NOTIFICATION_MAX,
    RICH_TEXT_MAX, ROWS_MAX, TAG_CHARS, TAGS_MAX,
};
use super::model::{
    Block, Button, ContextElement, Date, Field, Hold, Image, Link, Mention, Message, Section, Span, Text,
};
use super::rich;
use super::sanitizer::{Sanitizer, is_id};
use crate::event::{Event, Timestamp};

/// Returns what of a message about events is not shown as the plugin made it. `mentions`: whether the route permits these.
#[must_use]
pub(crate) fn message_losses<'e>(
    message: &Message,
    events: impl IntoIterator<Item = &'e Event>,
    mentions: bool,
) -> Vec<Finding> {
    let sanitizers = Sanitizers {
        own: Sanitizer::new(events, mentions),
        of_no_event: Sanitizer::new([], mentions),
        permissive: Sanitizer::new([], true),
    };
    let mut walk = Walk { sanitizers, path: Vec::new(), found: Vec::new() };
    walk.message(message);
    walk.found
}

/// Returns what of a hold does not count. `now`: the time of its event.
#[must_use]
pub(crate) fn hold_losses(hold: &Hold, now: Timestamp) -> Vec<Finding> {
    let sanitizers = Sanitizers { own: no_event(), of_no_event: no_event(), permissive: no_event() };
    let mut walk = Walk { sanitizers, path: Vec::new(), found: Vec::new() };
    walk.at("key", |walk| walk.length(&hold.key, KEY_CHARS));
    walk.tags(&hold.tags);
    if let Some(until) = hold.until {
        walk.at("until", |walk| {
            if until <= now {
                walk.add("until", "not after the event: the digest closes at once".to_owned());
            } else if until.0.saturating_sub(now.0) > HOLD_MS_MAX {
                walk.add("until", "more than a day after the event: it counts as a day".to_owned());
            }
        });
    }
    walk.found
}

fn no_event() -> Sanitizer {
    Sanitizer::new([], true)
}

/// The sanitizer of the message, and two that show why it changes markup.
struct Sanitizers {
    own: Sanitizer,
    /// With the same mentions, and no values of events.
    of_no_event: Sanitizer,
    /// With all mentions, and no values of events.
    permissive: Sanitizer,
}

/// A walk over a message.
struct Walk {
    sanitizers: Sanitizers,
    /// The keys and indices to the place where it is.
    path: Vec<String>,
    found: Vec<Finding>,
}

impl Walk {
    fn at(&mut self, step: impl ToString, walk: impl FnOnce(&mut Self)) {
        self.path.push(step.to_string());
        walk(self);
        self.path.pop();
    }

    fn each<T>(&mut self, step: &str, list: &[T], mut walk: impl FnMut(&mut Self, &T)) {
        self.at(step, |this| {
            for (index, one) in list.iter().enumerate() {
                this.at(index, |this| walk(this, one));
            }
        });
    }

    fn add(&mut self, rule: &'static str, message: String) {
        self.found.push(Finding {
            severity: Severity::Warning,
            path: format!("/{}", self.path.join("/")),
            rule: Rule::Custom(rule),
            message,
            value: None,
            limit: None,
            sources: &[],
        });
    }

    fn add_too_many(&mut self, rule: &'static str, what: &str, found: usize, most: usize) {
        if found > most {
            self.add(rule, format!("{found} {what}, of which {most} are kept"));
            if let Some(finding) = self.found.last_mut() {
                finding.value = i64::try_from(found).ok();
                finding.limit = i64::try_from(most).ok();
            }
        }
    }

    fn length(&mut self, text: &str, most: usize) {
        self.add_too_many("text-cut", "characters", text.chars().count(), most);
    }

    fn count(&mut self, what: &str, found: usize, most: usize) {
        self.add_too_many("list-cut", what, found, most);
    }

    fn message(&mut self, message: &Message) {
        self.at("text", |walk| walk.text(&message.text, NOTIFICATION_MAX));
        self.at("blocks", |walk| walk.count("blocks", message.blocks.len(), BLOCKS_MAX));
        self.each("blocks", &message.blocks, Self::block);
        self.tags(&message.tags);
        for (name, key) in [("thread", &message.thread), ("name", &message.name), ("replaces", &message.replaces)] {
            if let Some(key) = key {
                self.at(name, |walk| walk.length(key, KEY_CHARS));
            }
        }
    }

    fn tags(&mut self, tags: &[String]) {
        self.at("tags", |walk| walk.count("tags", tags.len(), TAGS_MAX));
        self.each("tags", tags, |walk, tag| walk.length(tag, TAG_CHARS));
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Header(text) => self.at("header", |walk| walk.length(&one_line(text), HEADER_MAX)),
            Block::Section(section) => self.at("section", |walk| walk.section(section)),
            Block::Context(elements) => {
                self.at("context", |walk| walk.count("elements", elements.len(), CONTEXT_MAX));
                self.each("context", elements, |walk, element| match element {
                    ContextElement::Text(text) => walk.shown_text(text, TEXT_OBJECT_MAX),
                    ContextElement::Image { image } => walk.at("image/alt", |walk| walk.length(&image.alt, ALT_MAX)),
                });
            }
            Block::Image(Image { alt, title, .. }) => self.at("image", |walk| {
                walk.at("alt", |walk| walk.length(alt, ALT_MAX));
                walk.at("title", |walk| walk.length(title.as_deref().unwrap_or_default(), TITLE_MAX));
            }),
            Block::Buttons(buttons) => {
                self.at("buttons", |walk| walk.count("buttons", buttons.len(), BUTTONS_MAX));
                self.each("buttons", buttons, |walk, Button { label, .. }| {
                    walk.at("label", |walk| walk.length(label, BUTTON_MAX));
                });
            }
            Block::Preformatted(text) => self.at("preformatted", |walk| walk.length(&clean(text), RICH_TEXT_MAX)),
            Block::Table(rows) => {
                self.at("table", |walk| walk.count("rows", rows.len(), ROWS_MAX));
                self.each("table", rows, |walk, row| {
                    walk.count("cells", row.len(), TABLE_COLUMNS_MAX);
                    for (index, cell) in row.iter().enumerate() {
                        walk.at(index, |walk| walk.text(cell, CELL_MAX));
                    }
                });
            }
            Block::Bullets(items) => self.list("bullets", items),
            Block::Numbers(items) => self.list("numbers", items),
            Block::Quote(text) => self.at("quote", |walk| walk.text(text, RICH_TEXT_MAX)),
            Block::Divider | Block::Raw(_) | Block::Figure(_) => {}
        }
    }

    fn section(&mut self, section: &Section) {
        if let Some(text) = &section.text {
            self.at("text", |walk| walk.text(text, TEXT_OBJECT_MAX));
        }
        self.at("fields", |walk| walk.count("fields", section.fields.len(), FIELDS_MAX));
        self.each("fields", &section.fields, |walk, Field { label, value }| {
            let label_chars = one_line(label).chars().count();
            walk.at("value", |walk| walk.text(value, FIELD_MAX.saturating_sub(label_chars)));
            if label_chars == 0 && walk.is_blank(value) {
                walk.add("left-out", "a field that shows nothing is left out".to_owned());
            }
        });
        if let Some(image) = &section.accessory {
            self.at("accessory/alt", |walk| walk.length(&image.alt, ALT_MAX));
        }
    }

    /// A list, whose items are together as long as one text.
    fn list(&mut self, name: &str, items: &[Text]) {
        self.at(name, |walk| {
            walk.count("items", items.len(), ITEMS_MAX);
            let kept = items.get(..ITEMS_MAX.min(items.len())).unwrap_or_default();
            let chars = kept.iter().map(|item| walk.chars(item)).sum();
            walk.add_too_many("text-cut", "characters in all items", chars, RICH_TEXT_MAX);
        });
        self.each(name, items, |walk, item| walk.shown_text(item, usize::MAX));
    }

    /// A text that is left out if it shows nothing.
    fn shown_text(&mut self, text: &Text, most: usize) {
        self.text(text, most);
        if self.is_blank(text) {
            self.add("left-out", "a text that shows nothing is left out".to_owned());
        }
    }

    fn text(&mut self, text: &Text, most: usize) {
        let chars = self.chars(text);
        self.add_too_many("text-cut", "characters", chars, most);
        match text {
            Text::Plain(_) => {}
            Text::Mrkdwn(markup) => self.markup(markup),
            Text::Rich(spans) => {
                for (index, span) in spans.iter().enumerate() {
                    self.at(index, |walk| walk.span(span));
                }
            }
        }
    }

    fn chars(&self, text: &Text) -> usize {
        match text {
            Text::Plain(text) => clean(text).chars().count(),
            Text::Mrkdwn(markup) => self.sanitizers.own.mrkdwn(markup).as_str().chars().count(),
            Text::Rich(_) => {
                rich::inlines(text, &self.sanitizers.own).iter().map(|inline| inline.shown().chars().count()).sum()
            }
        }
    }

    fn is_blank(&self, text: &Text) -> bool {
        rich::inlines(text, &self.sanitizers.own).iter().all(|inline| inline.shown().trim().is_empty())
    }

    fn markup(&mut self, markup: &str) {
        let Sanitizers { own, of_no_event, permissive } = &self.sanitizers;
        let (own, of_no_event, permissive) =
            (own.mrkdwn(markup), of_no_event.mrkdwn(markup), permissive.mrkdwn(markup));
        let escaped = |markup: &str| markup.matches("&lt;").count();
        if escaped(permissive.as_str()) > escaped(markup) {
            self.add("markup", "a <…> that is no link, date or mention is shown as text".to_owned());
        }
        if of_no_event != permissive {
            self.add("mention", NO_MENTIONS.to_owned());
        }
        if own != of_no_event {
            let why = "text of the event would act as markup, and is neutralized; escape &, < and > in it, or use plain or rich text";
            self.add("markup", why.to_owned());
        }
    }

    fn span(&mut self, span: &Span) {
        match span {
            Span::Text(_) => {}
            Span::Emoji(name) => {
                if !is_name(name.trim_matches(':')) {
                    self.at("emoji", |walk| {
                        walk.add("emoji", "not the name of an emoji: it is shown as text".to_owned())
                    });
                }
            }
            Span::Link(Link { url, .. }) => {
                if web_url(url).is_none() {
                    self.at("link/url", |walk| {
                        walk.add("link", "not an http or https URL: the link is shown as text".to_owned());
                    });
                }
            }
            Span::Date(Date { at, .. }) => {
                if rich::seconds(*at).is_none() {
                    self.at("date/at", |walk| walk.add("date", "before 1970: it is shown as text".to_owned()));
                }
            }
            Span::Mention(mention) => self.at("mention", |walk| walk.mention(mention)),
        }
    }

    fn mention(&mut self, mention: &Mention) {
        if !self.sanitizers.own.mentions {
            self.add("mention", NO_MENTIONS.to_owned());
        } else if let Mention::User(id) | Mention::Group(id) = mention
            && !is_id(id)
        {
            self.add("mention", "not an id of a user or group: it is shown as text".to_owned());
        }
    }
}

/// Why a mention is text.
const NO_MENTIONS: &str = "a mention notifies nobody and is text, unless the route (and the case) has mentions = true";

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn losses(message: Value, mentions: bool) -> Vec<String> {
        let event =
            r#"{"action":"ban","at":"2026-11-22T10:56:55Z","jail":"<https://x.example|*j*>","subject":"203.0.113.7"}"#;
        let event: Event = serde_json::from_str(event).unwrap();
        let message: Message = serde_json::from_value(message).unwrap();
        message_losses(&message, [&event], mentions).iter().map(ToString::to_string).collect()
    }

    fn text_losses(text: Value, mentions: bool) -> Vec<String> {
        losses(json!({ "text": text }), mentions)
    }

    #[test]
    fn message_that_is_shown_as_it_is_loses_nothing() {
        let text = json!({ "rich": [
            { "text": "<https://x.example|*j*>" }, { "emoji": "no_entry" }, { "date": { "at": "2026-11-22T10:56:55Z" } },
            { "link": { "label": "it", "url": "https://example.org" } }, { "mention": { "user": "U012AB3CD" } },
        ] });
        let table = json!([[{ "plain": "a" }]]);
        let markup = json!({ "mrkdwn": "*a* <https://example.org|b> <@U012AB3CD> a &lt; b" });
        let blocks = json!([{ "section": { "text": markup } }, { "table": table }, { "bullets": [text] }, "divider"]);
        assert_eq!(losses(json!({ "text": text, "blocks": blocks, "thread": "t", "tags": ["a"] }), true), [""; 0]);
    }

    #[test]
    fn spans_that_become_text_are_named() {
        for (span, mentions, expected) in [
            (json!({ "link": { "url": "javascript:alert(1)" } }), true, "/text/0/link/url: not an http or https URL"),
            (json!({ "emoji": "no entry" }), true, "/text/0/emoji: not the name of an emoji"),
            (json!({ "mention": { "user": "b b" } }), true, "/text/0/mention: not an id"),
            (json!({ "mention": "here" }), false, "/text/0/mention: a mention notifies nobody"),
            (json!({ "date": { "at": "1960-01-01T00:00:00Z" } }), true, "/text/0/date/at: before 1970"),
        ] {
            let found = text_losses(json!({ "rich": [span] }), mentions);
            assert!(found.len() == 1 && found[0].starts_with(expected), "{span}: {found:?}");
        }
    }

    #[test]
    fn markup_says_why_it_is_neutralized() {
        for (markup, mentions, expected) in [
            ("<javascript:alert(1)|x>", true, "a <…> that is no link"),
            ("<!channel> look", false, "a mention notifies nobody"),
            ("in <https://x.example|*j*>", true, "text of the event would act as markup"),
        ] {
            let found = text_losses(json!({ "mrkdwn": markup }), mentions);
            assert!(found.len() == 1 && found[0].contains(expected), "{markup}: {found:?}");
        }
        assert_eq!(text_losses(json!({ "mrkdwn": "<!channel> look" }), true), [""; 0]);
    }

    #[test]
    fn texts_and_lists_that_are_cut_name_value_and_limit() {
        let long = |chars: usize| "ä".repeat(chars);
        let plain = |chars: usize| json!({ "plain": long(chars) });
        let one = || json!({ "plain": "a" });
        for (block, expected) in [
            (json!({ "header": long(151) }), "/blocks/0/header: 151 characters, of which 150 are kept (text-cut)"),
            (json!({ "section": { "text": plain(3_001) } }), "/blocks/0/section/text: 3001 characters, of which 3000"),
            (
                json!({ "section": { "fields": [{ "label": "ab", "value": plain(1_999) }] } }),
                "/blocks/0/section/fields/0/value: 1999 characters, of which 1998",
            ),
            (
                json!({ "section": { "fields": [{ "label": "", "value": { "plain": " " } }] } }),
                "/blocks/0/section/fields/0: a field that",
            ),
            (json!({ "context": vec![one(); 11] }), "/blocks/0/context: 11 elements, of which 10 are kept (list-cut)"),
            (json!({ "context": [{ "plain": "" }] }), "/blocks/0/context/0: a text that shows nothing"),
            (
                json!({ "buttons": [{ "label": long(76), "url": "https://example.org" }] }),
                "/blocks/0/buttons/0/label: 76",
            ),
            (json!({ "table": vec![json!([one()]); 101] }), "/blocks/0/table: 101 rows, of which 100"),
            (json!({ "table": [[plain(501)]] }), "/blocks/0/table/0/0: 501 characters"),
            (
                json!({ "bullets": vec![plain(100); 31] }),
                "/blocks/0/bullets: 3100 characters in all items, of which 3000",
            ),
            (json!({ "preformatted": long(3_001) }), "/blocks/0/preformatted: 3001"),
            (
                json!({ "image": { "url": "https://example.org/a.png", "alt": long(2_001) } }),
                "/blocks/0/image/alt: 2001",
            ),
        ] {
            let found = losses(json!({ "text": one(), "blocks": [block] }), true);
            assert!(found.len() == 1 && found[0].starts_with(expected), "{expected}: {found:?}");
        }
        let found = losses(json!({ "text": one(), "name": long(201), "tags": vec!["a"; 11] }), true);
        assert_eq!(
            found,
            [
                "/tags: 11 tags, of which 10 are kept (list-cut)",
                "/name: 201 characters, of which 200 are kept (text-cut)",
            ]
        );
    }

    #[test]
    fn hold_until_the_past_or_for_more_than_a_day_is_named() {
        let now = Timestamp(1_763_809_015_601);
        let losses = |until: i64, key: &str| {
            let hold = Hold { key: key.to_owned(), until: Some(Timestamp(now.0 + until)), ..Hold::default() };
            hold_losses(&hold, now).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(losses(1, "k"), [""; 0]);
        assert_eq!(losses(HOLD_MS_MAX, "k"), [""; 0]);
        assert!(losses(0, "k")[0].starts_with("/until: not after the event"));
        assert!(losses(HOLD_MS_MAX + 1, "k")[0].starts_with("/until: more than a day"));
        assert_eq!(losses(1, &"k".repeat(201)), ["/key: 201 characters, of which 200 are kept (text-cut)"]);
    }
}
