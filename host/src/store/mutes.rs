//! The table `mutes`: of which events no message is wanted for a while, for example during a penetration test.

use std::net::IpAddr;

use rusqlite::{Transaction, params};
use serde::Serialize;

use super::database::{lossy, stored};
use super::error::StoreError;
use super::store::Store;
use super::traces::blank_texts;
use crate::event::{Event, SubjectQuery, Timestamp};

/// The longest time of a mute, in ms: 30 days. One that ends later is from before the clock was set back, and has ended.
pub(crate) const MUTE_MAX_MS: i64 = 30 * 86_400_000;

/// Mutes at a time: each event is compared with all of them.
pub(crate) const MUTES_MAX: usize = 100;

/// Events of which no message is wanted; this is its JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Mute {
    /// By which it is ended; 0 until it is stored.
    pub id: i64,
    /// Only those of this jail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jail: Option<String>,
    /// Only those of this address, of addresses in this network, or of this other subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Until when.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
}

impl Mute {
    /// Returns whether no message of this event is wanted.
    pub(crate) fn applies_to(&self, event: &Event, now: Timestamp) -> bool {
        self.is_active(now)
            && self.jail.as_ref().is_none_or(|jail| *jail == event.jail)
            && self
                .subject
                .as_ref()
                .is_none_or(|muted| event.ban().is_some_and(|ban| subject_query(muted).matches(&ban.subject)))
    }

    fn is_active(&self, now: Timestamp) -> bool {
        now < self.until && self.until <= now.plus_ms(MUTE_MAX_MS)
    }
}

/// Returns what a subject of a mute selects: an address in whatever form it is written.
pub(crate) fn subject_query(subject: &str) -> SubjectQuery {
    match (subject.parse(), subject.parse::<IpAddr>()) {
        (Ok(network), _) => SubjectQuery::Network(network),
        (Err(_), Ok(address)) => SubjectQuery::Network(address.into()),
        (Err(_), Err(_)) => SubjectQuery::Exact(subject.to_owned()),
    }
}

/// Removes mutes whose subject or reason `has` accepts. Returns how many.
pub(super) fn remove_with(transaction: &Transaction<'_>, has: impl Fn(&str) -> bool) -> rusqlite::Result<usize> {
    let select = "SELECT id, ifnull(subject, '') || ' ' || reason FROM mutes";
    blank_texts(transaction, (select, "DELETE FROM mutes WHERE id = ?"), has)
}

