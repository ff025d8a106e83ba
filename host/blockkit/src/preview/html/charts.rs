//! The block `data_visualization`: lines and areas, pies, and bars. Each shows its numbers as text as well.

use serde_json::Value;

use super::fragment::{escape, placeholder, string};
use crate::preview::numbers::{Series, most, rows, series};

/// Colours of the style sheet, in turn.
const COLORS: usize = 6;

/// The picture of a chart with axes, in its own units.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 170.0;
/// The room for labels at its sides, above and below.
const SIDE: f64 = 44.0;
const ABOVE: f64 = 18.0;
const BELOW: f64 = 24.0;

/// Labels of points that fit next to each other.
const LABELS: usize = 7;
/// Points of a line that fit with their numbers.
const NUMBERS: usize = 20;

/// Draws a chart of any type.
pub fn chart(block: &Value) -> String {
    let chart = &block["chart"];
    let (title, series) = (string(block, "title"), series(chart));
    let head = format!("<p class=\"title\"><b>{}</b></p>\n", escape(title));
    let drawn = match string(chart, "type") {
        kind if series.is_empty() => placeholder(&format!("{kind} chart without numbers")),
        "pie" => pie(&rows(&series)),
        "line" => lines(title, &series, false),
        "area" => lines(title, &series, true),
        _ => bars(&rows(&series)),
    };
    format!("<div class=\"chart\">{head}{drawn}</div>\n")
}

/// A bar for each number.
fn bars(rows: &[(String, f64)]) -> String {
    let most = most(rows.iter().map(|(_, value)| value));
    let line = |(label, value): &(String, f64)| {
        let width = value.abs() / most * 100.0;
        format!(
            "<li><span>{}</span><meter min=\"0\" max=\"100\" value=\"{width:.0}\"></meter><span class=\"right\">{value}</span></li>",
            escape(label)
        )
    };
    format!("<ul>{}</ul>\n", rows.iter().map(line).collect::<String>())
}

/// A ring, and what its parts are.
fn pie(rows: &[(String, f64)]) -> String {
    let whole = rows.iter().map(|(_, value)| value.max(0.0)).sum::<f64>().max(f64::MIN_POSITIVE);
    let (mut ring, mut list, mut before) = (String::new(), String::new(), 0.0);
    for (index, (label, value)) in rows.iter().enumerate() {
        let (color, share) = (index % COLORS, value.max(0.0) / whole * 100.0);
        ring.push_str(&format!(
            "<circle class=\"c{color}\" cx=\"21\" cy=\"21\" r=\"15.9\" pathLength=\"100\" stroke-dasharray=\"{share:.2} {:.2}\" \
             stroke-dashoffset=\"{:.2}\"></circle>",
            100.0 - share,
            25.0 - before
        ));
        list.push_str(&format!(
            "<li><span class=\"dot c{color}\"></span><span>{}</span><span class=\"right\">{value} ({share:.0} %)</span></li>",
            escape(label)
        ));
        before += share;
    }
    // Its numbers are next to it.
    format!(
        "<div class=\"pie\"><svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 42 42\" aria-hidden=\"true\">{ring}</svg>\
         <ul>{list}</ul></div>\n"
    )
}

/// A line or an area for each series, over the labels of the first.
fn lines(title: &str, series: &[Series<'_>], filled: bool) -> String {
    let values = || series.iter().flat_map(|one| one.points.iter().map(|(_, value)| *value));
    let (low, high) = (values().fold(0.0, f64::min), values().fold(0.0, f64::max));
    let range = (high - low).max(f64::MIN_POSITIVE);
    let count = series.iter().map(|one| one.points.len()).max().unwrap_or_default();
    let step = (WIDTH - 2.0 * SIDE) / (count.saturating_sub(1).max(1) as f64);
    let x = |index: usize| SIDE + index as f64 * step;
    let y = |value: f64| ABOVE + (high - value) / range * (HEIGHT - ABOVE - BELOW);
    let mut drawn = format!("<path class=\"axis\" d=\"M{SIDE} {0:.1}H{1}\"></path>", y(0.0), WIDTH - SIDE);
    for (index, one) in series.iter().enumerate() {
        let color = index % COLORS;
        let points: Vec<String> =
            one.points.iter().enumerate().map(|(at, (_, value))| format!("{:.1},{:.1}", x(at), y(*value))).collect();
        let points = points.join(" ");
        if filled {
            let (first, last) = (x(0), x(one.points.len().saturating_sub(1)));
            drawn.push_str(&format!(
                "<polygon class=\"c{color}\" points=\"{first:.1},{0:.1} {points} {last:.1},{0:.1}\"></polygon>",
                y(0.0)
            ));
        }
        drawn.push_str(&format!("<polyline class=\"c{color}\" points=\"{points}\"></polyline>"));
        for (at, (_, value)) in one.points.iter().enumerate().filter(|_| count <= NUMBERS && series.len() == 1) {
            drawn.push_str(&text(x(at), y(*value) - 6.0, &value.to_string()));
        }
    }
    let labels = series.first().map(|first| first.points.as_slice()).unwrap_or_default();
    for (at, (label, _)) in labels.iter().enumerate().step_by(count.div_ceil(LABELS).max(1)) {
        drawn.push_str(&text(x(at), HEIGHT - 6.0, label));
    }
    let said = rows(series).iter().map(|(label, value)| format!("{label} {value}")).collect::<Vec<_>>().join(", ");
    let legend: String = series
        .iter()
        .enumerate()
        .filter(|_| series.len() > 1)
        .map(|(index, one)| format!("<span class=\"dot c{}\"></span> {} ", index % COLORS, escape(one.name)))
        .collect();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\"><title>{}</title>{drawn}</svg>\n\
         <p class=\"footer\">{legend}</p>\n",
        escape(&format!("{title}: {said}"))
    )
}

fn text(x: f64, y: f64, text: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escape(text))
}
