//! What `history` and `geo` answer a route's plugin, with events routed and formatted over a store.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use super::grouping::Grouping;
use super::*;
use crate::config::{Config, Route};
use crate::event::{Ban, Event, EventDefaults, EventDetails, Timestamp};
use crate::geo::mmdb::mmdb;
use crate::plugin::{Compiler, Metering, Runtime, Setup, guest};
use crate::route::route_events;
use crate::store::{Disposition, FormattedEvent, StateDir, Store, UnformattedEvent};

/// Some routes, ready to work.
struct Routes {
    config: Vec<Route>,
    defaults: EventDefaults,
    live: Vec<LoadedRoute>,
}

/// A route for each of these lines, with a plugin that skips with what it sees of past bans; for those with `geo`, with
/// the country of its subject.
fn load(folder: &Path, state: Option<StateDir>, routes: &[&str]) -> Routes {
    std::fs::write(folder.join("asks.wasm"), guest::asks_history()).unwrap();
    std::fs::write(folder.join("asks-geo.wasm"), guest::asks_geo()).unwrap();
    let mut text = "webhooks.main.url = 'http://127.0.0.1:1/'\n".to_owned();
    for (n, lines) in routes.iter().enumerate() {
        let plugin = if lines.contains("geo") { "asks-geo.wasm" } else { "asks.wasm" };
        write!(text, "[[routes]]\nname = 'r{n}'\nplugin = '{plugin}'\nlimits.time = '10s'\n{lines}\n").unwrap();
    }
    let config = Config::parse(&text, &folder.join("config.toml"), &|_| None).unwrap();
    let setup = Setup { cache: None, compiler: Compiler::Here, metering: Metering::Time, sandbox: config.sandbox };
    let defaults = config.event_defaults("web-1");
    let runtime = Arc::new(Runtime::new(setup).unwrap());
    let context = RouteContext { defaults: defaults.clone(), profiles: profiles(&config), runtime, state };
    Routes { live: load_all(&config, &context), config: config.routes, defaults }
}

/// What a route skips an event with.
fn reason(disposition: Disposition) -> String {
    match disposition {
        Disposition::Skip(reason) => reason,
        other => panic!("{other:?}"),
    }
}

fn event(jail: &str, id: &str, at: i64, details: EventDetails) -> Event {
    let (id, jail) = (id.to_owned(), jail.to_owned());
    Event { id, at: Timestamp(at), host: String::new(), jail, details, labels: BTreeMap::new() }
}

fn ban(subject: &str) -> EventDetails {
    EventDetails::Ban(Ban { subject: subject.to_owned(), ..Ban::default() })
}

/// Routes events, `batch` at a time, and returns what the plugins saw, event by event: bans, subjects, hosts, and how
/// many in the first jail; `-` where the route does not want the event.
fn seen(routes: &[&str], batch: usize, events: &[Event]) -> Vec<String> {
    let temp = tempfile::tempdir().unwrap();
    let folder = StateDir::new(temp.path().join("state"));
    folder.create().unwrap();
    let lock = folder.try_work_lock().unwrap().unwrap();
    let mut store = Store::open_for_work(&folder, &lock).unwrap();
    let mut inbox = store.new_connection().unwrap();
    let Routes { config, defaults, mut live } = load(temp.path(), Some(folder), routes);
    let faults: Vec<_> = live.iter().flat_map(LoadedRoute::faults).map(|fault| fault.error.to_string()).collect();
    assert_eq!(faults, [] as [&str; 0]);
    let mut seen = vec![vec!["-".to_owned(); routes.len()]; events.len()];
    for batch in events.chunks(batch) {
        for event in batch {
            inbox.append(event, Timestamp(0)).unwrap();
        }
        while route_events(&config, &defaults, &mut store, None, Timestamp(0)).unwrap().events > 0 {}
        for (n, route) in live.iter_mut().enumerate() {
            for unformatted in store.unformatted(&format!("r{n}"), events.len()).unwrap() {
                let FormattedEvent { seq, disposition, .. } =
                    route.format(unformatted, Grouping::Standalone, Timestamp(0), &|_, _| false);
                seen[usize::try_from(seq).unwrap() - 1][n] = reason(disposition);
                let formatted = FormattedEvent::new(seq, Disposition::Skip(String::new()));
                store.record_formatted(&format!("r{n}"), None, &[formatted], None, Timestamp(0)).unwrap();
            }
        }
    }
    seen.iter().map(|seen| seen.join(" ")).collect()
}

