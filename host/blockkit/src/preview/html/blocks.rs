//! Blocks, attachments, and the text of a message without blocks.

use serde_json::Value;

use super::fragment::{array, escape, hex_color, link, picture, placeholder, string};
use super::inlines::{mrkdwn, rich_text, rich_text_line, text_object};
use super::{charts, elements, tables};

/// Draws `blocks`, or `text` if there are none, as Slack does.
pub fn content(owner: &Value) -> String {
    let blocks = array(&owner["blocks"]);
    if blocks.is_empty() {
        return match string(owner, "text") {
            "" => String::new(),
            text => format!("<div class=\"text\">{}</div>\n", mrkdwn(text)),
        };
    }
    blocks.iter().map(block).collect()
}

/// Draws an attachment, with blocks or in the older format.
pub fn attachment(attachment: &Value) -> String {
    let mut html = String::new();
    let pretext = string(attachment, "pretext");
    if !pretext.is_empty() {
        html.push_str(&format!("<div class=\"text\">{}</div>\n", mrkdwn(pretext)));
    }
    let (class, style) = match string(attachment, "color") {
        "good" => (" good", String::new()),
        "warning" => (" warning", String::new()),
        "danger" => (" danger", String::new()),
        other => ("", hex_color(other).map(|hex| format!(" style=\"border-left-color:{hex}\"")).unwrap_or_default()),
    };
    let mut inside = String::new();
    let author = string(attachment, "author_name");
    if !author.is_empty() {
        inside.push_str(&format!(
            "<p class=\"author\">{}</p>\n",
            link(string(attachment, "author_link"), "", &escape(author))
        ));
    }
    let title = string(attachment, "title");
    if !title.is_empty() {
        inside.push_str(&format!(
            "<p class=\"title\"><b>{}</b></p>\n",
            link(string(attachment, "title_link"), "", &escape(title))
        ));
    }
    inside.push_str(&content(attachment));
    inside.push_str(&fields(attachment));
    for key in ["image_url", "thumb_url"] {
        if !string(attachment, key).is_empty() {
            inside.push_str(&picture(string(attachment, key), string(attachment, "fallback"), "image"));
        }
    }
    let footer = string(attachment, "footer");
    if !footer.is_empty() {
        inside.push_str(&format!("<p class=\"footer\">{}</p>\n", escape(footer)));
    }
    if inside.is_empty() {
        inside = format!("<div class=\"text\">{}</div>\n", mrkdwn(string(attachment, "fallback")));
    }
    format!("{html}<div class=\"attachment{class}\"{style}>\n{inside}</div>\n")
}

fn fields(attachment: &Value) -> String {
    let field = |field: &Value| {
        let class = if field["short"] == true { "field" } else { "field wide" };
        let title = escape(string(field, "title"));
        format!("<div class=\"{class}\"><b>{title}</b><br/>{}</div>", mrkdwn(string(field, "value")))
    };
    let fields: String = array(&attachment["fields"]).iter().map(field).collect();
    if fields.is_empty() { fields } else { format!("<div class=\"fields\">{fields}</div>\n") }
}

fn block(block: &Value) -> String {
    match string(block, "type") {
        "header" => format!("<h3>{}</h3>\n", text_object(&block["text"])),
        "section" => section(block),
        "context" => elements::row(array(&block["elements"]), "context"),
        "divider" => "<hr/>\n".to_owned(),
        "image" => image(block),
        "actions" | "context_actions" => elements::row(array(&block["elements"]), "actions"),
        "rich_text" => rich_text(array(&block["elements"])),
        "table" | "data_table" => tables::table(block),
        "markdown" => format!("<div class=\"text markdown\">{}</div>\n", escape(string(block, "text"))),
        "video" => video(block),
        "file" => placeholder(&format!("file {}", string(block, "external_id"))),
        "input" => input(block),
        "alert" => alert(block),
        "card" => card(block),
        "carousel" => format!(
            "<div class=\"carousel\">{}</div>\n",
            array(&block["elements"]).iter().map(card).collect::<String>()
        ),
        "container" => container(block),
        "data_visualization" => charts::chart(block),
        "task_card" => task(block),
        "plan" => plan(block),
        "" => placeholder("a block without a type"),
        other => placeholder(&format!("{other} block, not drawn here")),
    }
}

fn section(block: &Value) -> String {
    let mut html = String::from("<div class=\"section\"><div>");
    if block["text"].is_object() {
        html.push_str(&format!("<div class=\"text\">{}</div>\n", text_object(&block["text"])));
    }
    let fields: String = array(&block["fields"])
        .iter()
        .map(|field| format!("<div class=\"field\">{}</div>", text_object(field)))
        .collect();
    if !fields.is_empty() {
        html.push_str(&format!("<div class=\"fields\">{fields}</div>\n"));
    }
    html.push_str("</div>");
    if block["accessory"].is_object() {
        html.push_str(&elements::element(&block["accessory"]));
    }
    html.push_str("</div>\n");
    html
}

