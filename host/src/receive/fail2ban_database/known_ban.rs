//! What fail2ban's database knows of a ban, and how an event is enriched with it.

use crate::event::readable::cut;
use crate::event::{Ban, BanDuration, Timestamp};

/// How many lines of a ban are read at most, and how long one may be, as `wit/types.wit` promises.
const MAX_MATCHES: usize = 20;
const MAX_MATCH_BYTES: usize = 1_000;

/// What fail2ban's database knows of a ban.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct KnownBan {
    /// See [`Ban::failures`].
    pub failures: Option<u32>,
    /// See [`Ban::count`]; without `bantime.increment` fail2ban does not count and this is always 1.
    pub count: Option<u32>,
    /// See [`Ban::duration`].
    pub duration: Option<BanDuration>,
    /// See [`Ban::matches`]; at most 20 of at most 1,000 bytes each, the last ones.
    pub matches: Vec<String>,
}

impl KnownBan {
    /// Fills in what is unknown of a ban. Known values stay, except for count and duration where fail2ban counts bans: it
    /// runs its action before it has counted.
    pub(crate) fn enrich(self, ban: &mut Ban) {
        // Of a restored ban, fail2ban stores new values: the count is one higher, and the duration is at most the jail's.
        let counts = self.count.is_some_and(|count| count > 1) && !ban.restored;
        if counts || ban.duration.is_none() {
            ban.duration = self.duration.or(ban.duration);
        }
        // A count of 1 may also mean that fail2ban does not count.
        if let Some(count) = self.count.filter(|count| counts || *count > 1 && ban.count.is_none()) {
            ban.count = Some(count);
        }
        ban.failures = ban.failures.or(self.failures);
        if ban.matches.is_empty() {
            ban.matches = self.matches;
        }
    }
}

/// A row of the table `bans`.
pub(super) struct BanRow {
    /// Seconds since 1970.
    pub(super) time: i64,
    /// Seconds; -1: permanent; -2: unknown, from before 0.11.
    pub(super) bantime: Option<i64>,
    pub(super) count: Option<i64>,
    /// JSON, as fail2ban's Python wrote it; empty: too long.
    pub(super) data: Vec<u8>,
}

impl BanRow {
    /// Returns whether the ban had ended by then.
    pub(super) fn had_ended(&self, at: Timestamp) -> bool {
        let end = |seconds| self.time.saturating_add(seconds).saturating_mul(1_000);
        self.bantime.is_some_and(|seconds| seconds >= 0 && end(seconds) <= at.0)
    }

    /// Returns what the row says.
    pub(super) fn into_known(self) -> KnownBan {
        let (failures, matches) = read_data(&self.data);
        let number = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
        KnownBan {
            failures,
            count: self.count.filter(|count| *count > 0).map(number),
            duration: match self.bantime {
                Some(-1) => Some(BanDuration::Permanent),
                Some(seconds @ 0..) => Some(BanDuration::Seconds(number(seconds))),
                Some(_) | None => None,
            },
            matches,
        }
    }
}

/// Parses `{"matches": ["…"], "failures": 5, …}`. Python writes it in the encoding of fail2ban's locale, and older versions
/// write a line as a list of its parts; values of other types are left out.
fn read_data(data: &[u8]) -> (Option<u32>, Vec<String>) {
    let Ok(data) = serde_json::from_str::<serde_json::Value>(&String::from_utf8_lossy(data)) else {
        return (None, Vec::new());
    };
    let failures = data.get("failures").and_then(serde_json::Value::as_u64);
    let lines = data.get("matches").and_then(serde_json::Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let last = lines.get(lines.len().saturating_sub(MAX_MATCHES)..).unwrap_or_default();
    (failures.map(|failures| u32::try_from(failures).unwrap_or(u32::MAX)), last.iter().filter_map(line).collect())
}

fn line(json: &serde_json::Value) -> Option<String> {
    let line = match json {
        serde_json::Value::String(line) => line.clone(),
        serde_json::Value::Array(parts) => parts.iter().filter_map(serde_json::Value::as_str).collect(),
        _ => return None,
    };
    // NUL ends a text in C, so no text of banhook contains one.
    let line = line.trim_end_matches(['\r', '\n']).replace('\0', "\\x00");
    let fits = line.len() <= MAX_MATCH_BYTES;
    let line = if fits { line } else { format!("{}…", cut(&line, MAX_MATCH_BYTES - "…".len())) };
    (!line.is_empty()).then_some(line)
}