#[test]
fn history_has_the_past_bans_of_the_routes_jails_without_the_current_event() {
    let routes = [
        "grants.history = true",
        "jails = ['ssh*']\ngrants.history = true",
        "events = ['unban']\ngrants.history = true",
        "grants.history = false",
    ];
    let unban = EventDetails::Unban(Ban { subject: "a".into(), ..Ban::default() });
    let restored = EventDetails::Ban(Ban { subject: "a".into(), restored: true, ..Ban::default() });
    let events = [
        event("sshd", "all", 1_000, ban("a")),
        event("sshd", "all", 2_000, ban("b")),
        event("nginx", "all", 3_000, ban("a")),
        event("sshd", "all", 4_000, restored),
        event("sshd", "all", 5_000, unban),
        event("sshd", "subject", 6_000, ban("a")),
        event("sshd", "jail", 7_000, ban("a")),
        event("sshd", "within a minute", 66_500, ban("c")),
        // Its log line was late: what came after it is not past to it.
        event("sshd", "all", 1_500, ban("d")),
    ];
    let expected = [
        "0000 0000 - 0000",
        "1111 1111 - 0000",
        "2212 2212 - 0000",
        "3212 2212 - 0000",
        "3212 2212 0000 0000",
        "2111 1111 - 0000",
        "3213 3213 - 0000",
        "1111 1111 - 0000",
        "1111 1111 - 0000",
    ];
    // The second route does not get nginx's event.
    let expected: Vec<_> = expected
        .iter()
        .zip(&events)
        .map(|(seen, event)| if event.jail == "nginx" { "2212 - - 0000".to_owned() } else { (*seen).to_owned() })
        .collect();
    for batch in [1, 2, 5, events.len()] {
        assert_eq!(seen(&routes, batch, &events), expected, "routed {batch} at a time");
    }
}

fn unformatted(event: Event) -> UnformattedEvent {
    UnformattedEvent { seq: 1, webhook: "main".into(), event: Ok(event), standalone: false }
}

#[test]
fn history_without_a_store_is_empty() {
    let temp = tempfile::tempdir().unwrap();
    let mut live = load(temp.path(), None, &["grants.history = true"]).live;
    let formatted = live[0].format(
        unformatted(event("sshd", "all", 1_000, ban("a"))),
        Grouping::Standalone,
        Timestamp(0),
        &|_, _| false,
    );
    assert_eq!(reason(formatted.disposition), "0000");
}

#[test]
fn geo_answers_from_the_routes_files_and_reports_a_broken_one() {
    let temp = tempfile::tempdir().unwrap();
    let country = |code| mmdb(4, 24, &[("203.0.113.0/24", serde_json::json!({ "country_code": code }))]);
    std::fs::write(temp.path().join("de.mmdb"), country("DE")).unwrap();
    std::fs::write(temp.path().join("fr.mmdb"), country("FR")).unwrap();
    std::fs::write(temp.path().join("broken.mmdb"), "").unwrap();
    let routes =
        ["grants.geo = ['de.mmdb', 'fr.mmdb']", "grants.geo = ['broken.mmdb', 'fr.mmdb']", "grants.geo = false"];
    let mut live = load(temp.path(), None, &routes).live;
    let faults: Vec<_> = live.iter().flat_map(LoadedRoute::faults).map(|fault| fault.error.to_string()).collect();
    let [fault] = &faults[..] else { panic!("{faults:?}") };
    assert!(fault.contains("broken.mmdb is not an MMDB file, or is damaged"), "{fault}");
    let seen = live.iter_mut().map(|route| {
        reason(
            route
                .format(
                    unformatted(event("sshd", "x", 1_000, ban("203.0.113.7"))),
                    Grouping::Standalone,
                    Timestamp(0),
                    &|_, _| false,
                )
                .disposition,
        )
    });
    assert_eq!(seen.collect::<Vec<_>>(), ["DE", "FR", "?"]);
}
