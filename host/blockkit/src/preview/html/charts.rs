//! The block `data_visualization`: its numbers, as bars whatever the chart.

use serde_json::Value;

use super::fragment::{array, escape, placeholder, string};

/// Draws a chart of any type.
pub fn chart(block: &Value) -> String {
    let chart = &block["chart"];
    let kind = string(chart, "type");
    let segments = rows("", array(&chart["segments"]));
    let series = array(&chart["series"]).iter().flat_map(|series| rows(string(series, "name"), array(&series["data"])));
    let rows: Vec<(String, f64)> = segments.into_iter().chain(series).collect();
    let title = format!("<p class=\"title\"><b>{}</b></p>\n", escape(string(block, "title")));
    if rows.is_empty() {
        return title + &placeholder(&format!("{kind} chart without numbers"));
    }
    let most = rows.iter().map(|(_, value)| value.abs()).fold(f64::MIN_POSITIVE, f64::max);
    let line = |(label, value): &(String, f64)| {
        let width = (value.abs() / most * 100.0).clamp(0.0, 100.0);
        format!(
            "<li><span>{}</span><meter min=\"0\" max=\"100\" value=\"{width:.0}\"></meter><span class=\"right\">{value}</span></li>",
            escape(label)
        )
    };
    let lines: String = rows.iter().map(line).collect();
    format!(
        "<div class=\"chart\">{title}<ul>{lines}</ul>\n<p class=\"placeholder\">[{} chart, shown as bars]</p>\n</div>\n",
        escape(kind)
    )
}

fn rows(series: &str, points: &[Value]) -> Vec<(String, f64)> {
    let row = |point: &Value| {
        let label = string(point, "label");
        let label = if series.is_empty() { label.to_owned() } else { format!("{series}: {label}") };
        (label, point["value"].as_f64().unwrap_or_default())
    };
    points.iter().map(row).collect()
}
