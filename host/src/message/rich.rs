//! Texts as inlines, which all targets are written from. For Slack they become the elements of a `rich_text` block, where
//! nothing in them can act as markup, and spans become escaped mrkdwn where Slack accepts only text objects.

use blockkit::emoji::is_name;
use blockkit::inline::{self, Inline, Mentioned, Style};
use blockkit::text::{clean, one_line};
use blockkit::{mrkdwn, web_url};
use serde_json::{Map, Value, json};

use super::escape::{Mrkdwn, code, escape};
use super::model::{self, Date, DateFormat, Mention, Span, Text};
use super::sanitizer::{Sanitizer, is_id};
use crate::event::Timestamp;

/// Returns a text as inlines. Mentions are text, unless the sanitizer lets them stay.
pub(super) fn inlines(text: &Text, sanitizer: &Sanitizer) -> Vec<Inline> {
    match text {
        Text::Plain(plain) => vec![Inline::Text(clean(plain).into_owned(), Style::default())],
        Text::Mrkdwn(markup) => mrkdwn::parse(sanitizer.mrkdwn(markup).as_str()),
        Text::Rich(spans) => spans.iter().map(|span| inline(span, sanitizer.mentions)).collect(),
    }
}

fn inline(span: &Span, mentions: bool) -> Inline {
    let text = |text: &str, style| Inline::Text(clean(text).into_owned(), style);
    let plain = Style::default();
    match span {
        Span::Text(styled) => text(&styled.text, style(styled.style)),
        Span::Emoji(name) => match name.trim_matches(':') {
            name if is_name(name) => Inline::Emoji(name.to_owned(), plain),
            name => text(&format!(":{name}:"), plain),
        },
        Span::Link(link) => match web_url(&link.url) {
            Some(url) => Inline::Link { url: url.into(), label: link.label(), style: style(link.style) },
            None => text(&link.shown(), style(link.style)),
        },
        Span::Date(Date { at, format }) => match seconds(*at) {
            Some(seconds) => Inline::Date {
                seconds,
                format: date_format(*format).to_owned(),
                fallback: in_utc(*at, *format),
                style: plain,
            },
            None => text(&in_utc(*at, *format), plain),
        },
        Span::Mention(mention) => self::mention(mention, mentions),
    }
}

/// Returns a mention, or its text if it may not stay or has no id.
fn mention(mention: &Mention, mentions: bool) -> Inline {
    let all = |whom: &str| inline::Mention::All(whom.to_owned());
    let found = match mention {
        Mention::User(id) => inline::Mention::User(Mentioned::by_id(one_line(id))),
        Mention::Group(id) => inline::Mention::Group(Mentioned::by_id(one_line(id))),
        Mention::Channel => all("channel"),
        Mention::Here => all("here"),
    };
    let stays = mentions
        && match mention {
            Mention::User(id) | Mention::Group(id) => is_id(id),
            Mention::Channel | Mention::Here => true,
        };
    let found = Inline::Mention(found);
    if stays { found } else { Inline::Text(found.shown(), Style::default()) }
}

/// Returns the elements of a `rich_text_section`, of at most `max_chars` characters in all. Those that show nothing are left
/// out, since Slack refuses them.
pub(super) fn to_elements(inlines: Vec<Inline>, max_chars: usize) -> Vec<Value> {
    let kept = inline::cut(inlines, max_chars);
    kept.iter().filter(|inline| !inline.shown().is_empty()).map(to_element).collect()
}

fn to_element(inline: &Inline) -> Value {
    let mut element = match inline {
        Inline::Text(text, _) => json!({ "type": "text", "text": text }),
        Inline::Preformatted(text) => json!({ "type": "text", "text": text, "style": { "code": true } }),
        Inline::Emoji(name, _) => json!({ "type": "emoji", "name": name }),
        // One of a plugin's own markup may have another scheme.
        Inline::Link { url, .. } if web_url(url).is_none() => json!({ "type": "text", "text": inline.shown() }),
        Inline::Link { url, .. } => json!({ "type": "link", "url": url, "text": inline.shown() }),
        Inline::Date { seconds, format, fallback, .. } => {
            json!({ "type": "date", "timestamp": seconds, "format": format, "fallback": fallback })
        }
        Inline::Mention(inline::Mention::All(range)) => json!({ "type": "broadcast", "range": range }),
        Inline::Mention(inline::Mention::User(who)) => json!({ "type": "user", "user_id": who.id }),
        Inline::Mention(inline::Mention::Group(who)) => json!({ "type": "usergroup", "usergroup_id": who.id }),
        Inline::Channel(_) | Inline::Quote | Inline::Other(_) => json!({ "type": "text", "text": inline.shown() }),
    };
    if let (Inline::Text(_, style) | Inline::Link { style, .. }, Some(fields)) = (inline, element.as_object_mut()) {
        let styles = [("bold", style.bold), ("italic", style.italic), ("strike", style.strike), ("code", style.code)];
        let styles: Map<String, Value> =
            styles.into_iter().filter(|(_, on)| *on).map(|(name, on)| (name.to_owned(), on.into())).collect();
        if !styles.is_empty() {
            fields.insert("style".to_owned(), styles.into());
        }
    }
    element
}

