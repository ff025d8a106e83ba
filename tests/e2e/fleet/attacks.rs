//! What a host may do with its key: publish its own events. Tried with the client that anybody can take.

use std::time::Duration;

use async_nats::{Client, ConnectOptions, HeaderMap};
use serde_json::{Value, json};

use super::broker::{Broker, SUITES};
use super::member::Member;
use super::{address, wait_for_addresses};
use crate::polling::until;
use crate::test_env::TestEnv;
use crate::webhook::shown;

/// What the broker does not permit gets no answer.
const NO_ANSWER: Duration = Duration::from_millis(300);

pub async fn connect(broker: &Broker<'_>, key: &str, inbox: &str) -> Client {
    let seed = std::fs::read_to_string(broker.directory().join(key)).unwrap();
    ConnectOptions::with_nkey(seed.trim().to_owned())
        .custom_inbox_prefix(inbox)
        .request_timeout(Some(NO_ANSWER))
        .connect(broker.url())
        .await
        .unwrap()
}

pub async fn ask(client: &Client, subject: &str, body: String) -> Option<Value> {
    let answer = client.request(subject.to_owned(), body.into()).await.ok()?;
    Some(serde_json::from_slice(&answer.payload).unwrap_or(Value::Null))
}

fn event(id: &str, host: &str, ip: &str) -> String {
    json!({ "action": "ban", "id": id, "at": "2026-11-22T10:56:55.601Z", "host": host, "jail": "sshd", "subject": ip })
        .to_string()
}

#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_host_can_do_nothing_but_publish_its_own_events() {
    for suite in SUITES {
        let env = TestEnv::new();
        let broker = Broker::start(&env, suite, &["web-1", "web-2"]);
        let mut worker = Member::worker(&env, &broker, "worker", "");
        worker.start();
        // What is not sent is not settled, so that the streams keep all that comes.
        env.webhook.stop();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let of_worker = runtime.block_on(async {
            let (evil, owner) = (
                connect(&broker, "web-1.nkey", "_INBOX_web-1").await,
                connect(&broker, "worker.nkey", "_INBOX_worker").await,
            );
            // What hosts say of themselves; of web-2 the worker says it here.
            for (client, host) in [(&evil, "web-1"), (&owner, "web-2")] {
                let stored = ask(client, &format!("banhook.host.{host}"), presence(host)).await;
                assert!(stored.is_some_and(|answer| answer["seq"].is_u64()), "{suite}: {host}");
            }
            // What it may do.
            let stored = ask(&evil, "banhook.ev.web-1", event("1", "web-1", &address(0))).await;
            assert!(stored.is_some_and(|answer| answer["seq"] == 1), "{suite}");
            let record = ask(&evil, "$JS.API.DIRECT.GET.BANHOOK_META.banhook.meta", String::new()).await;
            assert!(record.is_some_and(|record| !record["stream"].is_null()), "{suite}");
            // What it may not: subjects of others and of the worker, the streams, and what others publish.
            for (subject, body) in forbidden() {
                assert_eq!(ask(&evil, subject, body).await, None, "{suite}: {subject}");
            }
            // The subject for the answer is chosen by whoever publishes, and the broker writes the answer there.
            for reply in [
                "banhook.ev.web-2",
                "banhook.host.web-2",
                "banhook.silent.web-1",
                "banhook.meta",
                "banhook.state.main",
                "banhook.worker.web-1",
                "$JS.API.STREAM.PURGE.BANHOOK",
            ] {
                let body = event("3", "web-1", &address(2));
                evil.publish_with_reply_and_headers("banhook.ev.web-1", reply, HeaderMap::new(), body.into())
                    .await
                    .unwrap();
                let subject = "$JS.API.DIRECT.GET.BANHOOK.banhook.ev.web-1";
                evil.publish_with_reply(subject, reply, "".into()).await.unwrap();
            }
            evil.flush().await.unwrap();
            let mut others = evil.subscribe("banhook.ev.>").await.unwrap();
            let mut answers = evil.subscribe("_INBOX_web-2.>").await.unwrap();
            ask(&owner, "banhook.ev.web-2", event("4", "web-2", &address(3))).await.unwrap();
            use futures_util::StreamExt as _;
            for subscribed in [&mut others, &mut answers] {
                assert!(tokio::time::timeout(NO_ANSWER, subscribed.next()).await.is_err(), "{suite}");
            }
            // Junk, and events of others under its own subject.
            for body in [
                "",
                "{",
                "\u{0}",
                &event("5", "web-2", &address(4)),
                &event("", "web-1", &address(4)),
                &"x".repeat(60 << 10),
            ] {
                ask(&evil, "banhook.ev.web-1", body.to_owned()).await;
            }
            assert!(
                ask(&evil, "banhook.ev.web-1", "x".repeat(70 << 10))
                    .await
                    .is_some_and(|answer| !answer["error"].is_null())
            );
            ask(&evil, "banhook.ev.web-1", event("6", "web-1", &address(5))).await.unwrap();
            let all = json!({ "subjects_filter": ">" }).to_string();
            let events = ask(&owner, "$JS.API.STREAM.INFO.BANHOOK", all.clone()).await.unwrap();
            (events, ask(&owner, "$JS.API.STREAM.INFO.BANHOOK_HOSTS", all).await.unwrap())
        });
        let (events, hosts) = of_worker;
        assert_eq!(events["state"]["subjects"]["banhook.ev.web-2"], 1, "only the worker's own: {events}");
        // What was there before, all of it, and nothing else.
        let subjects = json!({ "banhook.host.web-1": 1, "banhook.host.web-2": 1 });
        assert_eq!(
            (&hosts["state"]["subjects"], &hosts["state"]["last_seq"]),
            (&subjects, &2.into()),
            "{suite}: {hosts}"
        );
        env.webhook.start();
        wait_for_addresses(&env, 5..6, &[&worker]);
        until("junk to be quarantined", || {
            let status = worker.status();
            if status["quarantined"].as_u64() == Some(6) { Ok(()) } else { Err(format!("{status}\n{}", worker.log())) }
        });
        let texts = shown(&env.webhook.arrived()).join("\n");
        for number in [1, 4] {
            assert!(!texts.contains(&address(number)), "{suite}: {texts}");
        }
        assert!(worker.log().contains("web-1 reports an event of web-2"), "{}", worker.log());
        worker.stop();
        // Whoever may do these things gets an answer: that a host gets none is its rights, and not the request.
        runtime.block_on(async {
            let owner = connect(&broker, "worker.nkey", "_INBOX_worker").await;
            for (subject, body) in forbidden() {
                assert!(ask(&owner, subject, body).await.is_some(), "{suite}: {subject}");
            }
        });
    }
}

