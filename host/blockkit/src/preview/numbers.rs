//! The numbers of a `data_visualization` block, as all drawings of it show them.

use serde_json::Value;

/// A series of a chart; that of a pie has no name.
pub struct Series<'v> {
    pub name: &'v str,
    pub points: Vec<(&'v str, f64)>,
}

/// Returns the series of a chart of any type.
pub fn series(chart: &Value) -> Vec<Series<'_>> {
    let segments = Series { name: "", points: points(&chart["segments"]) };
    let named = array(&chart["series"])
        .iter()
        .map(|series| Series { name: series["name"].as_str().unwrap_or_default(), points: points(&series["data"]) });
    [segments].into_iter().chain(named).filter(|series| !series.points.is_empty()).collect()
}

/// Returns all numbers in one list; the label says which series one is of, if there are several.
pub fn rows(series: &[Series<'_>]) -> Vec<(String, f64)> {
    let label = |name: &str, label: &str| if series.len() > 1 { format!("{name}: {label}") } else { label.to_owned() };
    let rows = |one: &Series<'_>| {
        let name = one.name.to_owned();
        one.points.iter().map(|(point, value)| (label(&name, point), *value)).collect::<Vec<_>>()
    };
    series.iter().flat_map(rows).collect()
}

/// Returns the largest number, without its sign; more than nothing.
pub fn most<'n>(numbers: impl IntoIterator<Item = &'n f64>) -> f64 {
    numbers.into_iter().fold(f64::MIN_POSITIVE, |most, number| most.max(number.abs()))
}

fn points(list: &Value) -> Vec<(&str, f64)> {
    array(list)
        .iter()
        .map(|point| (point["label"].as_str().unwrap_or_default(), point["value"].as_f64().unwrap_or_default()))
        .collect()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
