//! The smallest parts of a page: escaped text, links, placeholders; and how values are read.

use serde_json::Value;

use crate::link::web_url;
use crate::text::clean;

/// Escapes text for an element or an attribute; hidden characters become visible.
pub fn escape(text: &str) -> String {
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

/// Links HTML to http, https or mail; with any other URL, returns the HTML without a link.
pub fn link(url: &str, class: &str, inner: &str) -> String {
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

/// A placeholder for a picture, which links to it.
pub fn picture(url: &str, alt: &str, class: &str) -> String {
    let shown = if alt.trim().is_empty() { "picture" } else { alt };
    link(url, class, &format!("<span class=\"frame\" aria-hidden=\"true\">🖼</span> <span>{}</span>", escape(shown)))
}

/// A placeholder for something that is not drawn, with its name.
pub fn placeholder(name: &str) -> String {
    format!("<p class=\"placeholder\">[{}]</p>\n", escape(name))
}

/// The items of an array; none of another value.
pub fn array(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A string field; empty if it is absent or of another type.
pub fn string<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Returns a colour as `#rrggbb`; `None` for anything else.
pub fn hex_color(text: &str) -> Option<String> {
    let hex = text.strip_prefix('#').unwrap_or(text);
    (hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit())).then(|| format!("#{hex}"))
}