/// Returns spans as escaped markup.
pub(super) fn to_mrkdwn(spans: &[Span], sanitizer: &Sanitizer) -> Mrkdwn {
    let mut markup = Mrkdwn::default();
    for span in spans {
        markup.push(&match (span, inline(span, sanitizer.mentions)) {
            (_, Inline::Text(text, style)) => styled(&text, style),
            (_, Inline::Emoji(name, _)) => Mrkdwn::sanitized(format!(":{name}:")),
            (Span::Link(link), Inline::Link { style, .. }) => marked(markers(style), link.to_mrkdwn()),
            (_, Inline::Date { seconds, format, fallback, .. }) => {
                Mrkdwn::sanitized(format!("<!date^{seconds}^{format}|{fallback}>"))
            }
            (_, Inline::Mention(inline::Mention::All(range))) => Mrkdwn::sanitized(format!("<!{range}>")),
            (_, Inline::Mention(inline::Mention::User(who))) => Mrkdwn::sanitized(format!("<@{}>", who.id)),
            (_, Inline::Mention(inline::Mention::Group(who))) => Mrkdwn::sanitized(format!("<!subteam^{}>", who.id)),
            // No span becomes another inline.
            (_, other) => escape(&other.shown()),
        });
    }
    markup
}

/// Returns the text of inlines, if none has a style.
pub(super) fn as_plain(inlines: &[Inline]) -> Option<String> {
    let text = |inline: &Inline| match inline {
        Inline::Text(text, style) if *style == Style::default() => Some(text.clone()),
        _ => None,
    };
    inlines.iter().map(text).collect()
}

/// Returns a label in bold, on one line.
pub(super) fn bold(label: &str) -> Mrkdwn {
    styled(&one_line(label), Style { bold: true, ..Style::default() })
}

/// Puts markers around the words: Slack formats `*a*`, but neither `**` nor `* a *`.
fn styled(text: &str, style: Style) -> Mrkdwn {
    let (inner, markers) = (text.trim(), markers(style));
    if style.code && markers.is_empty() {
        return code(text);
    }
    if inner.is_empty() || markers.is_empty() {
        return escape(text);
    }
    let before = text.len() - text.trim_start().len();
    let after = text.trim_end().len();
    let mut markup = escape(text.get(..before).unwrap_or_default());
    markup.push(&marked(markers, if style.code { code(inner) } else { escape(inner) }));
    markup.push(&escape(text.get(after..).unwrap_or_default()));
    markup
}

/// Returns the markers of a style, outermost first.
fn markers(style: Style) -> Vec<&'static str> {
    let markers = [(style.strike, "~"), (style.bold, "*"), (style.italic, "_")];
    markers.into_iter().filter_map(|(on, marker)| on.then_some(marker)).collect()
}

fn marked(markers: Vec<&'static str>, inner: Mrkdwn) -> Mrkdwn {
    markers.into_iter().rev().fold(inner, |inner, marker| {
        let mut markup = Mrkdwn::literal(marker);
        markup.push(&inner);
        markup.push(&Mrkdwn::literal(marker));
        markup
    })
}

const fn style(model::Style { bold, italic, strike, code }: model::Style) -> Style {
    Style { bold, italic, strike, code, underline: false }
}

/// How Slack shows a time in the reader's time zone: "Nov 22, 2026 at 10:56 AM", "yesterday at …".
const fn date_format(format: DateFormat) -> &'static str {
    match format {
        DateFormat::DateTime => "{date_short_pretty} at {time}",
        DateFormat::Date => "{date_short_pretty}",
        DateFormat::Time => "{time}",
        DateFormat::Relative => "{ago}",
    }
}

/// The same in UTC, for readers whose time zone is not known.
fn in_utc(at: Timestamp, format: DateFormat) -> String {
    match format {
        DateFormat::DateTime | DateFormat::Relative => utc(at),
        DateFormat::Date => at.to_jiff().strftime("%Y-%m-%d").to_string(),
        DateFormat::Time => at.to_jiff().strftime("%H:%M UTC").to_string(),
    }
}

