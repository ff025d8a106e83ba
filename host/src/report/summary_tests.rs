use serde_json::json;

use super::*;
use crate::event::{Event, EventDetails, PastBan};
use crate::geo::mmdb::mmdb;
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
    let found = summarize(&store, "sec", &|jail| jail != "mail", &span(14, 21, 0), &[]).unwrap().unwrap();
    let counts: Vec<_> = found.days.iter().map(|(_, count)| *count).collect();
    assert_eq!((found.bans, found.before, counts), (5, Some(2), vec![2, 0, 2, 0, 0, 0, 1]));
    let rows = |rows: &[(&str, u64)]| rows.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect::<Vec<_>>();
    assert_eq!(found.jails, (rows(&[("sshd", 4), ("nginx", 1)]), 0));
    assert_eq!(found.subjects, (rows(&[("twice", 2), ("ancient", 1), ("before", 1), ("new", 1)]), 0));
    assert_eq!((found.repeated, found.hosts), (3, 1));
    // What is no longer kept is not compared.
    let found = summarize(&store, "sec", &|_| true, &span(14, 21, 10), &[]).unwrap().unwrap();
    assert_eq!((found.bans, found.before), (6, None));
}

#[test]
fn summary_counts_countries_and_networks_as_the_files_say() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.path().join(name), bytes).unwrap();
        folder.path().join(name)
    };
    let country =
        mmdb(4, 24, &[("203.0.113.0/24", json!({ "country": { "names": { "en": "Germany" }, "iso_code": "DE" } }))]);
    let asn = json!({ "autonomous_system_number": 64500, "autonomous_system_organization": "Example" });
    let (country, asn) = (write("country.mmdb", &country), write("asn.mmdb", &mmdb(4, 24, &[("203.0.113.0/24", asn)])));
    let bans = [
        (DAY, "sshd", "203.0.113.7"),
        (DAY, "sshd", "203.0.113.8"),
        (DAY, "sshd", "198.51.100.1"),
        (DAY, "mail", "bob"),
    ];
    let (store, _temp) = store(&bans);
    let found = |files: &[PathBuf]| summarize(&store, "sec", &|_| true, &span(1, 2, 0), files).unwrap().unwrap();
    let shares = |name: &str| (vec![(UNKNOWN.to_owned(), 2), (name.to_owned(), 2)], 0);
    let (germany, network) =
        (([("Germany".to_owned(), 2), (UNKNOWN.to_owned(), 2)].to_vec(), 0), shares("AS64500 Example"));
    let by_name = |(mut rows, others): Most| {
        rows.sort();
        (rows, others)
    };
    let places = |summary: Summary| summary.places.map(by_name);
    assert_eq!(places(found(&[country.clone(), asn])), [germany.clone(), network].map(by_name));
    // What no file says is left out.
    let only = found(std::slice::from_ref(&country));
    assert_eq!((only.geo_fault.clone(), places(only)), (None, [by_name(germany), Most::default()]));
    std::fs::write(&country, "<html>404</html>").unwrap();
    let broken = found(&[country]);
    assert!(broken.geo_fault.as_ref().is_some_and(|fault| fault.contains("is not an MMDB file")), "{broken:?}");
    assert_eq!(broken.places, <[Most; 2]>::default());
}

#[test]
fn summary_lists_the_most_and_counts_the_others() {
    let bans: Vec<_> =
        (0..30).map(|number| (DAY, format!("jail-{}", number % 15), format!("subject {number:02}"))).collect();
    let bans: Vec<_> = bans.iter().map(|(at, jail, subject)| (*at, jail.as_str(), subject.as_str())).collect();
    let (store, _temp) = store(&bans);
    let found = summarize(&store, "sec", &|_| true, &span(1, 2, 0), &[]).unwrap().unwrap();
    assert_eq!((found.jails.0.len(), found.jails.1), (10, 5));
    assert_eq!((found.subjects.0.len(), found.subjects.1, found.repeated), (10, 20, 0));
    assert_eq!(summarize(&store, "sec", &|_| true, &span(2, 3, 0), &[]).unwrap().unwrap().before, Some(30));
}
