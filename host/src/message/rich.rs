//! Rich text, lowered in three ways: to the elements of a `rich_text` block, where nothing in it can act as markup; to
//! escaped mrkdwn, where Slack accepts only text objects; and to inlines, which the other targets are written from.

use blockkit::emoji::is_name;
use blockkit::inline::{Inline, Style};
use blockkit::text::{clean, cut, one_line};
use blockkit::web_url;
use serde_json::{Value, json};

use super::escape::{Mrkdwn, code, escape};
use super::model::Span;
use crate::event::Timestamp;

/// How Slack shows a time: "Nov 22, 2026 at 10:56 AM", "yesterday at …", in the reader's time zone.
const DATE_FORMAT: &str = "{date_short_pretty} at {time}";

/// Returns the elements of a `rich_text_section`, of at most `max_chars` characters in all. Empty spans are left out,
/// since Slack refuses them.
pub(super) fn to_elements(spans: &[Span], max_chars: usize) -> Vec<Value> {
    let mut left = max_chars;
    let mut elements = Vec::new();
    for span in spans.iter().filter(|span| !is_empty(span)) {
        if left == 0 {
            break;
        }
        let (element, length) = to_element(span, left);
        left = left.saturating_sub(length);
        elements.push(element);
    }
    elements
}

/// Returns the element of a span, and the number of characters that it shows.
fn to_element(span: &Span, max_chars: usize) -> (Value, usize) {
    let shown = |text: &str| {
        let text = clean(text);
        let text = cut(&text, max_chars).into_owned();
        let length = text.chars().count();
        (text, length)
    };
    let styled = |text: &str, style: &str| {
        let (text, length) = shown(text);
        let element = if style.is_empty() {
            json!({ "type": "text", "text": text })
        } else {
            json!({ "type": "text", "text": text, "style": { style: true } })
        };
        (element, length)
    };
    match span {
        Span::Text(text) => styled(text, ""),
        Span::Bold(text) => styled(text, "bold"),
        Span::Italic(text) => styled(text, "italic"),
        Span::Strike(text) => styled(text, "strike"),
        Span::Code(text) => styled(text, "code"),
        Span::Emoji(name) if is_name(name) => (json!({ "type": "emoji", "name": name }), 1),
        Span::Emoji(name) => styled(&format!(":{name}:"), ""),
        Span::Link(link) => match web_url(&link.url) {
            Some(url) => {
                let (text, length) = shown(&link.shown());
                (json!({ "type": "link", "url": url.as_str(), "text": text }), length)
            }
            None => styled(&link.shown(), ""),
        },
        Span::Date(at) => match seconds(*at) {
            Some(seconds) => {
                let fallback = utc(*at);
                let length = fallback.len();
                let date = json!({ "type": "date", "timestamp": seconds, "format": DATE_FORMAT, "fallback": fallback });
                (date, length)
            }
            None => styled(&utc(*at), ""),
        },
    }
}

/// Returns escaped markup.
pub(super) fn to_mrkdwn(spans: &[Span]) -> Mrkdwn {
    let mut markup = Mrkdwn::default();
    for span in spans {
        markup.push(&match span {
            Span::Text(text) => escape(text),
            Span::Bold(text) => wrapped("*", text),
            Span::Italic(text) => wrapped("_", text),
            Span::Strike(text) => wrapped("~", text),
            Span::Code(text) => code(text),
            Span::Emoji(name) if is_name(name) => Mrkdwn::sanitized(format!(":{name}:")),
            Span::Emoji(name) => escape(&format!(":{}:", one_line(name))),
            Span::Link(link) => link.to_mrkdwn(),
            Span::Date(at) => date(*at),
        });
    }
    markup
}

/// Returns the inlines that the other targets' texts are written from.
pub(super) fn to_inlines(spans: &[Span]) -> Vec<Inline> {
    let text = |text: &str, style| Inline::Text(clean(text).into_owned(), style);
    let plain = Style::default();
    spans
        .iter()
        .map(|span| match span {
            Span::Text(shown) => text(shown, plain),
            Span::Bold(shown) => text(shown, Style { bold: true, ..plain }),
            Span::Italic(shown) => text(shown, Style { italic: true, ..plain }),
            Span::Strike(shown) => text(shown, Style { strike: true, ..plain }),
            Span::Code(shown) => text(shown, Style { code: true, ..plain }),
            Span::Emoji(name) if is_name(name) => Inline::Emoji(name.clone(), plain),
            Span::Emoji(name) => text(&format!(":{name}:"), plain),
            Span::Link(link) => match web_url(&link.url) {
                Some(url) => {
                    let label = Some(link.shown()).filter(|_| !link.label.trim().is_empty());
                    Inline::Link { url: url.into(), label, style: plain }
                }
                None => text(&link.shown(), plain),
            },
            Span::Date(at) => match seconds(*at) {
                Some(seconds) => Inline::Date { seconds, fallback: utc(*at), style: plain },
                None => text(&utc(*at), plain),
            },
        })
        .collect()
}

