//! Messages as a web page.

use serde_json::Value;

use super::article::{Posted, article, articles};
use super::fragment::escape;
use super::style::{DARK, LIGHT, STYLE};

/// What a page shows around its messages.
#[derive(Debug, Clone, Copy)]
pub struct Page<'t> {
    /// The title of the page.
    pub title: &'t str,
    /// The name of the app that sends the messages. Slack shows the name that the webhook has there.
    pub sender: &'t str,
}

/// Draws the bodies of webhook requests, each below its heading, as one page.
#[must_use]
pub fn to_html<'b>(page: &Page<'_>, messages: impl IntoIterator<Item = impl Into<Posted<'b>>>) -> String {
    let mut html = String::from("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n");
    // The policy needs no hash of the style: no text of a message can get into it.
    html.push_str(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         base-uri 'none'; form-action 'none'\"/>\n",
    );
    html.push_str("<meta name=\"referrer\" content=\"no-referrer\"/>\n");
    html.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n");
    html.push_str("<meta name=\"color-scheme\" content=\"light dark\"/>\n");
    html.push_str(&format!("<title>{}</title>\n<style>\n", escape(page.title)));
    html.push_str(&format!("{}</style>\n</head>\n<body>\n<main>\n", stylesheet()));
    html.push_str(&articles(page.sender, messages));
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

/// Draws the body of a webhook request as an HTML element, for a page that has [`stylesheet`].
#[must_use]
pub fn to_article(sender: &str, body: &Value) -> String {
    article(sender, body)
}

/// Returns the style sheet of [`to_html`] and [`to_article`], for light and dark.
#[must_use]
pub fn stylesheet() -> String {
    format!(":root {{\n{LIGHT}}}\n@media (prefers-color-scheme: dark) {{\n  :root {{\n{DARK}  }}\n}}\n{STYLE}")
}
