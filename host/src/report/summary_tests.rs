use super::*;
use crate::event::{Event, EventDetails, PastBan};
use crate::store::{RoutedTo, StateDir};

const DAY: i64 = 86_400_000;

/// A store with these bans: on which day from 1970-01-01 on, in which jail, whom.
fn store(bans: &[(i64, &str, &str)]) -> (Store, tempfile::TempDir) {
    let temp = tempfile::tempdir().unwrap();
    let folder = StateDir::new(temp.path().join("state"));
    folder.create().unwrap();
    let lock = folder.try_work_lock().unwrap().unwrap();
    let mut store = Store::open_for_work(&folder, &lock).unwrap();
    let mut inbox = store.new_connection().unwrap();
    for (at, jail, subject) in bans {
        let event = Event {
            id: String::new(),
            at: Timestamp(*at),
            host: "web-1".to_owned(),
            jail: (*jail).to_owned(),
            details: EventDetails::Start,
            labels: BTreeMap::new(),
        };
        inbox.append(&event, Timestamp(*at)).unwrap();
        let seq = store.unrouted(1).unwrap()[0].seq;
        let [host, jail, subject] = ["web-1", jail, subject].map(str::to_owned);
        let ban = Some(PastBan { at: Timestamp(*at), host, jail, subject });
        store.route_events(&[RoutedTo { seq, ban, to: vec![], quarantined: false }]).unwrap();
    }
    (store, temp)
}

fn span(from: i64, to: i64, history_since: i64) -> Span {
    let [from, to, history_since] = [from, to, history_since].map(|day| Timestamp(day * DAY));
    Span { from, to: Timestamp(to.0 - 1), zone: TimeZone::UTC, history_since }
}

#[test]
fn summary_counts_the_bans_of_the_period_and_of_the_one_before() {
    let bans = [
        (DAY, "sshd", "ancient"),
        (8 * DAY - 1, "sshd", "before"),
        (7 * DAY, "sshd", "before"),
        (14 * DAY, "sshd", "new"),
        (14 * DAY + 1, "sshd", "before"),
        (16 * DAY, "nginx", "ancient"),
        (16 * DAY, "sshd", "twice"),
        (21 * DAY - 1, "sshd", "twice"),
        (15 * DAY, "mail", "other"),
        (21 * DAY, "sshd", "later"),
    ];
    let (store, _temp) = store(&bans);
    let found = summarize(&store, "sec", &|jail| jail != "mail", &span(14, 21, 0)).unwrap().unwrap();
    let counts: Vec<_> = found.days.iter().map(|(_, count)| *count).collect();
    assert_eq!((found.bans, found.before, counts), (5, Some(2), vec![2, 0, 2, 0, 0, 0, 1]));
    let rows = |rows: &[(&str, u64)]| rows.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect::<Vec<_>>();
    assert_eq!(found.jails, (rows(&[("sshd", 4), ("nginx", 1)]), 0));
    assert_eq!(found.subjects, (rows(&[("twice", 2), ("ancient", 1), ("before", 1), ("new", 1)]), 0));
    assert_eq!((found.repeated, found.hosts), (3, 1));
    // What is no longer kept is not compared.
    let found = summarize(&store, "sec", &|_| true, &span(14, 21, 10)).unwrap().unwrap();
    assert_eq!((found.bans, found.before), (6, None));
}

#[test]
fn summary_lists_the_most_and_counts_the_others() {
    let bans: Vec<_> =
        (0..30).map(|number| (DAY, format!("jail-{}", number % 15), format!("subject {number:02}"))).collect();
    let bans: Vec<_> = bans.iter().map(|(at, jail, subject)| (*at, jail.as_str(), subject.as_str())).collect();
    let (store, _temp) = store(&bans);
    let found = summarize(&store, "sec", &|_| true, &span(1, 2, 0)).unwrap().unwrap();
    assert_eq!((found.jails.0.len(), found.jails.1), (10, 5));
    assert_eq!((found.subjects.0.len(), found.subjects.1, found.repeated), (10, 20, 0));
    assert_eq!(summarize(&store, "sec", &|_| true, &span(2, 3, 0)).unwrap().unwrap().before, Some(30));
}
