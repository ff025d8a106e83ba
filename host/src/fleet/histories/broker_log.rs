//! The broker of a history: the record with compare-and-set, and the stream.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::events::ROUTES;
use super::step::Answer;
use crate::fleet::owner::{Owner, Write};
use crate::fleet::record::Record;

/// The broker: the record with compare-and-set, and the stream.
#[derive(Default)]
pub(super) struct Broker {
    pub(super) record: Option<(Record, u64)>,
    revisions: u64,
    /// The routes that match each message.
    pub(super) stream: BTreeMap<u64, [bool; 2]>,
    pub(super) last: u64,
    /// All that any record has said is settled.
    pub(super) said: BTreeSet<(u64, usize)>,
}

impl Broker {
    /// `None`: refused.
    pub(super) fn replace(&mut self, write: &Write) -> Option<u64> {
        if self.record.as_ref().map_or(0, |(_, revision)| *revision) != write.replaces {
            return None;
        }
        self.revisions += 1;
        // As text: it has to read back.
        let record = Record::parse(write.record.to_json().as_bytes()).unwrap();
        let all = (1..=self.last).flat_map(|sequence| [(sequence, 0), (sequence, 1)]);
        self.said.extend(all.filter(|(sequence, route)| record.progress.is_settled(ROUTES[*route], *sequence)));
        self.record = Some((record, self.revisions));
        Some(self.revisions)
    }
}

/// What came of a write of the record.
pub(super) enum Written {
    Is,
    /// There was no answer.
    MayBe,
    /// Another worker has the lease.
    IsNot,
}

/// As the lease does it.
pub(super) fn write(
    broker: &mut Broker,
    owner: &mut Owner,
    is_unsure: &mut bool,
    answer: &mut Option<Answer>,
    at: Duration,
) -> Written {
    for _ in 0..2 {
        if *is_unsure {
            let found = broker.record.as_ref().map(|(record, revision)| (record, *revision));
            if owner.confirm(found).is_err() {
                return Written::IsNot;
            }
            *is_unsure = false;
        }
        let write = owner.write();
        match answer.take().unwrap_or(Answer::Comes) {
            Answer::Comes => match broker.replace(&write) {
                Some(revision) => {
                    owner.written(revision, at);
                    return Written::Is;
                }
                None => *is_unsure = true,
            },
            Answer::IsLost => {
                broker.replace(&write);
                *is_unsure = true;
                return Written::MayBe;
            }
            Answer::IsLostWithTheRequest => {
                *is_unsure = true;
                return Written::MayBe;
            }
        }
    }
    Written::MayBe
}
