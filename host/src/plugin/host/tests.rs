//! A plugin may import what its route grants, and gets the answers of its providers.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::json;
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{Resolve, WorldItem};

use super::history::{BanHistory, HistoryError, HistoryFunctions};
use super::*;
use crate::event::{Ban, BanQuery, BanSummary, Event, EventDetails, SubjectQuery, Timestamp};
use crate::message::Decision;
use crate::plugin::tests::{LIMITS, runtime};
use crate::plugin::{Plugin, Runtime, guest};

/// Loads a plugin for the route `sec` with these grants. Also returns the faults of the grants.
fn open(
    runtime: &Runtime,
    guest: &[u8],
    grants: &[(&'static str, Grant)],
) -> (Result<Plugin, PluginError>, Vec<String>) {
    let grants = grants.iter().cloned().collect();
    let context = PluginContext { route: "sec".to_owned(), grants, ..PluginContext::default() };
    let (providers, faults) = runtime.host().open(&context);
    (runtime.load(guest, &providers, LIMITS), faults.iter().map(ToString::to_string).collect())
}

#[track_caller]
fn load(guest: &[u8], grants: &[(&'static str, Grant)]) -> Plugin {
    let (plugin, faults) = open(&runtime(None), guest, grants);
    assert_eq!(faults, [] as [&str; 0]);
    plugin.unwrap()
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

#[test]
fn interface_name_and_version_of_an_import_decide() {
    let host = Host::new();
    for (import, offered) in [
        ("banhook:plugin/log@0.1.0", true),
        ("banhook:plugin/clock@0.1.7", true),
        ("banhook:plugin/log@0.2.0", false),
        ("banhook:plugin/log@0.10.0", false),
        ("banhook:plugin/log", false),
        ("banhook:plugin/geo@0.1.0", true),
        ("banhook:plugin/history@0.1.4", true),
        ("banhook:plugin/history@0.2.0", false),
        ("banhook:plugin/geography@0.1.0", false),
        ("banhook:plugins/log@0.1.0", false),
        ("wasi:cli/environment@0.2.3", true),
        ("wasi:cli/environment@0.3.0", false),
        ("wasi:cli/made-up@0.2.3", false),
        ("wasi:http/types@0.2.3", false),
    ] {
        assert_eq!(host.interface(import).is_some(), offered, "{import}");
    }
}

/// A plugin that imports every function of `wit/`, and the functions' names.
fn imports_everything() -> (Vec<u8>, Vec<String>) {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit")).unwrap();
    let world = resolve.select_world(&[package], Some("everything")).unwrap();
    let (mut text, mut names) = ("(module".to_owned(), Vec::new());
    for import in resolve.worlds[world].imports.values() {
        let WorldItem::Interface { id, .. } = import else { panic!("{import:?}") };
        for (name, function) in &resolve.interfaces[*id].functions {
            let types = |types: &[WasmType]| {
                let names = types.iter().map(|one| match one {
                    WasmType::I64 | WasmType::PointerOrI64 => "i64",
                    WasmType::F32 => "f32",
                    WasmType::F64 => "f64",
                    WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
                });
                names.collect::<Vec<_>>().join(" ")
            };
            let signature = resolve.wasm_signature(AbiVariant::GuestImport, function);
            let (module, params, results) =
                (resolve.id_of(*id).unwrap(), types(&signature.params), types(&signature.results));
            writeln!(text, r#"(import "{module}" "{name}" (func (param {params}) (result {results})))"#).unwrap();
            names.push(name.clone());
        }
    }
    text.push_str(
        r#"(memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
        (func (export "banhook:plugin/formatter@0.1.0#format") (param i32) (result i32) unreachable))"#,
    );
    (guest::plugin(&text, "plugin"), names)
}

#[test]
fn load_plugin_that_imports_every_function_of_the_wit_succeeds() {
    let (file, names) = imports_everything();
    for name in ["write", "get", "all", "now", "local", "at", "bans", "lookup"] {
        assert!(names.iter().any(|found| found == name), "{name} is not in {names:?}");
    }
    let refused: Vec<_> = grantable().into_iter().map(|(name, _)| (name, Grant::Refused)).collect();
    load(&file, &refused);
}

#[test]
fn load_unknown_import_fails_and_lists_the_interfaces() {
    let import = wat::parse_str(r#"(component (import "banhook:plugin/dns@0.1.0" (instance)))"#).unwrap();
    let error = open(&runtime(None), &import, &[]).0.err().unwrap().to_string();
    assert_eq!(
        error,
        "imports banhook:plugin/dns@0.1.0, which banhook does not offer; \
         it may import log, settings, clock and wasi:*@0.2, and if its route grants them, history and geo"
    );
}

#[test]
fn load_import_that_is_not_granted_fails_with_the_line_to_add() {
    for (guest, granted, error) in [
        (
            guest::asks_history(),
            "geo",
            "imports history, which route \"sec\" does not grant; \
             add history = true (or history = false) under [routes.grants]",
        ),
        (
            guest::asks_geo(),
            "history",
            "imports geo, which route \"sec\" does not grant; \
             add geo = [\"FILE.mmdb\"] (or geo = false) under [routes.grants]",
        ),
    ] {
        let (plugin, _) = open(&runtime(None), &guest, &[(granted, Grant::Refused)]);
        assert_eq!(plugin.err().unwrap().to_string(), error);
    }
}

#[test]
fn grant_false_answers_nothing() {
    let grants = [("history", Grant::Refused), ("geo", Grant::Refused)];
    assert_eq!(skips_with(&load(&guest::asks_history(), &grants), "all"), "0000");
    assert_eq!(skips_with(&load(&guest::asks_geo(), &grants), "all"), "?");
}

#[test]
fn grant_answers_of_another_shape_are_a_fault() {
    for (import, answers) in
        [("history", json!({})), ("history", json!([{"jail": 1}])), ("geo", json!([])), ("geo", json!({"x": {"y": 1}}))]
    {
        let (_, faults) = open(&runtime(None), &guest::asks_geo(), &[(import, Grant::Answers(answers))]);
        let [fault] = &faults[..] else { panic!("{faults:?}") };
        assert!(fault.starts_with(&format!("gets incomplete answers from {import}: ")), "{fault}");
    }
}

/// Gives every query the same answer, and records the queries.
struct Recorded(Result<BanSummary, HistoryError>, Mutex<Vec<BanQuery>>);

impl BanHistory for Recorded {
    fn bans(&self, query: &BanQuery, deadline: Instant) -> Result<BanSummary, HistoryError> {
        assert!(deadline > Instant::now());
        self.1.lock().unwrap().push(query.clone());
        self.0.clone()
    }
}

fn history(answer: Result<BanSummary, HistoryError>) -> (Arc<Recorded>, Plugin) {
    let recorded = Arc::new(Recorded(answer, Mutex::default()));
    let runtime = runtime(None);
    let (mut providers, _) = runtime.host().open(&PluginContext::default());
    providers.by_name.insert("history", Box::new(HistoryFunctions(recorded.clone())));
    (recorded, runtime.load(&guest::asks_history(), &providers, LIMITS).unwrap())
}

#[test]
fn history_queries_and_answers_pass_through() {
    let summary = BanSummary {
        bans: 3,
        subjects: 2,
        hosts: 1,
        first: Some(Timestamp(5)),
        last: Some(Timestamp(7)),
        jails: 2,
        by_jail: vec![("sshd".to_owned(), 7), ("nginx".to_owned(), 1)],
        by_host: vec![("web-1".to_owned(), 8)],
    };
    let (recorded, plugin) = history(Ok(summary));
    for id in ["subject", "jail", "within", "all"] {
        assert_eq!(skips_with(&plugin, id), "3217");
    }
    let in_network = |network: &str| plugin.format(&Event { jail: network.to_owned(), ..ban("network") });
    assert!(matches!(in_network("203.0.113.0/24").decision, Ok(Decision::Skip(reason)) if reason == "3217"));
    let all = BanQuery { until: Timestamp(100_000), ..BanQuery::default() };
    let asked = [
        BanQuery { subject: Some(SubjectQuery::Exact("203.0.113.7".to_owned())), ..all.clone() },
        BanQuery { jail: Some("sshd".to_owned()), ..all.clone() },
        BanQuery { since: Some(Timestamp(40_000)), ..all.clone() },
        all.clone(),
        BanQuery { subject: Some(SubjectQuery::Network("203.0.113.0/24".parse().unwrap())), ..all },
    ];
    assert_eq!(*recorded.1.lock().unwrap(), asked);

    let wrong = in_network("203.0.113.7 ");
    assert!(matches!(&wrong.decision, Ok(Decision::Skip(code)) if code == "invalid"), "{wrong:?}");
    assert!(wrong.log[0].message.contains("expected a network like 203.0.113.0/24"), "{wrong:?}");
    let hinted = plugin.format(&ban("hint"));
    assert_eq!(hinted.log[0].message, "history.bans does not know the hint \"new\"");
    assert!(matches!(hinted.decision, Ok(Decision::Skip(reason)) if reason == "3217"));
}

#[test]
fn history_without_an_answer_tells_the_plugin_and_is_logged() {
    for (error, code, text) in [
        (HistoryError::TookTooLong, "timeout", "more past bans than can be counted in half of the time"),
        (HistoryError::Failed("the disk is on fire".to_owned()), "unavailable", "past bans cannot be read: the disk"),
    ] {
        let (_, plugin) = history(Err(error));
        let answer = plugin.format(&ban("all"));
        assert!(matches!(&answer.decision, Ok(Decision::Skip(found)) if found == code), "{answer:?}");
        let [line] = &answer.log[..] else { panic!("{answer:?}") };
        assert!(line.message.starts_with(&format!("history.bans has no answer: {text}")), "{line:?}");
    }
}

#[test]
fn geo_answers_from_its_file_and_logs_that_it_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("x.mmdb");
    let country = json!({ "country": { "iso_code": "DE" } });
    let good = crate::geo::mmdb::mmdb(4, 24, &[("203.0.113.0/24", country)]);
    std::fs::write(&path, &good).unwrap();
    let runtime = runtime(None);
    let (plugin, faults) = open(&runtime, &guest::asks_geo(), &[("geo", Grant::Files(vec![path.clone()]))]);
    let plugin = plugin.unwrap();
    assert_eq!(faults, [] as [&str; 0]);
    assert_eq!(skips_with(&plugin, "all"), "DE");

    // The record's first key becomes a pointer to nowhere.
    let key = good.windows(7).position(|bytes| bytes == b"country").unwrap();
    let mut damaged = good;
    damaged[key - 1] = 0x3f;
    std::fs::write(folder.path().join("new"), damaged).unwrap();
    std::fs::rename(folder.path().join("new"), &path).unwrap();
    assert_eq!(runtime.host().reload(), [(path, Ok(()))]);
    let answer = plugin.format(&ban("all"));
    assert!(matches!(&answer.decision, Ok(Decision::Skip(reason)) if reason == "unavailable"), "{:?}", answer.decision);
    let [line] = &answer.log[..] else { panic!("{:?}", answer.log) };
    assert!(line.message.starts_with("geo.lookup has no answer: ") && line.message.contains("x.mmdb"), "{line:?}");
}
