//! A body as a page of its own, close to Slack's look, light and dark.
//!
//! The page needs nothing but itself: no script, no font, no style from elsewhere, and its policy forbids them. Pictures
//! are placeholders that link to where they are, so that looking at a preview tells nobody. Every text of a message
//! goes through [`escape`], and every link leads to http, https or mail.

mod blocks;
mod charts;
mod elements;
mod inlines;
mod tables;
#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::link::web_url;
use crate::text::clean;

const STYLE: &str = include_str!("style.css");

/// Who seems to write; the webhook has a name and a picture of its own.
const NAME: &str = "banhook";

/// Bodies of incoming webhooks, each with a title above it, as one page.
#[must_use]
pub fn to_html<'b>(title: &str, messages: impl IntoIterator<Item = (&'b str, &'b Value)>) -> String {
    let mut page = String::from("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    // No hash of the style: the page is made once, and nothing in it but the style is ours to vary.
    page.push_str(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         base-uri 'none'; form-action 'none'\">\n",
    );
    page.push_str("<meta name=\"referrer\" content=\"no-referrer\">\n");
    page.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    page.push_str("<meta name=\"color-scheme\" content=\"light dark\">\n");
    page.push_str(&format!("<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n", escape(title)));
    for (heading, body) in messages {
        if !heading.is_empty() {
            page.push_str(&format!("<h2 class=\"case\">{}</h2>\n", escape(heading)));
        }
        page.push_str(&message(body));
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn message(body: &Value) -> String {
    let mut html = format!(
        "<article class=\"message\">\n<div class=\"avatar\" aria-hidden=\"true\">b</div>\n<div class=\"content\">\n\
         <p class=\"sender\"><b>{NAME}</b> <span class=\"app\">APP</span></p>\n"
    );
    html.push_str(&blocks::shown(body));
    for attachment in array(&body["attachments"]) {
        html.push_str(&blocks::attachment(attachment));
    }
    html.push_str("</div>\n</article>\n");
    html
}

/// Text that shows as just that text, also within an attribute; hidden characters made visible.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for char in clean(text).chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            char => escaped.push(char),
        }
    }
    escaped
}

/// A link around something that is HTML already; the thing alone, if the URL is none of the web.
fn link(url: &str, class: &str, inner: &str) -> String {
    let mail = || url.starts_with("mailto:").then(|| url.to_owned());
    match web_url(url).map(String::from).or_else(mail) {
        Some(url) => {
            let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
            format!("<a{class} href=\"{}\" rel=\"noreferrer noopener\" target=\"_blank\">{inner}</a>", escape(&url))
        }
        None if class.is_empty() => inner.to_owned(),
        None => format!("<span class=\"{class}\">{inner}</span>"),
    }
}

/// Where a picture would be.
fn picture(url: &str, alt: &str, class: &str) -> String {
    let shown = if alt.trim().is_empty() { "picture" } else { alt };
    link(url, class, &format!("<span class=\"frame\" aria-hidden=\"true\">🖼</span> <span>{}</span>", escape(shown)))
}

/// What is not drawn, and what it is.
fn placeholder(what: &str) -> String {
    format!("<p class=\"placeholder\">[{}]</p>\n", escape(what))
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn string<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// `#rrggbb`, or nothing that is a colour.
fn hex_color(text: &str) -> Option<String> {
    let hex = text.strip_prefix('#').unwrap_or(text);
    (hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit())).then(|| format!("#{hex}"))
}
