//! Tables: the blocks `table` and `data_table`.

use serde_json::Value;

use super::fragment::{array, escape, string};
use super::inlines::rich_text_line;

/// Draws a table with its first row as the heading.
pub fn table(block: &Value) -> String {
    let settings = array(&block["column_settings"]);
    let header_column = block["row_header_column_index"].as_u64();
    let caption = string(block, "caption");
    let mut html = String::from("<div class=\"scroll\"><table>");
    if !caption.is_empty() {
        html.push_str(&format!("<caption>{}</caption>", escape(caption)));
    }
    for (index, row) in array(&block["rows"]).iter().enumerate() {
        html.push_str("<tr>");
        for (column, cell) in array(row).iter().enumerate() {
            let heading = index == 0
                || header_column.is_some_and(|header| usize::try_from(header).is_ok_and(|header| header == column));
            let tag = if heading { "th" } else { "td" };
            let class = match settings.get(column).map(|setting| string(setting, "align")) {
                Some("center") => " class=\"center\"",
                Some("right") => " class=\"right\"",
                _ if cell["type"] == "raw_number" => " class=\"right\"",
                _ => "",
            };
            html.push_str(&format!("<{tag}{class}>{}</{tag}>", self::cell(cell)));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table></div>\n");
    html
}

fn cell(cell: &Value) -> String {
    if cell["type"] == "rich_text" {
        return rich_text_line(array(&cell["elements"]));
    }
    let text = cell["text"]
        .as_str()
        .map_or_else(|| if cell["value"].is_null() { String::new() } else { cell["value"].to_string() }, str::to_owned);
    escape(&text)
}
