//! `[[reports]]`: what was banned in a period, for a route's channel at set times.

use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::{Time, Weekday};
use serde_json::json;

use super::grants;
use super::problem::quoted;
use super::quantity;
use super::reader::Table;
use crate::phrase::listed;

/// A report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    /// The route whose jails it is about, and whose webhook gets it. Default: the only one.
    pub route: String,
    /// When it is sent, in the route's time zone.
    pub at: ReportTime,
    /// How far back it goes; 1 h to 366 days. Default: since the report before, so a day or a week.
    pub period: Duration,
    /// MMDB files that say in which country and network an address is; by default it counts neither.
    pub geo: Vec<PathBuf>,
}

/// A time of each day, or of one day of each week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReportTime {
    /// `None`: each day.
    pub weekday: Option<Weekday>,
    /// On the wall clock.
    pub time: Time,
}

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// A day, in seconds.
const DAY: u64 = 86_400;

/// How a time is written, for errors.
const TIME_RULE: &str = "a time such as \"09:00\" (each day) or \"mon 09:00\" (each week)";

impl Report {
    /// Reads one; `None` after reporting what is wrong with it.
    pub(super) fn read(table: &Table<'_>, routes: &[&str]) -> Option<Self> {
        let route = route(table, routes);
        let at = table.parsed("at", TIME_RULE, ReportTime::parse);
        table.restrict("at", || json!({ "pattern": "^((mon|tue|wed|thu|fri|sat|sun) )?[0-2][0-9]:[0-5][0-9]$" }));
        if table.key_location("at").is_none() {
            let message = format!("{} has no time", table.title);
            table.problems.report_with(table.location.clone(), message, "add at = \"mon 09:00\", or \"09:00\"");
        }
        let days = at.as_ref().map_or(1, |at| if at.value.weekday.is_some() { 7 } else { 1 });
        let mut period = Duration::from_secs(days * DAY);
        let bounds = Duration::from_secs(3_600)..=Duration::from_secs(366 * DAY);
        quantity::duration(table, "period", bounds, "1h and 366d", &mut period);
        let geo = table.strings_or_false("geo", "a list of MMDB files, or false").flatten();
        let geo = geo.map(|files| grants::readable(table, "geo", files)).unwrap_or_default();
        table.finish(&[]);
        Some(Self { route: route?, at: at?.value, period, geo })
    }

    /// Returns a name by which it is recognized: another time of the same route is another report.
    #[must_use]
    pub(crate) fn key(&self) -> String {
        format!("{} {}", self.route, self.at)
    }
}

fn route(table: &Table<'_>, routes: &[&str]) -> Option<String> {
    let names = || listed(routes.iter().copied(), "or");
    let Some(name) = table.reference("route", "the name of a route") else {
        if table.key_location("route").is_some() {
            return None;
        }
        return match routes {
            [only] => Some((*only).to_owned()),
            // That there is none is reported elsewhere.
            [] => None,
            _ => {
                let hint = format!("add route = \"NAME\", which is {}", names());
                table.problems.report_with(table.location.clone(), format!("{} names no route", table.title), hint);
                None
            }
        };
    };
    if routes.contains(&name.value.as_str()) {
        return Some(name.value);
    }
    if !routes.is_empty() {
        let message = format!("no route is named {}", quoted(&name.value));
        table.problems.report_with(name.location, message, format!("the routes are {}", names()));
    }
    None
}

impl ReportTime {
    /// Parses `09:00` or `mon 09:00`.
    fn parse(text: &str) -> Option<Self> {
        let (day, time) = match text.split_once(' ') {
            Some((day, time)) => (Some(day), time),
            None => (None, text),
        };
        let weekday = match day {
            Some(day) => Some(DAYS.iter().find(|(name, _)| *name == day)?.1),
            None => None,
        };
        let (hour, minute) = time.split_once(':')?;
        let digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = |text: &str| text.parse().ok().filter(|_| digits(text));
        Some(Self { weekday, time: Time::new(number(hour)?, number(minute)?, 0, 0).ok()? })
    }
}

impl std::fmt::Display for ReportTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some((day, _)) = DAYS.iter().find(|(_, weekday)| Some(*weekday) == self.weekday) {
            write!(f, "{day} ")?;
        }
        write!(f, "{:02}:{:02}", self.time.hour(), self.time.minute())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_of_each_day_or_of_a_day_of_the_week() {
        for text in ["09:00", "mon 09:00", "sun 23:59", "00:00"] {
            assert_eq!(ReportTime::parse(text).unwrap().to_string(), text);
        }
        for text in
            ["", "9:00", "24:00", "09:60", "Mon 09:00", "monday 09:00", "mon  09:00", "09:00:00", "mon", "+9:00"]
        {
            assert_eq!(ReportTime::parse(text), None, "{text}");
        }
    }
}
