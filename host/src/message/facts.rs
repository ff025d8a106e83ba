//! What a message is about, as JSON: for programs, which a text tells nothing.

use serde_json::{Map, Value, json};

use super::summary::shown;
use crate::event::{Ban, BanDuration, Batch, Event};

/// Labels of an event at most.
const LABELS_MAX: usize = 20;

/// What a message is about.
#[derive(Clone, Copy)]
pub enum Facts<'e> {
    /// One event.
    Event(&'e Event),
    /// The events of a digest.
    Batch(&'e Batch),
}

impl Facts<'_> {
    /// Returns the name of the field with the facts, and these. Texts are cut, and without hidden characters.
    pub(super) fn to_json(self) -> (&'static str, Value) {
        match self {
            Self::Event(event) => ("event", of_event(event)),
            Self::Batch(batch) => ("digest", of_batch(batch)),
        }
    }
}

fn of_event(event: &Event) -> Value {
    let mut facts = Map::from_iter([
        ("id".to_owned(), json!(shown(&event.id))),
        ("kind".to_owned(), json!(event.kind().as_str())),
        ("at".to_owned(), json!(event.at.to_string())),
        ("host".to_owned(), json!(shown(&event.host))),
        ("jail".to_owned(), json!(shown(&event.jail))),
    ]);
    if let Some(Ban { subject, failures, duration, count, restored, .. }) = event.ban() {
        facts.insert("subject".to_owned(), json!(shown(subject)));
        facts.insert("restored".to_owned(), json!(restored));
        facts.extend(failures.map(|failures| ("failures".to_owned(), json!(failures))));
        facts.extend(count.map(|count| ("count".to_owned(), json!(count))));
        facts.extend(duration.map(|duration| match duration {
            BanDuration::Permanent => ("duration".to_owned(), json!("permanent")),
            BanDuration::Seconds(seconds) => ("duration".to_owned(), json!(seconds)),
        }));
    }
    if !event.labels.is_empty() {
        let labels = event.labels.iter().take(LABELS_MAX).map(|(name, value)| (shown(name), json!(shown(value))));
        facts.insert("labels".to_owned(), labels.collect::<Map<_, _>>().into());
    }
    Value::Object(facts)
}

fn of_batch(batch: &Batch) -> Value {
    let totals = &batch.totals;
    json!({
        "cause": batch.cause.as_str(),
        "first": batch.first.to_string(),
        "last": batch.last.to_string(),
        "events": totals.events,
        "bans": totals.bans,
        "restored": totals.restored,
        "unbans": totals.unbans,
        "prolongs": totals.prolongs,
        "subjects": totals.subjects,
        "jails": totals.jails,
        "hosts": totals.hosts,
    })
}
