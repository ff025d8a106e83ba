//! What a plugin is given: `log`, `settings`, `clock`. By grant: `history.rs` and `geo/`. The empty WASI
//! that some guests need is in `wasi.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use wasmtime::component::{HasSelf, Linker};

use super::answer::{Level, LogLine};
use super::bindings::banhook::plugin::{clock, geo, history, log, settings, types};
use super::grants::Grants;
use super::limiter::Limiter;
use super::limits::Limits;
use super::wasi::Wasi;
use crate::event::Timestamp;

/// Longer than any event takes, and still a time that can be added to now.
const LONGEST: Duration = Duration::from_secs(86_400);

/// What a plugin may know beside the event: the same for every event of a route.
#[derive(Clone)]
pub struct PluginContext {
    /// `[routes.settings]`.
    pub settings: BTreeMap<String, String>,
    /// The route's time zone.
    pub timezone: TimeZone,
    /// What it may ask beside these.
    pub grants: Grants,
}

/// What an instance's imports work on.
pub(super) struct State {
    pub(super) limiter: Limiter,
    pub(super) log: Vec<LogLine>,
    pub(super) log_dropped: u32,
    pub(super) wasi: Wasi,
    limits: Limits,
    pub(super) context: Arc<PluginContext>,
    pub(super) now: Timestamp,
    /// When its time is up, for host functions that may take long: nothing interrupts them.
    pub(super) deadline: Instant,
}

impl State {
    /// `seed` decides WASI's random numbers.
    pub(super) fn new(limits: Limits, context: Arc<PluginContext>, now: Timestamp, seed: u64) -> Self {
        Self {
            limiter: Limiter::new(limits),
            log: Vec::new(),
            log_dropped: 0,
            wasi: Wasi::new(&limits, seed),
            limits,
            context,
            now,
            deadline: Instant::now() + limits.time.min(LONGEST),
        }
    }

    /// Adds a line to the log, within its bounds.
    pub(super) fn log_line(&mut self, mut line: LogLine) {
        if self.log.len() >= self.limits.log_lines {
            self.log_dropped = self.log_dropped.saturating_add(1);
            return;
        }
        line.message.truncate(line.message.floor_char_boundary(self.limits.log_bytes));
        self.log.push(line);
    }
}

/// The interfaces of `banhook:plugin` that are offered.
const OFFERED: [&str; 7] = ["types", "messages", "log", "settings", "clock", "history", "geo"];

/// Whether banhook offers the interface with this full name (`banhook:plugin/log@0.1.0`).
///
/// `types` and `messages` hold no functions; components name them when another interface uses them.
pub(super) fn is_offered(name: &str) -> bool {
    interface(name).is_some_and(|interface| OFFERED.contains(&interface))
}

/// The interface of `banhook:plugin` that a full name stands for, if it is of a version that we know.
pub(super) fn interface(name: &str) -> Option<&str> {
    let (interface, version) = name.strip_prefix("banhook:plugin/")?.split_once('@')?;
    (version == "0.1" || version.starts_with("0.1.")).then_some(interface)
}

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    types::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    log::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    settings::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    clock::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    history::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    geo::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    Ok(())
}

impl types::Host for State {}

impl log::Host for State {
    fn write(&mut self, level: log::Level, message: String) {
        let level = match level {
            log::Level::Debug => Level::Debug,
            log::Level::Info => Level::Info,
            log::Level::Warn => Level::Warn,
            log::Level::Error => Level::Error,
        };
        self.log_line(LogLine { level, message });
    }
}

impl settings::Host for State {
    fn get(&mut self, key: String) -> Option<String> {
        self.context.settings.get(&key).cloned()
    }

    fn all(&mut self) -> Vec<(String, String)> {
        self.context.settings.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }
}

impl clock::Host for State {
    fn now(&mut self) -> f64 {
        milliseconds(self.now)
    }

    fn local(&mut self, at: f64) -> clock::LocalTime {
        let at = timestamp(at).to_jiff().to_zoned(self.context.timezone.clone());
        clock::LocalTime {
            year: at.year().into(),
            month: at.month().unsigned_abs(),
            day: at.day().unsigned_abs(),
            weekday: match at.weekday() {
                jiff::civil::Weekday::Monday => clock::Weekday::Monday,
                jiff::civil::Weekday::Tuesday => clock::Weekday::Tuesday,
                jiff::civil::Weekday::Wednesday => clock::Weekday::Wednesday,
                jiff::civil::Weekday::Thursday => clock::Weekday::Thursday,
                jiff::civil::Weekday::Friday => clock::Weekday::Friday,
                jiff::civil::Weekday::Saturday => clock::Weekday::Saturday,
                jiff::civil::Weekday::Sunday => clock::Weekday::Sunday,
            },
            hour: at.hour().unsigned_abs(),
            minute: at.minute().unsigned_abs(),
            second: at.second().unsigned_abs(),
            offset_minutes: i16::try_from(at.offset().seconds() / 60).unwrap_or(0),
        }
    }
}

/// A moment as plugins see it.
#[allow(clippy::cast_precision_loss, reason = "exact for every year that a timestamp can show")]
pub(super) const fn milliseconds(at: Timestamp) -> f64 {
    at.0 as f64
}

/// A moment that a plugin gave; saturates, and what is no number is the epoch.
#[allow(clippy::cast_possible_truncation, reason = "saturates, as documented")]
pub(super) const fn timestamp(ms: f64) -> Timestamp {
    Timestamp(ms as i64)
}
