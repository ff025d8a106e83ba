//! The block `data_visualization`: bars of text, whatever the chart.

use serde_json::Value;

use super::line::{Attributes, Line};
use crate::preview::numbers;

/// Columns of the longest bar.
const BAR: f64 = 24.0;

/// Lays out a chart: `label 12 ████`.
pub fn chart(block: &Value) -> Vec<Line> {
    let rows = numbers::rows(&numbers::series(&block["chart"]));
    let most = numbers::most(rows.iter().map(|(_, value)| value));
    let label = |text: &str| Line::new(text, Attributes::PREFORMATTED);
    let labels = rows.iter().map(|(text, _)| label(text).columns()).max().unwrap_or_default();
    let digits = rows.iter().map(|(_, value)| value.to_string().len()).max().unwrap_or_default();
    let line = |(text, value): &(String, f64)| {
        // From 0 to `BAR`.
        let bar = "█".repeat((value.abs() / most * BAR).ceil() as usize);
        let mut line = label(text);
        line.append_at(labels + 1, label(&format!("{value:>digits$} {bar}")));
        line
    };
    let title = Line::new(block["title"].as_str().unwrap_or_default(), Attributes::BOLD);
    [title].into_iter().chain(rows.iter().map(line)).collect()
}
