//! Elements of blocks: buttons, menus, inputs, pictures, texts.

use serde_json::Value;

use super::fragment::{array, escape, link, picture, string};
use super::inlines::text_object;

/// Draws elements in a row.
pub fn row(elements: &[Value], class: &str) -> String {
    let elements: String = elements.iter().map(element).collect();
    format!("<div class=\"{class}\">{elements}</div>\n")
}

/// Draws an element.
pub fn element(element: &Value) -> String {
    match string(element, "type") {
        "button" | "workflow_button" => button(element),
        "image" => picture(string(element, "image_url"), string(element, "alt_text"), "thumb"),
        "plain_text" | "mrkdwn" => format!("<span class=\"text\">{}</span>", text_object(element)),
        "checkboxes" => options(element, "☐"),
        "radio_buttons" => options(element, "○"),
        "overflow" => format!("<span class=\"button\" title=\"{}\">⋯</span>", labels(element)),
        "feedback_buttons" => {
            let side = |key: &str, mark: &str| {
                format!(
                    "<span class=\"button\">{mark} {}</span>",
                    element[key].get("text").map(text_object).unwrap_or_default()
                )
            };
            side("positive_button", "👍") + &side("negative_button", "👎")
        }
        "icon_button" => format!("<span class=\"button\">🗑 {}</span>", text_object(&element["text"])),
        kind if kind.ends_with("_select") => select(element, kind),
        "datepicker" => field("📅", string(element, "initial_date"), element, "Choose a date"),
        "timepicker" => field("🕒", string(element, "initial_time"), element, "Choose a time"),
        "datetimepicker" => field("📅", "", element, "Choose a date and time"),
        kind if kind.ends_with("_input") => field("", string(element, "initial_value"), element, "Write something"),
        "" => "<span class=\"placeholder\">[an element without a type]</span>".to_owned(),
        other => format!("<span class=\"placeholder\">[{}]</span>", escape(other)),
    }
}

fn button(element: &Value) -> String {
    let class = match string(element, "style") {
        "primary" => "button primary",
        "danger" => "button danger",
        _ => "button",
    };
    link(string(element, "url"), class, &text_object(&element["text"]))
}

fn options(element: &Value, mark: &str) -> String {
    let option = |option: &Value| {
        let description = &option["description"];
        let small = if description.is_object() {
            format!(" <small>{}</small>", text_object(description))
        } else {
            String::new()
        };
        format!("<li>{mark} {}{small}</li>", text_object(&option["text"]))
    };
    format!("<ul class=\"options\">{}</ul>", array(&element["options"]).iter().map(option).collect::<String>())
}

/// The texts of the options, for a tooltip.
fn labels(element: &Value) -> String {
    let texts = array(&element["options"]).iter().filter_map(|option| option.pointer("/text/text")?.as_str());
    escape(&texts.collect::<Vec<_>>().join(", "))
}

fn select(element: &Value, kind: &str) -> String {
    let chosen = element.pointer("/initial_option/text/text").and_then(Value::as_str).unwrap_or_default();
    let placeholder = match kind.trim_start_matches("multi_") {
        "users_select" => "Choose a person",
        "conversations_select" => "Choose a conversation",
        "channels_select" => "Choose a channel",
        _ => "Choose an option",
    };
    format!(
        "<span title=\"{}\">{}</span>",
        labels(element),
        field("", chosen, element, placeholder).replace("</span>", " ▾</span>")
    )
}

/// Draws an input with its value, or the placeholder of the message, or ours.
fn field(mark: &str, value: &str, element: &Value, ours: &str) -> String {
    let given = element.pointer("/placeholder/text").and_then(Value::as_str).unwrap_or(ours);
    let shown = if value.is_empty() { given } else { value };
    let space = if mark.is_empty() { "" } else { " " };
    format!("<span class=\"button field\">{mark}{space}{}</span>", escape(shown))
}