fn presence(host: &str) -> String {
    json!({ "host": host, "version": "0.1.0" }).to_string()
}

/// What no host may do. What removes something comes last.
fn forbidden() -> Vec<(&'static str, String)> {
    let last = |subject: &str| json!({ "last_by_subj": subject }).to_string();
    let first = || json!({ "seq": 1 }).to_string();
    let consumer = |stream: &str| json!({ "stream_name": stream, "config": { "ack_policy": "none" } }).to_string();
    vec![
        ("banhook.ev.web-2", event("2", "web-2", &address(1))),
        ("banhook.host.web-2", presence("web-2")),
        ("banhook.silent.web-1", json!({ "silent": true }).to_string()),
        ("banhook.silent.web-2", json!({ "silent": true }).to_string()),
        ("banhook.meta", json!({ "stream": "x", "worker": "web-1", "settled": 99, "pruned": 99 }).to_string()),
        ("banhook.state.main", json!({ "stream": "x", "worker": "web-1", "settled": 99 }).to_string()),
        ("banhook.worker.web-1", json!({ "token": "web-1" }).to_string()),
        ("$JS.API.INFO", String::new()),
        ("$JS.API.STREAM.NAMES", String::new()),
        ("$JS.API.STREAM.INFO.BANHOOK", String::new()),
        ("$JS.API.STREAM.INFO.BANHOOK_META", String::new()),
        ("$JS.API.STREAM.INFO.BANHOOK_HOSTS", String::new()),
        ("$JS.API.STREAM.INFO.BANHOOK_STATE", String::new()),
        ("$JS.API.STREAM.MSG.GET.BANHOOK", last("banhook.ev.web-2")),
        ("$JS.API.STREAM.MSG.GET.BANHOOK_HOSTS", last("banhook.host.web-2")),
        ("$JS.API.DIRECT.GET.BANHOOK.banhook.ev.web-2", String::new()),
        ("$JS.API.DIRECT.GET.BANHOOK", first()),
        ("$JS.API.DIRECT.GET.BANHOOK_META", first()),
        ("$JS.API.DIRECT.GET.BANHOOK_STATE.banhook.state.main", String::new()),
        ("$JS.API.CONSUMER.CREATE.BANHOOK", consumer("BANHOOK")),
        ("$JS.API.CONSUMER.CREATE.BANHOOK_HOSTS", consumer("BANHOOK_HOSTS")),
        ("$JS.API.STREAM.PURGE.BANHOOK", "{}".to_owned()),
        ("$JS.API.STREAM.PURGE.BANHOOK_HOSTS", "{}".to_owned()),
        ("$JS.API.STREAM.PURGE.BANHOOK_META", "{}".to_owned()),
        ("$JS.API.STREAM.PURGE.BANHOOK_STATE", "{}".to_owned()),
        ("$JS.API.STREAM.DELETE.BANHOOK", String::new()),
        ("$JS.API.STREAM.DELETE.BANHOOK_HOSTS", String::new()),
        ("$JS.API.STREAM.DELETE.BANHOOK_META", String::new()),
    ]
}

/// As an operator may do, or the broker by itself.
#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_worker_whose_consumer_is_removed_reads_on() {
    let env = TestEnv::new();
    let broker = Broker::start(&env, SUITES[0], &["web-1"]);
    let mut worker = Member::worker(&env, &broker, "worker", "");
    worker.start();
    let mut host = Member::host(&env, &broker, "web-1");
    host.start();
    host.ban(&address(0));
    wait_for_addresses(&env, 0..1, &[&worker, &host]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let removed = runtime.block_on(async {
        let owner = connect(&broker, "worker.nkey", "_INBOX_operator").await;
        let names = ask(&owner, "$JS.API.CONSUMER.NAMES.BANHOOK", String::new()).await.unwrap();
        let names: Vec<_> = names["consumers"].as_array().unwrap().clone();
        for name in &names {
            let subject = format!("$JS.API.CONSUMER.DELETE.BANHOOK.{}", name.as_str().unwrap());
            assert_eq!(ask(&owner, &subject, String::new()).await.unwrap()["success"], true);
        }
        names.len()
    });
    assert_eq!(removed, 1);
    (1..4).for_each(|number| host.ban(&address(number)));
    assert_eq!(wait_for_addresses(&env, 0..4, &[&worker, &host]), 4);
    worker.wait_for_log("the events of the fleet are read again");
}
