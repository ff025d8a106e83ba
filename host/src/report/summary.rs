//! What was banned in a period, and what became of the messages about it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::event::{BanQuery, Timestamp};
use crate::geo::GeoDatabases;
use crate::store::{Deliveries, HistoryScope, Store, StoreError};

/// Rows of each list.
const LISTED: usize = 10;

/// How long the history may take; with a million bans it takes a second or two. Whoever stops a daemon waits for it.
const TIME_MAX: Duration = Duration::from_secs(5);

/// What an address is counted under that no MMDB file knows.
const UNKNOWN: &str = "unknown";

/// Names with numbers.
pub(crate) type Rows = Vec<(String, u64)>;

/// The largest numbers, the largest first, and how many other names there are.
pub(crate) type Most = (Rows, usize);

/// The bans of a period.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Summary {
    /// New bans.
    pub bans: u64,
    /// In the period before; `None`: the history does not reach back so far.
    pub before: Option<u64>,
    /// By day, the first one first, also those without a ban.
    pub days: Vec<(Date, u64)>,
    /// The jails with most bans, and how many others there are.
    pub jails: Most,
    /// The same of subjects.
    pub subjects: Most,
    /// The same of countries, and of networks (autonomous systems); none where no MMDB file knows one.
    pub places: [Most; 2],
    /// Why places are missing.
    pub geo_fault: Option<String>,
    /// How many hosts reported them.
    pub hosts: usize,
    /// Subjects that were banned before, in the period or ever since the history begins.
    pub repeated: usize,
    /// What became of the route's messages.
    pub deliveries: Deliveries,
}

/// The times of a summary.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    /// The first time.
    pub from: Timestamp,
    /// The last time, which counts.
    pub to: Timestamp,
    /// In which its days are.
    pub zone: TimeZone,
    /// From when on all bans are stored.
    pub history_since: Timestamp,
}

impl Span {
    /// Returns the span of a period that ends at a time. `retention`: how long events are kept at most.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn ending(
        store: &Store,
        to: Timestamp,
        (period, retention): (Duration, Duration),
        zone: TimeZone,
    ) -> Result<Self, StoreError> {
        let ms = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let oldest = store.oldest_event_at()?.unwrap_or(to);
        let history_since = to.plus_ms(-ms(retention)).max(oldest);
        Ok(Self { from: to.plus_ms(-ms(period)), to: to.plus_ms(-1), zone, history_since })
    }
}

/// Summarizes the bans of a route. `may_see`: whether a jail is the route's. `geo`: MMDB files. `None`: the history is too
/// large.
///
/// # Errors
/// When the store fails.
pub(crate) fn summarize(
    store: &Store,
    route: &str,
    may_see: &dyn Fn(&str) -> bool,
    span: &Span,
    geo: &[PathBuf],
) -> Result<Option<Summary>, StoreError> {
    let deadline = Instant::now() + TIME_MAX;
    let scope = HistoryScope { may_see, before: i64::MAX, deadline };
    let query =
        |since: Option<Timestamp>, until: Timestamp| BanQuery { subject: None, jail: None, host: None, since, until };
    let before_it = Timestamp(span.from.0.saturating_sub(1));
    let mut days: BTreeMap<Date, u64> = days(span).map(|day| (day, 0)).collect();
    let (mut jails, mut subjects, mut hosts) =
        (BTreeMap::<String, u64>::new(), BTreeMap::<String, u64>::new(), BTreeSet::new());
    let mut bans = 0;
    let is_whole = store.each_past_ban(&query(Some(span.from), span.to), &scope, |at, host, jail, subject| {
        bans += 1;
        *days.entry(date(&span.zone, at)).or_default() += 1;
        count(&mut jails, jail);
        count(&mut subjects, subject);
        if !hosts.contains(host) {
            hosts.insert(host.to_owned());
        }
    })?;
    let mut known: BTreeSet<&str> =
        subjects.iter().filter(|(_, count)| **count > 1).map(|(subject, _)| subject.as_str()).collect();
    let length = span.to.0.saturating_sub(span.from.0).saturating_add(1);
    let previous = Timestamp(span.from.0.saturating_sub(length));
    let mut before = 0;
    let is_whole = is_whole
        && store.each_past_ban(&query(None, before_it), &scope, |at, _, _, subject| {
            before += u64::from(at >= previous);
            if let Some((subject, _)) = subjects.get_key_value(subject) {
                known.insert(subject);
            }
        })?;
    let repeated = known.len();
    let deliveries = store.deliveries(route, (span.from, span.to), deadline)?;
    let (true, Some(deliveries)) = (is_whole, deliveries) else { return Ok(None) };
    let (places, geo_fault) = places(&subjects, geo, deadline);
    Ok(Some(Summary {
        bans,
        before: (previous >= span.history_since).then_some(before),
        days: days.into_iter().collect(),
        jails: most(jails),
        subjects: most(subjects),
        places,
        geo_fault,
        hosts: hosts.len(),
        repeated,
        deliveries,
    }))
}

/// The countries and networks of subjects, and what is wrong with the files. They are in memory as long as this takes.
fn places(subjects: &BTreeMap<String, u64>, files: &[PathBuf], deadline: Instant) -> ([Most; 2], Option<String>) {
    if files.is_empty() {
        return Default::default();
    }
    let databases = GeoDatabases::default();
    let (geo, errors) = databases.open(files);
    let mut fault = errors.first().map(ToString::to_string);
    let mut places = [BTreeMap::new(), BTreeMap::new()];
    for (subject, bans) in subjects {
        if Instant::now() > deadline {
            return (Default::default(), Some("there are too many subjects to look up within seconds".to_owned()));
        }
        let info = geo.lookup(subject).unwrap_or_else(|error| {
            fault.get_or_insert_with(|| error.to_string());
            None
        });
        let info = info.unwrap_or_default();
        let network = match (info.as_number, info.as_name) {
            (Some(number), name) => Some(format!("AS{number} {}", name.unwrap_or_default()).trim_end().to_owned()),
            (None, name) => name,
        };
        for (counts, name) in places.iter_mut().zip([info.country_name.or(info.country), network]) {
            *counts.entry(name.unwrap_or_else(|| UNKNOWN.to_owned())).or_default() += bans;
        }
    }
    let known =
        places.map(|counts| if counts.keys().all(|name| name == UNKNOWN) { Most::default() } else { most(counts) });
    (known, fault)
}

fn count(counts: &mut BTreeMap<String, u64>, name: &str) {
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => drop(counts.insert(name.to_owned(), 1)),
    }
}

/// The names with most bans, and how many others there are.
fn most(counts: BTreeMap<String, u64>) -> Most {
    let mut rows: Vec<_> = counts.into_iter().collect();
    rows.sort_by(|(a, many), (b, more)| more.cmp(many).then_with(|| a.cmp(b)));
    let others = rows.len().saturating_sub(LISTED);
    rows.truncate(LISTED);
    (rows, others)
}

/// The days of a span; one that begins within a day begins with it.
fn days(span: &Span) -> impl Iterator<Item = Date> {
    let (first, last) = (date(&span.zone, span.from), date(&span.zone, span.to));
    first.series(jiff::Span::new().days(1)).take_while(move |day| *day <= last)
}

fn date(zone: &TimeZone, at: Timestamp) -> Date {
    at.to_jiff().to_zoned(zone.clone()).date()
}

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
