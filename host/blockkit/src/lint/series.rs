//! The rules of a chart with axes: unique names, and exactly one point of each series for each category.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::checker::{Checker, to_i64};
use super::finding::Severity;
use super::phrase::{counted, quoted};
use super::pointer::Pointer;
use super::rule::Rule;
use super::source::{GO, MESSAGING, SLACKBLOCKS, Sources};

const SOURCES: Sources = &[MESSAGING, SLACKBLOCKS, GO];

impl Checker<'_> {
    /// Checks a `chart` of the type `bar`, `area` or `line`.
    pub fn axis_chart(&mut self, at: &Pointer<'_>, fields: &Map<String, Value>) {
        let config = Pointer::Key(at, "axis_config");
        let categories = fields.get("axis_config").map_or(&[][..], |config| items(config.get("categories")));
        let wanted: HashSet<_> = categories.iter().filter_map(Value::as_str).collect();
        self.unique(&Pointer::Key(&config, "categories"), categories.iter().map(Value::as_str));
        let path = Pointer::Key(at, "series");
        let all_series = items(fields.get("series"));
        self.unique(&path, all_series.iter().map(|series| string(series, "name")));
        // Without categories, their absence is the finding.
        if categories.is_empty() {
            return;
        }
        for (index, series) in all_series.iter().enumerate() {
            let points = items(series.get("data"));
            let labels: HashSet<_> = points.iter().filter_map(|point| string(point, "label")).collect();
            if points.len() != categories.len() || labels != wanted {
                let series = Pointer::Index(&path, index);
                let text = format!(
                    "{} for {}; each category needs exactly one",
                    counted(points.len(), "points"),
                    if categories.len() == 1 {
                        "1 category".to_owned()
                    } else {
                        format!("{} categories", categories.len())
                    }
                );
                let numbers = (to_i64(points.len()), to_i64(categories.len()));
                let path = Pointer::Key(&series, "data");
                self.add_numbers(Severity::Error, &path, Rule::PointsPerCategory, SOURCES, text, numbers);
            }
        }
    }

    fn unique<'v>(&mut self, at: &Pointer<'_>, names: impl Iterator<Item = Option<&'v str>>) {
        let mut seen = HashSet::new();
        for (index, name) in names.enumerate().filter_map(|(index, name)| Some((index, name?))) {
            if !seen.insert(name) {
                let text = format!("{} is not unique", quoted(name));
                self.add(Severity::Error, &Pointer::Index(at, index), Rule::DuplicateName, SOURCES, text);
            }
        }
    }
}

fn items(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn string<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key).and_then(Value::as_str)
}
