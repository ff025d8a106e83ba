//! One message: its sender, blocks and attachments.

use serde_json::Value;

use super::blocks;
use super::fragment::{array, escape};

/// A message of a page or a picture.
#[derive(Debug, Clone, Copy)]
pub struct Posted<'m> {
    /// What stands above it; may be empty.
    pub heading: &'m str,
    /// The body of the request.
    pub body: &'m Value,
    /// Whether it is in the thread of the message before it.
    pub is_reply: bool,
}

/// A message in the channel.
impl<'m> From<(&'m str, &'m Value)> for Posted<'m> {
    fn from((heading, body): (&'m str, &'m Value)) -> Self {
        Self { heading, body, is_reply: false }
    }
}

/// Messages, each below its heading.
pub fn articles<'m>(sender: &str, messages: impl IntoIterator<Item = impl Into<Posted<'m>>>) -> String {
    let mut html = String::new();
    for Posted { heading, body, is_reply } in messages.into_iter().map(Into::into) {
        if !heading.is_empty() {
            html.push_str(&format!("<h2 class=\"case\">{}</h2>\n", escape(heading)));
        }
        let article = article(sender, body);
        html.push_str(&if is_reply { format!("<div class=\"reply\">\n{article}</div>\n") } else { article });
    }
    html
}

/// A message as an `article` element.
pub fn article(sender: &str, body: &Value) -> String {
    let initial: String = sender.chars().take(1).collect();
    let mut html = format!(
        "<article class=\"message\">\n<div class=\"avatar\" aria-hidden=\"true\">{}</div>\n<div class=\"content\">\n\
         <p class=\"sender\"><b>{}</b> <span class=\"app\">APP</span></p>\n",
        escape(&initial),
        escape(sender)
    );
    html.push_str(&blocks::content(body));
    for attachment in array(&body["attachments"]) {
        html.push_str(&blocks::attachment(attachment));
    }
    html.push_str("</div>\n</article>\n");
    html
}
