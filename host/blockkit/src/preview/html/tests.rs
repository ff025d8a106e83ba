//! Bodies and the pages made of them: `testdata/html/NAME.json` and `NAME.html`. `UPDATE_GOLDEN=1` writes the latter.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::*;

#[test]
fn golden_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/html");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    assert!(files.len() >= 4, "{files:?}");
    let mut wrong = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let body: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let found = to_html(name, [(name, &body)]);
        let golden = file.with_extension("html");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, found).unwrap();
        } else if fs::read_to_string(&golden).unwrap_or_default() != found {
            wrong.push(format!("{} is not what was found:\n{found}", golden.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// The message of a page.
fn shown(body: &Value) -> String {
    let page = to_html("x", [("", body)]);
    let (_, content) = page.split_once("</p>\n").unwrap();
    content.split_once("</div>\n</article>").unwrap().0.to_owned()
}

#[test]
fn text_cannot_become_a_tag_or_an_attribute() {
    let hostile = "<script>alert(1)</script>\" onmouseover=\"x' &lt; \u{202e}";
    let text = json!({ "type": "plain_text", "text": hostile, "emoji": false });
    let body = json!({ "attachments": [{
        "color": "#fff\" onload=\"x", "title": hostile, "title_link": "javascript:alert(1)", "author_name": hostile,
        "author_link": "https://example.org/\"><b>", "footer": hostile,
        "blocks": [
            { "type": hostile },
            { "type": "header", "text": text },
            { "type": "image", "image_url": "https://example.org/\"x", "alt_text": hostile },
            { "type": "actions", "elements": [{ "type": "button", "text": text, "url": "javascript:x", "style": hostile },
                { "type": "static_select", "placeholder": text, "options": [{ "text": text }] }] },
            { "type": "rich_text", "elements": [{ "type": hostile }, { "type": "rich_text_section", "elements": [
                { "type": "link", "url": "data:text/html,x", "text": hostile }, { "type": "emoji", "name": hostile } ] }] },
            { "type": "table", "rows": [[{ "type": "raw_text", "text": hostile }]] },
            { "type": "markdown", "text": hostile },
        ],
    }] });
    let page = shown(&body);
    for forbidden in
        ["<script", "\" onmouseover", "\" onload", "javascript:", "data:text", "\u{202e}", "example.org/\""]
    {
        assert!(!page.contains(forbidden), "{forbidden} in {page}");
    }
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot; onmouseover=&quot;x&#39;"), "{page}");
}

#[test]
fn a_page_fetches_nothing() {
    let body = json!({ "blocks": [{ "type": "image", "image_url": "https://example.org/a.png", "alt_text": "a" }] });
    let page = to_html("x", [("", &body)]);
    for forbidden in ["<img", "<script", "<link", "src=", "url(", "@import"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert!(page.contains("default-src 'none'; style-src 'unsafe-inline'"), "{page}");
}

#[test]
fn quotations() {
    for (markup, expected) in [
        ("a\n&gt; b\n&gt; c\nd", "<div class=\"text\">a<blockquote>b\nc</blockquote>d</div>\n"),
        (
            "&gt; *b*\nc\n&gt; d",
            "<div class=\"text\"><blockquote><b>b</b></blockquote>c<blockquote>d</blockquote></div>\n",
        ),
        ("&gt; b\n*c*", "<div class=\"text\"><blockquote>b</blockquote><b>c</b></div>\n"),
    ] {
        assert_eq!(shown(&json!({ "text": markup })), expected, "{markup}");
    }
}
