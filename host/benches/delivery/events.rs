//! Bans of a busy server: in six jails, most addresses return occasionally, a few all the time.

use banhook::event::{Ban, BanDuration, Event, EventDetails, Timestamp};
use banhook::store::{StateDir, Store};

const JAILS: [&str; 6] = ["sshd", "sshd", "postfix-sasl", "nginx-http-auth", "dovecot", "recidive"];

/// The number of different addresses.
const SUBJECTS: u64 = 4_000;

/// Events per transaction.
const BATCH: u64 = 1_000;

/// The ban with this number, the same in each run.
pub fn ban(number: u64, now: Timestamp) -> Event {
    // Scattered, so that events that follow each other are not neighbours in an index.
    let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    // The smaller of two, so that some are far more frequent than others.
    let subject = (random % SUBJECTS).min((random >> 8) % SUBJECTS);
    let jail = JAILS.get((random >> 4) as usize % JAILS.len()).copied().unwrap_or_default();
    Event {
        id: format!("0199e5a0-0000-7000-8000-{number:012x}"),
        at: now,
        host: "web-1".to_owned(),
        jail: jail.to_owned(),
        details: EventDetails::Ban(Ban {
            subject: format!("198.{}.{}.{}", 18 + subject % 2, subject / 256, subject % 256),
            failures: Some(5),
            count: Some(1 + (number / SUBJECTS) as u32),
            duration: Some(BanDuration::Seconds(600)),
            restored: false,
            ticket_at: Some(now),
            matches: Vec::new(),
        }),
        labels: std::collections::BTreeMap::new(),
    }
}

/// Stores the bans with these numbers, as the tailer does.
pub fn store(folder: &StateDir, numbers: std::ops::Range<u64>) -> anyhow::Result<()> {
    let mut inbox = Store::open(folder)?;
    let mut next = numbers.start;
    while next < numbers.end {
        let (now, until) = (Timestamp::now(), (next + BATCH).min(numbers.end));
        let events: Vec<_> = (next..until).map(|number| ban(number, now)).collect();
        inbox.append_all(&events, None, now)?;
        next = until;
    }
    Ok(())
}
