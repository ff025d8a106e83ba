//! Bodies and their pages: `testdata/html/NAME.json` and `NAME.html`. `UPDATE_GOLDEN=1` writes the latter.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::*;

#[test]
fn to_html_of_each_body_is_its_golden_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/html");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    assert!(files.len() >= 4, "{files:?}");
    let mut wrong = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let body: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let found = to_html(&page(name), [(name, &body)]);
        let golden = file.with_extension("html");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, found).unwrap();
        } else if fs::read_to_string(&golden).unwrap_or_default() != found {
            wrong.push(format!("{} differs from:\n{found}", golden.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn page(title: &str) -> Page<'_> {
    Page { title, sender: "app" }
}

/// The message of a page.
fn shown(body: &Value) -> String {
    let page = to_html(&page("x"), [("", body)]);
    let (_, content) = page.split_once("</p>\n").unwrap();
    content.split_once("</div>\n</article>").unwrap().0.to_owned()
}

#[test]
fn to_html_of_hostile_text_has_no_tag_or_attribute_of_it() {
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
            { "type": "data_visualization", "title": hostile, "chart": { "type": "line",
                "series": [{ "name": hostile, "data": [{ "label": hostile, "value": 1 }] }] } },
            { "type": "data_visualization", "title": hostile, "chart": { "type": hostile,
                "segments": [{ "label": hostile, "value": 1 }] } },
            { "type": "data_visualization", "title": "t", "chart": { "type": "pie",
                "segments": [{ "label": hostile, "value": 1 }] } },
            { "type": "data_table", "caption": hostile, "rows": [[{ "type": "raw_text", "text": hostile }]] },
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
fn to_html_of_a_picture_requests_nothing() {
    let body = json!({ "blocks": [{ "type": "image", "image_url": "https://example.org/a.png", "alt_text": "a" }] });
    let page = to_html(&page("x"), [("", &body)]);
    for forbidden in ["<img", "<script", "<link", "src=", "url(", "@import"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert!(page.contains("default-src 'none'; style-src 'unsafe-inline'"), "{page}");
}

#[test]
fn to_html_of_quoted_lines_is_one_quotation() {
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

fn picture(theme: Theme, body: &Value) -> String {
    to_svg(&Picture { alt: "<alt>", sender: "app", theme, width: 600, height: 200 }, [("", body)])
}

#[test]
fn to_svg_has_the_colours_of_its_theme_alone() {
    let (light, dark) = (picture(Theme::Light, &json!({})), picture(Theme::Dark, &json!({})));
    assert!(light.contains("--paper: #fff") && !light.contains("--paper: #1a1d21"), "{light}");
    assert!(dark.contains("--paper: #1a1d21") && !dark.contains("--paper: #fff"), "{dark}");
    assert!(light.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"600\" height=\"200\" "), "{light}");
}

/// What XML demands beyond HTML: every element ends, and every attribute has a value.
#[test]
fn to_svg_of_every_golden_body_is_xml() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/html");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut checked = 0;
    for file in files.filter(|file| file.extension().is_some_and(|extension| extension == "json")) {
        let body: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let svg = picture(Theme::Light, &body);
        roxmltree::Document::parse(&svg).unwrap_or_else(|error| panic!("{}: {error}\n{svg}", file.display()));
        checked += 1;
    }
    assert!(checked >= 4, "{checked}");
}