/// `2026-11-22 10:56 UTC`
pub(super) fn utc(at: Timestamp) -> String {
    at.to_jiff().strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// Returns the seconds since 1970; Slack accepts no earlier time.
pub(super) fn seconds(at: Timestamp) -> Option<i64> {
    u64::try_from(at.to_jiff().as_second()).ok().and_then(|seconds| i64::try_from(seconds).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::model::Link;

    const AT: Timestamp = Timestamp(1_763_809_015_601);

    fn link(label: &str, url: &str) -> Span {
        Span::Link(Link { label: Some(label.to_owned()), url: url.to_owned(), style: model::Style::default() })
    }

    fn date(at: Timestamp, format: DateFormat) -> Span {
        Span::Date(Date { at, format })
    }

    fn styled(text: &str, styles: &str) -> Span {
        let has = |style| styles.contains(style);
        let style = model::Style { bold: has('b'), italic: has('i'), strike: has('s'), code: has('c') };
        Span::styled(text, style)
    }

    fn elements(spans: &[Span], max_chars: usize, mentions: bool) -> Vec<Value> {
        to_elements(inlines(&Text::Rich(spans.to_vec()), &Sanitizer::new([], mentions)), max_chars)
    }

    fn check(span: Span, mentions: bool, markup: &str, element: Value) {
        let spans = [span];
        assert_eq!(to_mrkdwn(&spans, &Sanitizer::new([], mentions)).as_str(), markup);
        assert_eq!(elements(&spans, 100, mentions), [element]);
    }

    #[test]
    fn span_lowers_to_mrkdwn_and_an_element() {
        let text = |text: &str| json!({"type": "text", "text": text});
        let formatted = |format: &str, fallback: &str| json!({"type": "date", "timestamp": 1_763_809_015, "format": format, "fallback": fallback});
        for (span, markup, element) in [
            (Span::text("<a>"), "&lt;a&gt;", text("<a>")),
            (styled(" b ", "b"), " *b* ", json!({"type": "text", "text": " b ", "style": {"bold": true}})),
            (styled("i", "i"), "_i_", json!({"type": "text", "text": "i", "style": {"italic": true}})),
            (styled("s", "s"), "~s~", json!({"type": "text", "text": "s", "style": {"strike": true}})),
            (Span::code("`"), "`'`", json!({"type": "text", "text": "`", "style": {"code": true}})),
            (
                styled("a*b", "bisc"),
                "~*_`a*b`_*~",
                json!({"type": "text", "text": "a*b", "style": {"bold": true, "italic": true, "strike": true, "code": true}}),
            ),
            (Span::Emoji("no_entry".into()), ":no_entry:", json!({"type": "emoji", "name": "no_entry"})),
            (Span::Emoji(":no_entry:".into()), ":no_entry:", json!({"type": "emoji", "name": "no_entry"})),
            (Span::Emoji("<!here>".into()), ":&lt;!here&gt;:", text(":<!here>:")),
            (
                link("it", "https://example.org"),
                "<https://example.org/|it>",
                json!({"type": "link", "url": "https://example.org/", "text": "it"}),
            ),
            (link("it", "ftp://example.org"), "it", text("it")),
            (
                date(AT, DateFormat::DateTime),
                "<!date^1763809015^{date_short_pretty} at {time}|2025-11-22 10:56 UTC>",
                formatted("{date_short_pretty} at {time}", "2025-11-22 10:56 UTC"),
            ),
            (
                date(AT, DateFormat::Date),
                "<!date^1763809015^{date_short_pretty}|2025-11-22>",
                formatted("{date_short_pretty}", "2025-11-22"),
            ),
            (date(AT, DateFormat::Time), "<!date^1763809015^{time}|10:56 UTC>", formatted("{time}", "10:56 UTC")),
            (
                date(AT, DateFormat::Relative),
                "<!date^1763809015^{ago}|2025-11-22 10:56 UTC>",
                formatted("{ago}", "2025-11-22 10:56 UTC"),
            ),
            (date(Timestamp(-1000), DateFormat::DateTime), "1969-12-31 23:59 UTC", text("1969-12-31 23:59 UTC")),
        ] {
            check(span, false, markup, element);
        }
    }

    #[test]
    fn mention_is_one_only_where_it_may_be_and_has_an_id() {
        let text = |text: &str| json!({"type": "text", "text": text});
        for (mention, markup, element, shown) in [
            (Mention::User("U1".into()), "<@U1>", json!({"type": "user", "user_id": "U1"}), "@U1"),
            (Mention::Group("S1".into()), "<!subteam^S1>", json!({"type": "usergroup", "usergroup_id": "S1"}), "@S1"),
            (Mention::Channel, "<!channel>", json!({"type": "broadcast", "range": "channel"}), "@channel"),
            (Mention::Here, "<!here>", json!({"type": "broadcast", "range": "here"}), "@here"),
        ] {
            check(Span::Mention(mention.clone()), true, markup, element);
            check(Span::Mention(mention), false, shown, text(shown));
        }
        let hostile = Span::Mention(Mention::User("U1> <!channel".into()));
        check(hostile, true, "@U1&gt; &lt;!channel", text("@U1> <!channel"));
    }

    #[test]
    fn elements_are_cut_and_never_empty() {
        let spans = [styled("", "b"), Span::text("abc"), Span::text("def"), link("", "x")];
        let text = |text: &str| json!({"type": "text", "text": text});
        assert_eq!(elements(&spans, 5, false), [text("abc"), text("d…")]);
        assert_eq!(elements(&spans, 7, false), [text("abc"), text("def"), text("x")]);
        assert_eq!(to_mrkdwn(&[styled("", "b"), Span::code("")], &Sanitizer::new([], false)).as_str(), "");
    }

    #[test]
    fn as_plain_only_without_style() {
        let plain = |spans: &[Span]| as_plain(&inlines(&Text::Rich(spans.to_vec()), &Sanitizer::new([], false)));
        assert_eq!(plain(&[Span::text("a"), Span::text("*b*")]), Some("a*b*".to_owned()));
        assert_eq!(plain(&[Span::text("a"), styled("b", "b")]), None);
    }
}
