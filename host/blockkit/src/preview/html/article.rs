//! One message: its sender, blocks and attachments.

use serde_json::Value;

use super::blocks;
use super::fragment::{array, escape};

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
