//! What a plugin may ask is what its route grants.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use jiff::tz::TimeZone;

use super::tests::{LIMITS, runtime};
use super::*;
use crate::event::{Ban, BanQuery, BanSummary, Event, EventDetails, Timestamp};
use crate::message::Decision;

fn load(guest: &[u8], grants: Grants) -> Result<Plugin, PluginError> {
    let context = PluginContext { settings: [].into(), timezone: TimeZone::UTC, grants };
    runtime(None).load(guest, context, LIMITS)
}

fn ban(id: &str) -> Event {
    Event {
        id: id.to_owned(),
        at: Timestamp(100_000),
        host: "web-1".to_owned(),
        jail: "sshd".to_owned(),
        details: EventDetails::Ban(Ban { subject: "203.0.113.7".to_owned(), ..Ban::default() }),
        labels: [].into(),
    }
}

#[track_caller]
fn skips_with(plugin: &Plugin, id: &str) -> String {
    match plugin.format(&ban(id)).decision {
        Ok(Decision::Skip(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

/// Answers all with the same, and keeps the questions.
struct Recorded(Result<BanSummary, HistoryError>, Mutex<Vec<BanQuery>>);

impl History for Recorded {
    fn bans(&self, query: &BanQuery, deadline: Instant) -> Result<BanSummary, HistoryError> {
        assert!(deadline > Instant::now());
        self.1.lock().unwrap().push(query.clone());
        self.0.clone()
    }
}

fn history(answer: Result<BanSummary, HistoryError>) -> (Arc<Recorded>, Plugin) {
    let told = Arc::new(Recorded(answer, Mutex::default()));
    let history: Arc<dyn History> = told.clone();
    (told, load(&guest::asks_history(), Grants { history: Some(history), geo: None }).unwrap())
}

#[test]
fn an_import_that_is_not_granted_is_refused_with_the_line_to_add() {
    let nothing: (Arc<dyn History>, Arc<dyn Geo>) = (Arc::new(EmptyProvider), Arc::new(EmptyProvider));
    for (guest, grants, error) in [
        (
            guest::asks_history(),
            Grants { history: None, geo: Some(nothing.1) },
            "imports history, which its route does not grant; \
             add history = true (or history = false) under [routes.grants]",
        ),
        (
            guest::asks_geo(),
            Grants { history: Some(nothing.0), geo: None },
            "imports geo, which its route does not grant; \
             add geo = [\"….mmdb\"] (or geo = false) under [routes.grants]",
        ),
    ] {
        assert_eq!(load(&guest, grants).err().unwrap().to_string(), error);
    }
}

#[test]
fn what_is_granted_as_false_answers_nothing() {
    let grants = Grants { history: Some(Arc::new(EmptyProvider)), geo: Some(Arc::new(EmptyProvider)) };
    assert_eq!(skips_with(&load(&guest::asks_history(), grants.clone()).unwrap(), "all"), "0000");
    assert_eq!(skips_with(&load(&guest::asks_geo(), grants).unwrap(), "all"), "?");
}

#[test]
fn questions_about_past_bans_and_their_answers() {
    let summary = BanSummary {
        bans: 3,
        subjects: 2,
        hosts: 1,
        first: Some(Timestamp(5)),
        last: Some(Timestamp(7)),
        by_jail: vec![("sshd".to_owned(), 7), ("nginx".to_owned(), 1)],
    };
    let (told, plugin) = history(Ok(summary));
    for id in ["subject", "jail", "within", "all"] {
        assert_eq!(skips_with(&plugin, id), "3217");
    }
    let all = BanQuery { until: Timestamp(100_000), ..BanQuery::default() };
    let asked = [
        BanQuery { subject: Some("203.0.113.7".to_owned()), ..all.clone() },
        BanQuery { jail: Some("sshd".to_owned()), ..all.clone() },
        BanQuery { since: Some(Timestamp(40_000)), ..all.clone() },
        all,
    ];
    assert_eq!(*told.1.lock().unwrap(), asked);
}

#[test]
fn without_an_answer_the_plugin_fails_and_is_not_told_a_wrong_one() {
    for (error, text) in [
        (HistoryError::TookTooLong, "asked about more past bans than can be counted in its time"),
        (
            HistoryError::Failed("the disk is on fire".to_owned()),
            "asked about past bans, which cannot be read: the disk",
        ),
    ] {
        let (_, plugin) = history(Err(error));
        let found = plugin.format(&ban("all")).decision.unwrap_err().to_string();
        assert!(found.starts_with(text), "{found}");
    }
}

#[test]
fn a_place_out_of_a_file_and_a_damaged_file_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.mmdb");
    let country = serde_json::json!({ "country": { "iso_code": "DE" } });
    let good = geo::mmdb::mmdb(4, 24, &[("203.0.113.0/24", country)]);
    std::fs::write(&path, &good).unwrap();
    let databases = GeoDatabases::default();
    let (files, errors) = databases.open(std::slice::from_ref(&path));
    assert!(errors.is_empty(), "{errors:?}");
    let plugin = load(&guest::asks_geo(), Grants { history: None, geo: Some(Arc::new(files)) }).unwrap();
    assert_eq!(skips_with(&plugin, "all"), "DE");

    // The record's first key becomes a pointer to nowhere.
    let key = good.windows(7).position(|bytes| bytes == b"country").unwrap();
    let mut damaged = good;
    damaged[key - 1] = 0x3f;
    std::fs::write(folder.path().join("new"), damaged).unwrap();
    std::fs::rename(folder.path().join("new"), &path).unwrap();
    assert_eq!(databases.reload_if_changed().len(), 1);
    let answer = plugin.format(&ban("all"));
    assert!(matches!(&answer.decision, Ok(Decision::Skip(reason)) if reason == "?"), "{:?}", answer.decision);
    let [line] = &answer.log[..] else { panic!("{:?}", answer.log) };
    assert!(line.message.starts_with("geo.lookup has no answer: ") && line.message.contains("x.mmdb"), "{line:?}");
}
