//! Moments as people read them, in the system's time zone.

use jiff::tz::TimeZone;
use serde_json::Value;

use crate::event::Timestamp;
use crate::phrase::span;

/// `2026-11-22 11:56:55 CET`.
pub(super) fn to_the_second(at: Timestamp) -> String {
    with_zone(at, zone())
}

/// `2026-11-22 11:56:55 CET (5 min ago)`.
pub(super) fn with_age(at: Timestamp, now: Timestamp) -> String {
    format!("{} ({})", with_zone(at, zone()), ago(at, now))
}

/// Gives the dates in a Slack message the text that this reader sees: Slack shows them in the reader's time zone, and the
/// text that comes with them is in UTC.
pub(super) fn localize_dates(body: &mut Value) {
    localize(body, &zone());
}

fn localize(body: &mut Value, zone: &TimeZone) {
    match body {
        Value::String(text) => {
            if let Some(localized) = localized(text, zone) {
                *text = localized;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| localize(value, zone)),
        Value::Object(fields) => {
            let is_date = fields.get("type").is_some_and(|kind| kind == "date");
            match fields.get("timestamp").and_then(Value::as_i64).filter(|_| is_date) {
                Some(seconds) => drop(fields.insert("fallback".to_owned(), date(seconds, zone).into())),
                None => fields.values_mut().for_each(|value| localize(value, zone)),
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Returns markup with the texts of its dates, `<!date^SECONDS^FORMAT|TEXT>`, in this time zone; `None` if it has none.
fn localized(markup: &str, zone: &TimeZone) -> Option<String> {
    const BEGIN: &str = "<!date^";
    let (start, mut rest) = markup.split_at_checked(markup.find(BEGIN)?)?;
    let mut out = start.to_owned();
    while let Some(tail) = rest.strip_prefix(BEGIN) {
        let (entity, after) = tail.split_once('>')?;
        let seconds = entity.split('^').next().and_then(|seconds| seconds.parse().ok());
        match (seconds, entity.rsplit_once('|')) {
            (Some(seconds), Some((format, _))) => out.push_str(&format!("{BEGIN}{format}|{}>", date(seconds, zone))),
            _ => out.push_str(&format!("{BEGIN}{entity}>")),
        }
        let text;
        (text, rest) = after.split_at_checked(after.find(BEGIN).unwrap_or(after.len()))?;
        out.push_str(text);
    }
    Some(out)
}

fn date(seconds: i64, zone: &TimeZone) -> String {
    with_zone(Timestamp(seconds.saturating_mul(1_000)), zone.clone())
}

fn with_zone(at: Timestamp, zone: TimeZone) -> String {
    at.to_jiff().to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// The system's time zone. Tests have the same results everywhere.
fn zone() -> TimeZone {
    if cfg!(test) { TimeZone::UTC } else { TimeZone::system() }
}

/// `5 min ago`, or `in 5 min`.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    let ms = now.0.saturating_sub(at.0);
    let span = span(ms.unsigned_abs() / 1_000);
    if ms < 0 { format!("in {span}") } else { format!("{span} ago") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ages() {
        let at = Timestamp(1_763_809_015_601);
        for (seconds, expected) in [
            (-30, "in 30 s"),
            (0, "0 s ago"),
            (119, "119 s ago"),
            (3_600, "60 min ago"),
            (86_400, "24 h ago"),
            (200_000, "2 days ago"),
        ] {
            assert_eq!(ago(at, at.plus_ms(seconds * 1_000)), expected);
        }
        assert_eq!(with_age(at, at.plus_ms(5_000)), "2025-11-22 10:56:55 UTC (5 s ago)");
    }

    #[test]
    fn dates_of_a_message_are_in_the_readers_time_zone() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let date = |text: &str| format!("a <!date^1795345015^{{date_short_pretty}} {{time}}|{text}> b <!here> ");
        let element = |text: &str| json!({ "type": "date", "timestamp": 1_795_345_015, "fallback": text });
        let body = |text: &str| json!({ "text": date(text).repeat(2), "blocks": [{ "elements": [element(text)] }] });
        let mut localized = body("2026-11-22 10:56:55 UTC");
        localize(&mut localized, &berlin);
        assert_eq!(localized, body("2026-11-22 11:56:55 CET"));
        for other in ["no date", "<!date^x^{date}|then>", "<!date^1^{date}|no end", "<!date^1>"] {
            let mut body = json!(other);
            localize(&mut body, &berlin);
            assert_eq!(body, json!(other));
        }
    }
}
