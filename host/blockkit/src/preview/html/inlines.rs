//! Text: text objects, mrkdwn, and rich text.

use serde_json::Value;

use super::fragment::{array, escape, link, string};
use crate::emoji;
use crate::inline::{self, Inline, Style};

/// The deepest indentation of a list in Slack.
const INDENT_MAX: u64 = 8;

/// Draws a text object, or a string in its place.
pub fn text_object(object: &Value) -> String {
    let text = object.as_str().unwrap_or_else(|| string(object, "text"));
    match object["type"].as_str() {
        Some("mrkdwn") => mrkdwn(text),
        Some("plain_text") if object["emoji"] == false => lines(&[Inline::Text(text.to_owned(), Style::default())]),
        Some("plain_text") => lines(&inline::from_plain_with_emoji(text)),
        _ => lines(&[Inline::Text(text.to_owned(), Style::default())]),
    }
}

/// Draws mrkdwn.
pub fn mrkdwn(text: &str) -> String {
    lines(&crate::mrkdwn::parse(text))
}

/// Draws the elements of a `rich_text` block.
pub fn rich_text(elements: &[Value]) -> String {
    elements.iter().map(rich_text_element).collect()
}

/// Draws them on one line, for cells and titles.
pub fn rich_text_line(elements: &[Value]) -> String {
    elements.iter().map(|part| lines(&inlines(array(&part["elements"])))).collect::<Vec<_>>().join(" ")
}

fn rich_text_element(element: &Value) -> String {
    let parts = array(&element["elements"]);
    match string(element, "type") {
        "rich_text_section" => format!("<div class=\"text\">{}</div>\n", lines(&inlines(parts))),
        "rich_text_preformatted" => {
            format!("<pre>{}</pre>\n", inlines(parts).iter().map(|inline| escape(&inline.shown())).collect::<String>())
        }
        "rich_text_quote" => format!("<blockquote>{}</blockquote>\n", lines(&inlines(parts))),
        "rich_text_list" => list(element, parts),
        other => super::fragment::placeholder(other),
    }
}

fn list(list: &Value, items: &[Value]) -> String {
    let indent = list["indent"].as_u64().unwrap_or(0).min(INDENT_MAX);
    let first = list["offset"].as_u64().unwrap_or(0).saturating_add(1);
    let items: String = items
        .iter()
        .map(|item| match string(item, "type") {
            "rich_text_section" => format!("<li>{}</li>", lines(&inlines(array(&item["elements"])))),
            _ => format!("<li>{}</li>", rich_text_element(item)),
        })
        .collect();
    if list["style"] == "ordered" {
        format!("<ol class=\"indent{indent}\" start=\"{first}\">{items}</ol>\n")
    } else {
        format!("<ul class=\"indent{indent}\">{items}</ul>\n")
    }
}

fn inlines(parts: &[Value]) -> Vec<Inline> {
    parts.iter().map(inline::from_element).collect()
}

/// Draws text with its line feeds; consecutive quoted lines become one quotation.
fn lines(inlines: &[Inline]) -> String {
    let mut html = String::new();
    // Within a quotation; at the end of one of its lines.
    let (mut quoted, mut ended) = (false, false);
    for (index, inline) in inlines.iter().enumerate() {
        if *inline == Inline::Quote {
            // A quotation begins and ends a line by itself.
            if quoted {
                html.push('\n');
            } else {
                html.truncate(html.trim_end_matches('\n').len());
                html.push_str("<blockquote>");
            }
            (quoted, ended) = (true, false);
            continue;
        }
        if ended {
            html.push_str("</blockquote>");
            (quoted, ended) = (false, false);
        }
        match inline {
            Inline::Text(text, style) if quoted => match text.split_once('\n') {
                Some((line, rest)) => {
                    html.push_str(&styled(&escape(line), *style));
                    ended = rest.is_empty();
                    if !ended {
                        html.push_str("</blockquote>");
                        quoted = false;
                        html.push_str(&styled(&escape(rest), *style));
                    }
                }
                None => html.push_str(&styled(&escape(text), *style)),
            },
            Inline::Text(text, style) => {
                // A block of code ends its line by itself.
                let below = index.checked_sub(1).and_then(|before| inlines.get(before));
                let text = match below {
                    Some(Inline::Preformatted(_)) => text.strip_prefix('\n').unwrap_or(text),
                    _ => text,
                };
                html.push_str(&styled(&escape(text), *style));
            }
            inline => html.push_str(&other(inline)),
        }
    }
    if quoted {
        html.push_str("</blockquote>");
    }
    html
}

fn other(inline: &Inline) -> String {
    match inline {
        Inline::Text(..) | Inline::Quote => String::new(),
        Inline::Preformatted(text) => format!("<pre>{}</pre>", escape(text)),
        Inline::Emoji(name, style) => match emoji::by_name(name) {
            // Not escaped: from our own list, which needs its joiners.
            Some(characters) => {
                styled(&format!("<span class=\"emoji\" title=\":{}:\">{}</span>", escape(name), characters), *style)
            }
            None => styled(&escape(&format!(":{name}:")), *style),
        },
        Inline::Link { url, label, style } => styled(&link(url, "", &escape(label.as_ref().unwrap_or(url))), *style),
        Inline::Date { fallback, style, .. } => styled(&format!("<time>{}</time>", escape(fallback)), *style),
        Inline::Mention(_) | Inline::Channel(_) => {
            format!("<span class=\"mention\">{}</span>", escape(&inline.shown()))
        }
        Inline::Other(name) => format!("<span class=\"placeholder\">[{}]</span>", escape(name)),
    }
}

fn styled(html: &str, style: Style) -> String {
    let tags =
        [(style.strike, "s"), (style.underline, "u"), (style.italic, "i"), (style.bold, "b"), (style.code, "code")];
    let open: String = tags.iter().filter(|(on, _)| *on).map(|(_, tag)| format!("<{tag}>")).collect();
    let close: String = tags.iter().rev().filter(|(on, _)| *on).map(|(_, tag)| format!("</{tag}>")).collect();
    format!("{open}{html}{close}")
}
