//! Paragraphs as HTML with few tags, which chats that take HTML have in common: bold, italic and struck text, code, links,
//! line breaks.

use super::paragraphs::{Paragraph, ParagraphKind, Run, separator};
use super::slack_compatible::encoded_url;

/// Returns the paragraphs as HTML. Their text is text in it.
pub(super) fn html(paragraphs: &[Paragraph]) -> String {
    let mut html = String::new();
    let mut before = None;
    for paragraph in paragraphs {
        if let Some(before) = before {
            html.push_str(&separator(before, paragraph.kind).replace('\n', "<br>"));
        }
        before = Some(paragraph.kind);
        let runs: String = paragraph.runs.iter().map(run).collect();
        match paragraph.kind {
            ParagraphKind::Text | ParagraphKind::Item => html.push_str(&runs.replace('\n', "<br>")),
            ParagraphKind::Heading => html.push_str(&format!("<b>{runs}</b>")),
            ParagraphKind::Quote => html.push_str(&format!("<i>{}</i>", runs.replace('\n', "<br>"))),
            // With its own line feeds.
            ParagraphKind::Code => html.push_str(&format!("<pre>{runs}</pre>")),
            ParagraphKind::Divider => html.push_str("──────────"),
        }
    }
    html
}

fn run(Run { text, style, link }: &Run) -> String {
    let mut html = escape(text);
    for (on, tag) in [(style.code, "code"), (style.strike, "s"), (style.italic, "i"), (style.bold, "b")] {
        if on {
            html = format!("<{tag}>{html}</{tag}>");
        }
    }
    match link {
        Some(url) => format!("<a href=\"{}\">{html}</a>", escape(&encoded_url(url))),
        None => html,
    }
}

/// Returns text as HTML that shows it, also within an attribute.
fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            char => html.push(char),
        }
    }
    html
}