impl Store {
    /// Adds a mute and removes those that have ended. Returns its id; `None`: there are too many.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn add_mute(&mut self, mute: &Mute, now: Timestamp) -> Result<Option<i64>, StoreError> {
        self.database.write("record a mute", |transaction| {
            transaction
                .execute("DELETE FROM mutes WHERE until <= ? OR until > ?", [now.0, now.plus_ms(MUTE_MAX_MS).0])?;
            let mutes: usize = transaction.query_row("SELECT count(*) FROM mutes", [], |row| row.get(0))?;
            if mutes >= MUTES_MAX {
                return Ok(None);
            }
            transaction.execute(
                "INSERT INTO mutes (jail, subject, until, reason) VALUES (?, ?, ?, ?)",
                params![mute.jail, mute.subject, mute.until.0, stored(&mute.reason)],
            )?;
            Ok(Some(transaction.last_insert_rowid()))
        })
    }

    /// Ends a mute. Returns false if there is none with this id.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn remove_mute(&mut self, id: i64) -> Result<bool, StoreError> {
        self.database
            .write("remove a mute", |transaction| Ok(transaction.execute("DELETE FROM mutes WHERE id = ?", [id])? > 0))
    }

    /// Returns the mutes that have not ended, by when they end.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn mutes(&self, now: Timestamp) -> Result<Vec<Mute>, StoreError> {
        let mut mutes: Vec<Mute> = self.database.read("read the mutes", |connection| {
            connection
                .prepare_cached("SELECT id, jail, subject, until, reason FROM mutes ORDER BY until, id")?
                .query_map([], |row| {
                    Ok(Mute {
                        id: row.get(0)?,
                        jail: lossy(row, 1)?,
                        subject: lossy(row, 2)?,
                        until: Timestamp(row.get(3).unwrap_or_default()),
                        reason: lossy(row, 4)?.unwrap_or_default(),
                    })
                })?
                .collect()
        })?;
        mutes.retain(|mute| mute.is_active(now));
        Ok(mutes)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::event::{Ban, EventDetails};
    use crate::store::fixture::fixture;

    fn event(jail: &str, subject: Option<&str>) -> Event {
        let ban = |subject: &str| EventDetails::Ban(Ban { subject: subject.to_owned(), ..Ban::default() });
        let details = subject.map_or(EventDetails::Stop, ban);
        let (id, host) = (String::new(), String::new());
        Event { id, at: Timestamp(0), host, jail: jail.to_owned(), details, labels: BTreeMap::new() }
    }

    fn mute(jail: Option<&str>, subject: Option<&str>) -> Mute {
        let [jail, subject] = [jail, subject].map(|text| text.map(str::to_owned));
        Mute { id: 0, jail, subject, until: Timestamp(1_000), reason: "work".to_owned() }
    }

    #[test]
    fn mute_applies_to_its_jail_and_subject() {
        for (jail, subject, event, expected) in [
            (Some("sshd"), None, event("sshd", None), true),
            (Some("sshd"), None, event("sshd", Some("203.0.113.7")), true),
            (Some("sshd"), None, event("sshd-ddos", None), false),
            (None, Some("203.0.113.7"), event("x", Some("203.0.113.7")), true),
            (None, Some("203.0.113.7"), event("x", Some("203.0.113.70")), false),
            (None, Some("203.0.113.0/24"), event("x", Some("203.0.113.70")), true),
            (None, Some("203.0.113.7/24"), event("x", Some("203.0.114.7")), false),
            (None, Some("2001:db8::1"), event("x", Some("2001:0db8:0:0:0:0:0:1")), true),
            (None, Some("203.0.113.0/24"), event("x", None), false),
            (None, Some("alice"), event("x", Some("alice")), true),
            (Some("sshd"), Some("alice"), event("x", Some("alice")), false),
            (None, None, event("x", None), true),
        ] {
            let mute = mute(jail, subject);
            assert_eq!(mute.applies_to(&event, Timestamp(999)), expected, "{mute:?} {event:?}");
            assert!(!mute.applies_to(&event, Timestamp(1_000)), "ended");
            assert!(!mute.applies_to(&event, Timestamp(999 - MUTE_MAX_MS)), "the clock was set back");
        }
    }

    #[test]
    fn mutes_end_by_time_or_by_hand_and_are_limited() {
        let mut fixture = fixture();
        let store = &mut fixture.store;
        let first = store.add_mute(&mute(Some("a"), None), Timestamp(0)).unwrap().unwrap();
        let second = store.add_mute(&mute(Some("b"), None), Timestamp(0)).unwrap().unwrap();
        let ids = |store: &Store, now| store.mutes(Timestamp(now)).unwrap().iter().map(|m| m.id).collect::<Vec<_>>();
        assert_eq!(ids(store, 999), [first, second]);
        assert!(store.remove_mute(first).unwrap() && !store.remove_mute(first).unwrap());
        assert_eq!(ids(store, 999), [second]);
        assert_eq!(ids(store, 1_000), [] as [i64; 0]);
        for _ in 1..MUTES_MAX {
            assert!(store.add_mute(&mute(None, None), Timestamp(0)).unwrap().is_some());
        }
        assert_eq!(store.add_mute(&mute(None, None), Timestamp(0)).unwrap(), None);
        let later = Mute { until: Timestamp(5_000), ..mute(None, None) };
        assert!(store.add_mute(&later, Timestamp(1_000)).unwrap().is_some(), "those that have ended are removed");
    }
}