fn image(block: &Value) -> String {
    let title = if block["title"].is_object() {
        format!("<p class=\"title\">{}</p>\n", text_object(&block["title"]))
    } else {
        String::new()
    };
    let file = block.pointer("/slack_file/url").and_then(Value::as_str).unwrap_or_default();
    let url = block["image_url"].as_str().unwrap_or(file);
    format!("{title}{}\n", picture(url, string(block, "alt_text"), "image"))
}

fn video(block: &Value) -> String {
    let title = text_object(&block["title"]);
    let url = block["title_url"].as_str().unwrap_or_else(|| string(block, "video_url"));
    let description = if block["description"].is_object() { text_object(&block["description"]) } else { String::new() };
    format!(
        "<div class=\"card\"><p class=\"title\"><b>{}</b></p>\n<div class=\"text\">{description}</div>\n{}\n</div>\n",
        link(url, "", &title),
        picture(string(block, "video_url"), &format!("video: {}", string(block, "alt_text")), "image"),
    )
}

fn input(block: &Value) -> String {
    format!(
        "<div class=\"input\"><p class=\"title\"><b>{}</b></p>{}</div>\n",
        text_object(&block["label"]),
        elements::element(&block["element"])
    )
}

fn alert(block: &Value) -> String {
    let (class, mark) = match string(block, "level") {
        "info" => ("info", "ℹ️"),
        "warning" => ("warning", "⚠️"),
        "error" => ("error", "⛔"),
        "success" => ("success", "✅"),
        _ => ("default", "🔔"),
    };
    format!(
        "<div class=\"alert {class}\"><span>{mark}</span><div class=\"text\">{}</div></div>\n",
        text_object(&block["text"])
    )
}

fn card(block: &Value) -> String {
    let mut html = String::from("<div class=\"card\">");
    for (key, class) in [("hero_image", "image"), ("icon", "thumb")] {
        if block[key].is_object() {
            html.push_str(&picture(string(&block[key], "image_url"), string(&block[key], "alt_text"), class));
        }
    }
    for (key, class) in [("title", "title"), ("subtitle", "subtitle"), ("body", "text"), ("subtext", "footer")] {
        if !block[key].is_null() {
            html.push_str(&format!("<p class=\"{class}\">{}</p>\n", text_object(&block[key])));
        }
    }
    if !array(&block["actions"]).is_empty() {
        html.push_str(&elements::row(array(&block["actions"]), "actions"));
    }
    html.push_str("</div>\n");
    html
}

fn container(block: &Value) -> String {
    let title = if block["rich_text_title"].is_object() {
        rich_text_line(elements_of(&block["rich_text_title"]))
    } else {
        text_object(&block["title"])
    };
    let subtitle = if block["subtitle"].is_object() {
        format!("<p class=\"subtitle\">{}</p>\n", text_object(&block["subtitle"]))
    } else {
        String::new()
    };
    let inside: String = array(&block["child_blocks"]).iter().map(self::block).collect();
    if block["is_collapsible"] == true {
        let open = if block["default_collapsed"] == true { "" } else { " open=\"\"" };
        return format!(
            "<details class=\"card\"{open}><summary><b>{title}</b></summary>\n{subtitle}{inside}</details>\n"
        );
    }
    format!("<div class=\"card\"><p class=\"title\"><b>{title}</b></p>\n{subtitle}{inside}</div>\n")
}

fn elements_of(block: &Value) -> &[Value] {
    array(&block["elements"])
}

fn task(block: &Value) -> String {
    let mark = match string(block, "status") {
        "in_progress" => "🔄",
        "complete" => "✅",
        "error" => "❌",
        _ => "○",
    };
    let mut html =
        format!("<div class=\"task\"><p class=\"title\">{mark} <b>{}</b></p>\n", escape(string(block, "title")));
    for key in ["details", "output"] {
        html.push_str(&rich_text(elements_of(&block[key])));
    }
    for source in array(&block["sources"]) {
        html.push_str(&format!(
            "<p class=\"footer\">{}</p>\n",
            link(string(source, "url"), "", &escape(string(source, "text")))
        ));
    }
    html.push_str("</div>\n");
    html
}

fn plan(block: &Value) -> String {
    let tasks: String = array(&block["tasks"]).iter().map(task).collect();
    format!("<div class=\"card\"><p class=\"title\"><b>{}</b></p>\n{tasks}</div>\n", escape(string(block, "title")))
}