/// Returns the spans as one text, if none has a style.
pub(super) fn as_plain(spans: &[Span]) -> Option<String> {
    spans.iter().map(|span| if let Span::Text(text) = span { Some(text.as_str()) } else { None }).collect()
}

/// Returns a label in bold, on one line.
pub(super) fn bold(label: &str) -> Mrkdwn {
    wrapped("*", &one_line(label))
}

/// Puts markers around the words: Slack formats `*a*`, but neither `**` nor `* a *`.
fn wrapped(marker: &'static str, text: &str) -> Mrkdwn {
    let inner = text.trim();
    if inner.is_empty() {
        return escape(text);
    }
    let before = text.len() - text.trim_start().len();
    let after = text.trim_end().len();
    let marker = Mrkdwn::literal(marker);
    let mut markup = escape(text.get(..before).unwrap_or_default());
    markup.push(&marker);
    markup.push(&escape(inner));
    markup.push(&marker);
    markup.push(&escape(text.get(after..).unwrap_or_default()));
    markup
}

/// `<!date^…|fallback>`, or the fallback alone where Slack could not show it.
fn date(at: Timestamp) -> Mrkdwn {
    let fallback = utc(at);
    match seconds(at) {
        Some(seconds) => Mrkdwn::sanitized(format!("<!date^{seconds}^{DATE_FORMAT}|{fallback}>")),
        None => escape(&fallback),
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

fn is_empty(span: &Span) -> bool {
    match span {
        Span::Text(text)
        | Span::Bold(text)
        | Span::Italic(text)
        | Span::Strike(text)
        | Span::Code(text)
        | Span::Emoji(text) => text.is_empty(),
        Span::Link(link) => link.label.is_empty() && link.url.is_empty(),
        Span::Date(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::model::Link;

    const AT: Timestamp = Timestamp(1_763_809_015_601);

    fn link(label: &str, url: &str) -> Span {
        Span::Link(Link { label: label.to_owned(), url: url.to_owned() })
    }

    #[test]
    fn span_lowers_to_mrkdwn_and_an_element() {
        let date = "{date_short_pretty} at {time}";
        for (span, markup, element) in [
            (Span::Text("<a>".into()), "&lt;a&gt;", json!({"type": "text", "text": "<a>"})),
            (Span::Bold(" b ".into()), " *b* ", json!({"type": "text", "text": " b ", "style": {"bold": true}})),
            (Span::Italic("i".into()), "_i_", json!({"type": "text", "text": "i", "style": {"italic": true}})),
            (Span::Strike("s".into()), "~s~", json!({"type": "text", "text": "s", "style": {"strike": true}})),
            (Span::Code("`".into()), "`'`", json!({"type": "text", "text": "`", "style": {"code": true}})),
            (Span::Emoji("no_entry".into()), ":no_entry:", json!({"type": "emoji", "name": "no_entry"})),
            (Span::Emoji("<!here>".into()), ":&lt;!here&gt;:", json!({"type": "text", "text": ":<!here>:"})),
            (
                link("it", "https://example.org"),
                "<https://example.org/|it>",
                json!({"type": "link", "url": "https://example.org/", "text": "it"}),
            ),
            (link("it", "ftp://example.org"), "it", json!({"type": "text", "text": "it"})),
            (
                Span::Date(AT),
                "<!date^1763809015^{date_short_pretty} at {time}|2025-11-22 10:56 UTC>",
                json!({"type": "date", "timestamp": 1_763_809_015, "format": date, "fallback": "2025-11-22 10:56 UTC"}),
            ),
            (
                Span::Date(Timestamp(-1000)),
                "1969-12-31 23:59 UTC",
                json!({"type": "text", "text": "1969-12-31 23:59 UTC"}),
            ),
        ] {
            let spans = [span];
            assert_eq!(to_mrkdwn(&spans).as_str(), markup);
            assert_eq!(to_elements(&spans, 100), [element]);
        }
    }

    #[test]
    fn elements_are_cut_and_never_empty() {
        let spans = [Span::Bold(String::new()), Span::Text("abc".into()), Span::Text("def".into()), link("", "x")];
        let text = |text: &str| json!({"type": "text", "text": text});
        assert_eq!(to_elements(&spans, 5), [text("abc"), text("d…")]);
        assert_eq!(to_elements(&spans, 7), [text("abc"), text("def"), text("x")]);
        assert_eq!(to_mrkdwn(&[Span::Bold(String::new()), Span::Code(String::new())]).as_str(), "");
    }

    #[test]
    fn as_plain_only_without_style() {
        assert_eq!(as_plain(&[Span::Text("a".into()), Span::Text("*b*".into())]), Some("a*b*".to_owned()));
        assert_eq!(as_plain(&[Span::Text("a".into()), Span::Bold("b".into())]), None);
    }
}
