//! Silence: a route that has heard of no ban for long says so once, with what is known of fail2ban; and once that it hears of
//! bans again.

use std::time::Duration;

use crate::event::Timestamp;
use crate::phrase::{counted, span};
use crate::receive::heartbeat::Heartbeat;

/// How often what is known of the last ban is stored, in ms: it outlives the ban's own row.
const STORE_INTERVAL_MS: i64 = 3_600_000;

/// How old a heartbeat may be: the timer asks every five minutes.
const HEARTBEAT_MAX_MS: i64 = 900_000;

/// What is stored of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watch {
    /// Silence counts from here at the earliest.
    Since(Timestamp),
    /// That it is silent since then was said.
    Announced(Timestamp),
}

/// What is to be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// No ban since then.
    Silent { since: Timestamp },
    /// A ban, the first one since then.
    Heard { at: Timestamp, after: Timestamp },
}

/// What is known of fail2ban.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Signs {
    /// What it last answered.
    pub heartbeat: Option<Heartbeat>,
    /// When a log that banhook reads last grew; `None`: it reads none.
    pub log_grew_at: Option<Timestamp>,
    /// Whether the bans are those of other hosts, whose fail2ban cannot be asked here.
    pub is_elsewhere: bool,
}

impl Watch {
    /// Decides what is to be stored and to be said. `last_ban`: when the newest ban that is stored was received.
    pub(crate) fn next(
        stored: Option<Self>,
        last_ban: Option<Timestamp>,
        now: Timestamp,
        quiet: Duration,
    ) -> (Option<Self>, Option<News>) {
        let quiet = i64::try_from(quiet.as_millis()).unwrap_or(i64::MAX);
        // What a clock that was ahead has left counts for nothing.
        let last_ban = last_ban.filter(|last| *last <= now);
        match stored {
            Some(Self::Since(at) | Self::Announced(at)) if at > now => (Some(Self::Since(now)), None),
            None => (Some(Self::Since(last_ban.unwrap_or(now))), None),
            Some(Self::Since(since)) => {
                let heard = last_ban.map_or(since, |last| last.max(since));
                if now.0.saturating_sub(heard.0) >= quiet {
                    (Some(Self::Announced(heard)), Some(News::Silent { since: heard }))
                } else {
                    let is_long_ago = heard.0.saturating_sub(since.0) >= STORE_INTERVAL_MS;
                    (is_long_ago.then_some(Self::Since(heard)), None)
                }
            }
            Some(Self::Announced(since)) => match last_ban.filter(|last| *last > since) {
                Some(at) => (Some(Self::Since(at)), Some(News::Heard { at, after: since })),
                None => (None, None),
            },
        }
    }

    /// Returns how it is stored.
    pub(crate) fn to_text(self) -> String {
        match self {
            Self::Since(at) => format!("since {}", at.0),
            Self::Announced(at) => format!("announced {}", at.0),
        }
    }

    /// Reads what was stored; `None`: that is something else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (word, ms) = text.split_once(' ')?;
        let at = Timestamp(ms.parse().ok()?);
        match word {
            "since" => Some(Self::Since(at)),
            "announced" => Some(Self::Announced(at)),
            _ => None,
        }
    }
}

/// Returns the text of a message and its small print. `host` and `route`: where it is.
pub(crate) fn text(news: News, (host, route): (&str, &str), signs: &Signs, now: Timestamp) -> (String, String) {
    let since = match news {
        News::Heard { at, after } => {
            let text = format!("🔔 {host}: bans again on the route {route}, after {} without one", time(after, at));
            return (text, String::new());
        }
        News::Silent { since } => since,
    };
    let fresh =
        signs.heartbeat.as_ref().filter(|heartbeat| now.0.saturating_sub(heartbeat.at).abs() <= HEARTBEAT_MAX_MS);
    let mut small = Vec::new();
    let state = match fresh {
        Some(Heartbeat { jails: Some(jails), banned, .. }) => {
            let banned = banned.map_or_else(String::new, |banned| format!(", {banned} banned"));
            format!("; fail2ban answers: {}{banned}", counted(*jails, "jail"))
        }
        Some(Heartbeat { problem, .. }) => {
            format!(", and fail2ban does not answer: {}", problem.as_deref().unwrap_or("no reason is known"))
        }
        None if signs.is_elsewhere => String::new(),
        None => {
            let heard = signs.heartbeat.as_ref().map(|heartbeat| time(Timestamp(heartbeat.at), now));
            small.push(format!(
                "Whether fail2ban runs is not known: it was last asked {}. See banhook-heartbeat.timer",
                heard.map_or_else(|| "never".to_owned(), |heard| format!("{heard} ago"))
            ));
            String::new()
        }
    };
    let grew = [fresh.and_then(|heartbeat| heartbeat.log_grew_at).map(Timestamp), signs.log_grew_at];
    let log = match grew.into_iter().flatten().max() {
        Some(grew) if grew <= since => format!("; its log has not grown for {}", time(grew, now)),
        _ => String::new(),
    };
    (format!("🔕 {host}: no ban for {} on the route {route}{state}{log}", time(since, now)), small.join(" · "))
}

fn time(from: Timestamp, to: Timestamp) -> String {
    span(u64::try_from(to.0.saturating_sub(from.0) / 1_000).unwrap_or_default())
}

#[cfg(test)]
#[path = "silence_tests.rs"]
mod tests;
