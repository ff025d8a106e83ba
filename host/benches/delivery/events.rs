//! Bans as a busy server has them: most addresses come back now and then, a few all the time, in six jails.

use banhook::event::{Ban, BanDuration, Event, EventDetails, Timestamp};
use banhook::store::{Inbox, StateDir};

const JAILS: [&str; 6] = ["sshd", "sshd", "postfix-sasl", "nginx-http-auth", "dovecot", "recidive"];

/// Different addresses.
const SUBJECTS: u64 = 4_000;

/// Events that are stored in one transaction.
const AT_ONCE: u64 = 1_000;

/// The ban with this number. The same for each run.
pub fn ban(number: u64, now: Timestamp) -> Event {
    // Scattered: neighbours in time are no neighbours in an index.
    let chance = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    // The smaller of two: some come far more often than others.
    let subject = (chance % SUBJECTS).min((chance >> 8) % SUBJECTS);
    let jail = JAILS.get((chance >> 4) as usize % JAILS.len()).copied().unwrap_or_default();
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

/// Stores the bans with these numbers, as a tailer would.
pub fn store(folder: &StateDir, numbers: std::ops::Range<u64>) -> anyhow::Result<()> {
    let mut inbox = Inbox::open(folder)?;
    let mut next = numbers.start;
    while next < numbers.end {
        let (now, until) = (Timestamp::now(), (next + AT_ONCE).min(numbers.end));
        let events: Vec<_> = (next..until).map(|number| ban(number, now)).collect();
        inbox.append_all(&events, None, now)?;
        next = until;
    }
    Ok(())
}
