//! The filters of a template.
//!
//! | filter | result |
//! | --- | --- |
//! | `code` | inline code, in which Slack formats nothing: for text from outside |
//! | `span` | `10 minutes`, `1 hour 30 minutes`, `1 week`, `permanent` from seconds, such as `duration`; `span("for ")` is a prefix for all but `permanent` |
//! | `ordinal` | `2nd` from 2 |
//! | `plural("failure")` | `5 failures`, `1 failure`; `plural("entry", "entries")` for irregular plurals |
//! | `date` | a moment (`at`, `ticket_at`) in each reader's own time zone |
//! | `time("%d.%m. %H:%M")` | a moment in the route's `timezone`; `%Y %m %d %H %M %S %a %z`, default `%H:%M` |
//! | `tally`, `tally(totals.jails)` | the names and counts of `jails`, `subjects` or `hosts`, and how many more there are |
//! | `default("?")` | a replacement for an unknown value |
//! | `safe` | makes markup of text: for text of your own only |
//! | `first`, `join(", ")`, `last`, `length`, `lower`, `replace("a", "b")`, `upper` | as in Jinja |
//!
//! Tests: `is defined`, `is none`, `is startingwith "…"`, `is endingwith "…"`. For an unknown value every filter is empty,
//! except `default`.

mod date;
mod span;

use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind};

pub use date::LocalClock;
pub use span::PERMANENT;

use crate::mrkdwn;
use crate::row::Row;

/// Registers a filter.
type Register = fn(&mut Environment, LocalClock);

/// Every filter, by its name.
const FILTERS: [(&str, Register); 16] = [
    ("code", |env, _| env.add_filter("code", code)),
    ("date", |env, _| env.add_filter("date", date::date)),
    ("default", |env, _| env.add_filter("default", default)),
    ("first", |env, _| env.add_filter("first", minijinja::filters::first)),
    ("join", |env, _| env.add_filter("join", minijinja::filters::join)),
    ("last", |env, _| env.add_filter("last", minijinja::filters::last)),
    ("length", |env, _| env.add_filter("length", minijinja::filters::length)),
    ("lower", |env, _| env.add_filter("lower", minijinja::filters::lower)),
    ("ordinal", |env, _| env.add_filter("ordinal", ordinal)),
    ("plural", |env, _| env.add_filter("plural", plural)),
    ("replace", |env, _| env.add_filter("replace", minijinja::filters::replace)),
    ("safe", |env, _| env.add_filter("safe", minijinja::filters::safe)),
    ("span", |env, _| env.add_filter("span", span::span)),
    ("tally", |env, _| env.add_filter("tally", tally)),
    ("time", |env, clock| {
        env.add_filter("time", move |at: &Value, format: Option<&str>| date::time(clock, at, format))
    }),
    ("upper", |env, _| env.add_filter("upper", minijinja::filters::upper)),
];

/// Every test.
pub const TESTS: [&str; 4] = ["defined", "endingwith", "none", "startingwith"];

/// The names of all filters.
pub fn names() -> impl Iterator<Item = &'static str> {
    FILTERS.iter().map(|(name, _)| *name)
}

/// Registers all filters and tests.
pub fn register(env: &mut Environment, clock: LocalClock) {
    for (_, register) in FILTERS {
        register(env, clock);
    }
    env.add_test("defined", minijinja::tests::is_defined);
    env.add_test("none", minijinja::tests::is_none);
    env.add_test("startingwith", minijinja::tests::is_startingwith);
    env.add_test("endingwith", minijinja::tests::is_endingwith);
}

/// Whether the event does not have this value.
fn is_unknown(value: &Value) -> bool {
    value.is_none() || value.is_undefined()
}

/// The result of a filter for an unknown value.
fn nothing() -> Value {
    Value::from("")
}

/// The error for a value that a filter does not accept.
fn expected(filter: &str, expectation: &str, value: &Value) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("{filter} expects {expectation}, not {}", value.kind()))
}

fn code(value: &Value) -> Value {
    if is_unknown(value) {
        return nothing();
    }
    Value::from_safe_string(match value.as_str() {
        Some(text) => mrkdwn::code(text),
        None => mrkdwn::code(&value.to_string()),
    })
}

