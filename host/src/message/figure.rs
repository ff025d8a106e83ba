//! Charts and tables of banhook's own: native blocks on Slack, bars and columns of text elsewhere. No plugin makes one.
//!
//! <https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block> and
//! <https://docs.slack.dev/reference/block-kit/blocks/data-table-block> have the limits.

use std::collections::BTreeSet;

use blockkit::text::{clean, cut, one_line};
use blockkit::to_terminal;
use serde_json::{Value, json};

/// The most charts of a message; further ones are text. Slack's answers say so, not its documents
/// (<https://github.com/vercel/chat/pull/696>).
pub(super) const CHARTS_MAX: usize = 2;

/// Points of a line, and bars.
pub(crate) const POINTS_MAX: usize = 20;

/// Characters of a title.
const TITLE_MAX: usize = 50;

/// Characters of a label.
const LABEL_MAX: usize = 20;

/// Characters of a cell.
const CELL_MAX: usize = 60;

const CHART: &str = "data_visualization";
const TABLE: &str = "data_table";

/// A chart or a table, as a block of Slack's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure(Value);

impl Figure {
    /// Returns a line through numbers; at most [`POINTS_MAX`] are shown.
    pub(crate) fn line(title: &str, points: &[(String, u64)]) -> Self {
        Self::axes("line", title, points)
    }

    /// Returns a bar for each number; at most [`POINTS_MAX`] are shown.
    pub(crate) fn bars(title: &str, bars: &[(String, u64)]) -> Self {
        Self::axes("bar", title, bars)
    }

    /// Returns the shares of a whole: numbers above 0, of which Slack shows six.
    pub(crate) fn pie(title: &str, segments: &[(String, u64)]) -> Self {
        let segments: Value =
            labelled(segments).map(|(label, value)| json!({ "label": label, "value": value })).collect();
        Self(
            json!({ "type": CHART, "title": shown(title, TITLE_MAX), "chart": { "type": "pie", "segments": segments } }),
        )
    }

    /// Returns names with numbers, of which there is at least one, below their headings.
    pub(crate) fn table(title: &str, headings: [&str; 2], rows: &[(String, u64)]) -> Self {
        let text = |text: &str| json!({ "type": "raw_text", "text": shown(text, CELL_MAX) });
        let number = |number: u64| json!({ "type": "raw_number", "value": number, "text": number.to_string() });
        let headings = json!(headings.map(text));
        let rows = rows.iter().map(|(name, count)| json!([text(name), number(*count)]));
        let rows: Value = [headings].into_iter().chain(rows).collect();
        Self(json!({ "type": TABLE, "caption": shown(title, TITLE_MAX), "rows": rows, "page_size": 10 }))
    }

    fn axes(kind: &str, title: &str, points: &[(String, u64)]) -> Self {
        let (labels, values): (Vec<String>, Vec<u64>) = labelled(points).take(POINTS_MAX).unzip();
        let data: Value =
            labels.iter().zip(values).map(|(label, value)| json!({ "label": label, "value": value })).collect();
        let chart = json!({
            "type": kind,
            "series": [{ "name": "Bans", "data": data }],
            "axis_config": { "categories": labels },
        });
        Self(json!({ "type": CHART, "title": shown(title, TITLE_MAX), "chart": chart }))
    }

    /// Returns whether it counts as a chart.
    pub(super) fn is_chart(&self) -> bool {
        self.0.get("type").is_some_and(|kind| kind == CHART)
    }

    /// Returns Slack's block.
    pub(super) const fn block(&self) -> &Value {
        &self.0
    }

    /// Returns its title, and what it shows as lines of text.
    pub(super) fn text(&self) -> (String, String) {
        text(&self.0).unwrap_or_default()
    }
}

/// Returns the title of a chart or table, and what it shows as lines of text; `None` for any other block.
pub(super) fn text(block: &Value) -> Option<(String, String)> {
    let title = match block["type"].as_str()? {
        CHART => &block["title"],
        TABLE => &block["caption"],
        _ => return None,
    };
    let drawn = to_terminal(&json!({ "blocks": [block] }), false);
    let (_, lines) = drawn.split_once('\n').unwrap_or_default();
    Some((title.as_str().unwrap_or_default().to_owned(), lines.trim_end().to_owned()))
}

/// Rows with labels that are short and differ, as Slack demands of categories.
fn labelled(rows: &[(String, u64)]) -> impl Iterator<Item = (String, u64)> {
    let mut used = BTreeSet::new();
    rows.iter().map(move |(label, value)| {
        let mut label = shown(label, LABEL_MAX);
        let whole = label.clone();
        let mut number = used.len();
        while !used.insert(label.clone()) {
            number += 1;
            let number = format!(" {number}");
            label = cut(&whole, LABEL_MAX - number.len()).into_owned() + &number;
        }
        (label, *value)
    })
}

fn shown(text: &str, max: usize) -> String {
    let text = clean(&one_line(text)).into_owned();
    if text.trim().is_empty() { "(blank)".to_owned() } else { cut(&text, max).into_owned() }
}

#[cfg(test)]
mod tests {
    use blockkit::check;

    use super::*;

    fn rows(rows: &[(&str, u64)]) -> Vec<(String, u64)> {
        rows.iter().map(|(label, value)| ((*label).to_owned(), *value)).collect()
    }

    #[test]
    fn figure_of_any_text_is_what_slack_takes() {
        let long = "<!channel> \u{202e}".repeat(40);
        let few = rows(&[(&long, 3), (&format!("{long}x"), 2), ("", 1), ("\n", u64::MAX)]);
        let many: Vec<_> = (0..50).map(|number| (format!("{} {number}", "x".repeat(60)), number)).collect();
        for figure in [
            Figure::line(&long, &many),
            Figure::bars("", &few),
            Figure::pie(&long, &few),
            Figure::table(&long, ["Subject", "Bans"], &many),
        ] {
            assert_eq!(check(&json!({ "text": "x", "blocks": [figure.block()] })), [], "{figure:?}");
            assert!(!figure.text().0.is_empty() && !figure.text().1.contains('\u{202e}'), "{figure:?}");
        }
    }

    #[test]
    fn figure_as_text_has_its_numbers() {
        let (title, text) = Figure::pie("By jail", &rows(&[("sshd", 4), ("nginx", 1)])).text();
        assert_eq!((title.as_str(), text.as_str()), ("By jail", "sshd  4 ████████████████████████\nnginx 1 ██████"));
        let (title, text) = Figure::table("Most banned", ["Subject", "Bans"], &rows(&[("203.0.113.7", 9)])).text();
        assert_eq!((title.as_str(), text.as_str()), ("Most banned", "Subject       Bans\n203.0.113.7   9"));
        assert_eq!(super::text(&json!({ "type": "divider" })), None);
    }
}