/// Names in code with their counts: of `jails`, `subjects` and `hosts`. `total`: how many there are, the unlisted included.
fn tally(rows: &Value, total: Option<&Value>) -> Result<Value, Error> {
    let total = match total {
        // A misspelt name would leave out how many more there are.
        Some(total) if total.is_undefined() => {
            return Err(Error::new(ErrorKind::UndefinedError, "tally expects a number, such as totals.subjects"));
        }
        Some(total) => Some(usize::try_from(total.clone()).map_err(|_| expected("tally", "a number", total))?),
        None => None,
    };
    if is_unknown(rows) {
        return Ok(nothing());
    }
    let expectation = "jails, subjects or hosts";
    let mut out = String::new();
    for row in rows.try_iter().map_err(|_| expected("tally", expectation, rows))? {
        let row = row.downcast_object_ref::<Row>().ok_or_else(|| expected("tally", expectation, &row))?;
        if !out.is_empty() {
            out.push_str(" · ");
        }
        let name = mrkdwn::code(&row.name);
        out.push_str(if name.is_empty() { "`(blank)`" } else { &name });
        // A name without a count is that of one ban.
        match (row.events, row.bans) {
            (1, 1) => {}
            (events, bans) if events == bans => out.push_str(&format!(" {bans} bans")),
            (1, _) => out.push_str(" 1 event"),
            (events, _) => out.push_str(&format!(" {events} events")),
        }
    }
    let listed = rows.len().unwrap_or_default();
    if let Some(more) = total.and_then(|total| total.checked_sub(listed)).filter(|more| *more > 0) {
        out.push_str(&format!(" and {more} more"));
    }
    Ok(Value::from_safe_string(out))
}

fn default(value: Value, other: Value) -> Value {
    if is_unknown(&value) { other } else { value }
}

fn ordinal(value: &Value) -> Result<Value, Error> {
    if is_unknown(value) {
        return Ok(nothing());
    }
    let number = value.as_i64().ok_or_else(|| expected("ordinal", "a whole number", value))?;
    let ending = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    Ok(Value::from(format!("{number}{ending}")))
}

fn plural(value: &Value, one: &str, many: Option<&str>) -> Result<Value, Error> {
    if is_unknown(value) {
        return Ok(nothing());
    }
    let number = value.as_i64().ok_or_else(|| expected("plural", "a whole number", value))?;
    Ok(Value::from(match (number, many) {
        (1, _) => format!("1 {one}"),
        (_, Some(many)) => format!("{number} {many}"),
        (_, None) => format!("{number} {one}s"),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinal_has_english_suffix() {
        for (number, word) in
            [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (22, "22nd"), (113, "113th")]
        {
            assert_eq!(ordinal(&Value::from(number)).unwrap().as_str(), Some(word));
        }
        assert!(ordinal(&Value::from("two")).is_err());
    }

    #[test]
    fn plural_picks_the_right_form() {
        let word = |number: u32, many| plural(&Value::from(number), "entry", many).unwrap().to_string();
        assert_eq!(word(1, None), "1 entry");
        assert_eq!(word(0, Some("entries")), "0 entries");
        assert_eq!(word(2, None), "2 entrys");
    }

    #[test]
    fn tally_lists_names_with_counts_and_the_rest() {
        let row = |name: &str, events, bans| Value::from_object(Row { name: name.to_owned(), events, bans });
        let rows = Value::from(vec![row("`<b>", 9, 9), row("a", 3, 1), row("b", 1, 1), row(" ", 1, 0)]);
        assert_eq!(
            tally(&rows, Some(&Value::from(7))).unwrap().as_str(),
            Some("`'&lt;b&gt;` 9 bans · `a` 3 events · `b` · `(blank)` 1 event and 3 more")
        );
        assert!(tally(&rows, None).unwrap().to_string().ends_with("1 event"));
        assert!(tally(&rows, Some(&Value::from(4))).unwrap().to_string().ends_with("1 event"));
        assert!(tally(&rows, Some(&Value::UNDEFINED)).unwrap_err().to_string().contains("such as totals.subjects"));
        for wrong in [Value::from(3), Value::from(vec![1])] {
            assert!(tally(&wrong, None).unwrap_err().to_string().contains("tally expects jails, subjects or hosts"));
        }
    }

    #[test]
    fn filters_unknown_value_is_empty() {
        for unknown in [Value::from(()), Value::UNDEFINED] {
            assert!(!code(&unknown).is_true());
            assert!(!ordinal(&unknown).unwrap().is_true());
            assert!(!plural(&unknown, "failure", None).unwrap().is_true());
            assert!(!tally(&unknown, None).unwrap().is_true());
            assert_eq!(default(unknown, Value::from("?")).as_str(), Some("?"));
        }
    }
}
