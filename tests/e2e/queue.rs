//! `queue`: pending and dead messages are listed, shown, retried and dropped; stored events are exported.

use std::fs;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::binary::banhook;
use crate::command_output::CommandOutput;
use crate::polling::until;
use crate::test_env::{Counts, QUICK, TestEnv};
use crate::webhook::Fault;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn queue(env: &TestEnv, line: &str) -> CommandOutput {
    env.banhook(["queue"].into_iter().chain(line.split_whitespace()))
}

fn listed(env: &TestEnv, which: &str) -> Vec<Value> {
    json(&queue(env, &format!("list {which} --format json")).ok().stdout).as_array().unwrap().clone()
}

fn ban(env: &TestEnv, last: u32) {
    env.notify(&format!("ban --jail=sshd --ip=203.0.113.{last} --failures=5 --time=176380901{last}"));
}

/// Bans an address and has the webhook reject the message, and its plain form. Returns the id of the message, the only dead one.
fn rejected(env: &TestEnv, last: u32) -> i64 {
    env.webhook.inject(&[Fault::Rejected; 2]);
    ban(env, last);
    env.wait_until_idle();
    let dead = listed(env, "--dead");
    assert_eq!(dead.len(), 1, "{dead:?}");
    dead[0]["id"].as_i64().unwrap()
}

fn counts(matched: u64, posted: u64, dead: u64) -> Counts {
    Counts { matched, posted, digested: 0, skipped: 0, dead, pending: 0 }
}

#[test]
fn queue_retry_rejected_message_with_daemon_sends_it() {
    let env = TestEnv::new();
    let _daemon = env.daemon();
    retry_rejected(&env);
}

#[test]
fn queue_retry_rejected_message_without_daemon_sends_it() {
    retry_rejected(&TestEnv::new());
}

fn retry_rejected(env: &TestEnv) {
    let message = rejected(env, 1);
    let list = queue(env, "list").ok();
    let line = list.stdout.lines().nth(1).unwrap_or_default();
    let words: Vec<_> = line.split_whitespace().collect();
    assert_eq!(words[..6], [&message.to_string(), "all", "main", "dead", "(rejected)", "1"], "{list}");
    assert!(line.ends_with("400 invalid_blocks"), "{list}");
    assert_eq!(listed(env, "--pending"), [] as [Value; 0]);
    assert!(queue(env, "list --pending").ok().stdout.contains("No message is pending"));
    let status = env.status(["status"]);
    assert!(status.stdout.contains("webhook main: 1 dead"), "{status}");
    assert!(status.stdout.contains("400 invalid_blocks") && status.stdout.contains("queue list --dead"), "{status}");

    let shown = queue(env, &format!("show {message}")).ok();
    assert!(shown.stdout.contains("400 invalid_blocks"), "{shown}");
    assert_eq!(shown.stdout.matches("203.0.113.1").count(), 2, "in the preview and in the event: {shown}");
    let all = json(&queue(env, &format!("show {message} --format json")).ok().stdout);
    assert_eq!(all["message"]["error"], "400 invalid_blocks", "{all}");
    assert_eq!(all["message"]["dead_reason"], "rejected", "{all}");
    assert_eq!((&all["message"]["state"], &all["message"]["webhook"]), (&json!("dead"), &json!("main")), "{all}");
    assert_eq!(all["events"][0]["subject"], "203.0.113.1", "{all}");
    assert!(all["body"]["blocks"].is_array(), "{all}");

    let retried = queue(env, &format!("retry {message}")).ok();
    assert!(retried.stdout.contains("1 message is formatted again"), "{retried}");
    assert!(env.webhook.wait_for(1)[0].contains(&["203.0.113.1"]));
    assert_eq!(env.wait_until_idle().all(), counts(1, 1, 0));
    assert_eq!(listed(env, ""), [] as [Value; 0]);
    queue(env, &format!("show {message}")).exits(1).complains(&["formatted again"]);
    let again = queue(env, &format!("retry {}", message + 1)).exits(1);
    again.complains(&["was sent already"]);
    assert!(queue(env, &format!("show {}", message + 1)).ok().stdout.contains("not kept any more"));
    assert_accounted_for(env);
    assert!(!format!("{list}{status}{shown}{all}{retried}{again}").contains(env.webhook.secret()));
}

#[track_caller]
fn assert_accounted_for(env: &TestEnv) {
    let status = env.status(["status", "--check"]);
    assert!(status.stdout.contains("every event is accounted for"), "{status}");
}

#[test]
fn queue_retry_after_template_change_uses_new_text() {
    const TEMPLATE: &str = "[routes.settings]\nban = \"{{ ip }} is out\"";
    let env = TestEnv::new();
    let message = rejected(&env, 1);
    env.configure(TEMPLATE);
    queue(&env, &format!("retry {message}")).ok();
    assert!(env.webhook.wait_for(1)[0].contains(&["203.0.113.1 is out"]));
    assert_eq!(env.wait_until_idle().all(), counts(1, 1, 0));
    assert_accounted_for(&env);
}

#[test]
fn queue_retry_rejected_digest_reformats_its_events() {
    let env = TestEnv::as_shipped(QUICK, "storm = { threshold = 1, within = \"60s\" }\ndigest_window = \"1s\"");
    let _daemon = env.daemon();
    ban(&env, 1);
    env.webhook.wait_for(1);
    env.webhook.inject(&[Fault::Rejected; 2]);
    (2..=4).for_each(|last| ban(&env, last));
    env.wait_until_idle();
    let dead = listed(&env, "--dead");
    assert_eq!((dead.len(), &dead[0]["events"]), (1, &json!(3)), "{dead:?}");
    queue(&env, "retry --all").ok();
    // The storm is not over: the events go into another digest.
    env.webhook.wait_for(2);
    let all = env.wait_until_idle().all();
    assert_eq!((all.matched, all.posted, all.digested), (4, 1, 3), "{all:?}");
    assert_accounted_for(&env);
}

#[test]
fn queue_retry_without_route_stays_dead() {
    let env = TestEnv::new();
    let message = rejected(&env, 1);
    let config = fs::read_to_string(env.config()).unwrap();
    fs::write(env.config(), config.replace("name = \"all\"", "name = \"others\"")).unwrap();
    queue(&env, &format!("retry {message}")).exits(1).complains(&["route \"all\" is not configured any more"]);
    queue(&env, "retry --all").exits(1);
    assert_eq!(env.ledger().all(), counts(1, 0, 1));
    assert_eq!(listed(&env, "--dead").len(), 1);
    assert_accounted_for(&env);

    fs::write(env.config(), config).unwrap();
    queue(&env, &format!("retry {message}")).ok();
    env.webhook.wait_for(1);
    assert_eq!(env.wait_until_idle().all(), counts(1, 1, 0));
    assert_accounted_for(&env);
}

#[test]
fn queue_retry_of_removed_route_sends_fallback() {
    let env = TestEnv::new();
    let message = rejected(&env, 1);
    let config = fs::read_to_string(env.config()).unwrap();
    fs::write(env.config(), config.replace("name = \"all\"", "name = \"others\"")).unwrap();
    let _daemon = env.daemon();
    let broken = env.write("broken.toml", "[");
    let retried =
        env.command(banhook()).args(["queue", "retry", &message.to_string()]).env("BANHOOK_CONFIG", broken).status();
    assert!(retried.unwrap().success());
    assert!(env.webhook.wait_for(1)[0].contains(&["203.0.113.1"]));
    assert_eq!(env.wait_until_idle().all(), counts(1, 1, 0));
    assert_accounted_for(&env);
}

#[test]
fn queue_retry_all_of_webhook_sends_its_dead_messages() {
    let env = TestEnv::new();
    let _daemon = env.daemon();
    env.webhook.inject(&[Fault::Rejected; 4]);
    for last in 1..=2 {
        ban(&env, last);
    }
    assert_eq!(env.wait_until_idle().all().dead, 2);
    let limited = queue(&env, "list --limit 1 --format json").ok();
    assert_eq!(json(&limited.stdout).as_array().unwrap().len(), 1);
    assert!(limited.stderr.contains("only the first 1 message"), "{limited}");
    for command in ["retry --all --webhook mian", "drop --all --webhook mian"] {
        queue(&env, command).exits(1).complains(&["no webhook has the name \"mian\""]);
    }
    queue(&env, "list --limit 0").exits(2);
    assert_eq!(env.ledger().all().dead, 2);
    assert!(queue(&env, "retry --all --webhook main").ok().stdout.starts_with("2 messages"));
    let arrived = env.webhook.wait_for(2);
    assert!((1..=2).zip(&arrived).all(|(last, message)| message.contains(&[&format!("203.0.113.{last}")])));
    assert_eq!(env.wait_until_idle().all(), counts(2, 2, 0));
}

#[test]
fn queue_drop_marks_dead_and_hides_message() {
    let env = TestEnv::new();
    let message = rejected(&env, 1);
    let dropped = queue(&env, &format!("drop {message}")).ok();
    assert!(dropped.stdout.starts_with("1 message dropped"), "{dropped}");
    assert_eq!(env.ledger().all(), counts(1, 0, 1));
    assert_eq!(listed(&env, ""), [] as [Value; 0]);
    assert!(env.status(["status"]).stdout.contains("\nwebhook main: nothing pending\n"));
    queue(&env, &format!("retry {message}")).exits(1).complains(&["was dropped"]);
    queue(&env, &format!("drop {message}")).exits(1).complains(&["was dropped before"]);
    queue(&env, "retry --all").ok();
    assert!(env.webhook.arrived().is_empty());

    rejected(&env, 2);
    assert!(queue(&env, "drop --all").ok().stdout.starts_with("1 message dropped"));
    assert_eq!(env.wait_until_idle().all(), counts(2, 0, 2));
    assert_accounted_for(&env);
}

#[test]
fn queue_drop_pending_message_is_not_sent() {
    let env = TestEnv::new();
    env.webhook.stop();
    let _daemon = env.daemon();
    ban(&env, 1);
    ban(&env, 2);
    until("both to be ready", || {
        let ready = listed(&env, "--pending");
        if ready.len() == 2 { Ok(()) } else { Err(format!("{ready:?}")) }
    });
    let first = listed(&env, "")[0]["id"].clone();
    let pending = queue(&env, &format!("retry {first}")).exits(1);
    pending.complains(&["is pending"]);
    queue(&env, &format!("drop {first}")).exits(2).complains(&["never sent", "--yes"]);
    assert_eq!(listed(&env, "--pending").len(), 2);
    queue(&env, &format!("drop {first} --yes")).ok();
    env.webhook.start();
    assert!(env.webhook.wait_for(1)[0].contains(&["203.0.113.2"]));
    assert_eq!(env.wait_until_idle().all(), counts(2, 1, 1));
    assert_accounted_for(&env);
}

#[test]
fn queue_open_digest_is_listed_and_cannot_be_dropped() {
    let env = TestEnv::as_shipped(QUICK, "storm = { threshold = 1, within = \"60s\" }\ndigest_window = \"10m\"");
    let _daemon = env.daemon();
    (1..=4).for_each(|last| ban(&env, last));
    let open = until("three events in a digest", || {
        let open: Vec<_> = listed(&env, "").into_iter().filter(|message| message["state"] == "open").collect();
        match open.as_slice() {
            [message] if message["events"] == 3 => Ok(message.clone()),
            _ => Err(format!("{open:?}")),
        }
    });
    assert!(open["closes_at"].is_string(), "{open}");
    assert!(queue(&env, "list").ok().stdout.contains("open until "));
    let status = env.status(["status"]);
    assert!(status.stdout.contains("3 events in 1 open digest"), "{status}");
    queue(&env, &format!("drop {}", open["id"])).exits(1).complains(&["is open", "once it has closed"]);
    let shown = queue(&env, &format!("show {}", open["id"])).ok();
    assert!(
        shown.stdout.contains("formatted when the digest closes") && shown.stdout.contains("203.0.113.4"),
        "{shown}"
    );
    let events = queue(&env, &format!("export {}", open["id"])).ok();
    assert_eq!(events.stdout.lines().count(), 3, "{events}");
}

#[test]
fn queue_retry_with_unknown_ids_sends_the_known() {
    let env = TestEnv::new();
    let message = rejected(&env, 1);
    let retried = queue(&env, &format!("retry 4711 {message} 4712")).exits(1);
    assert!(retried.stdout.starts_with("1 message is"), "{retried}");
    assert_eq!(retried.stderr.lines().count(), 2, "{retried}");
    assert!(retried.stderr.contains("no message 4711") && retried.stderr.contains("no message 4712"), "{retried}");
    env.webhook.wait_for(1);
    for line in ["show 4711", "drop 4711", "export 4711"] {
        queue(&env, line).exits(1).complains(&["no message 4711"]);
    }
    for line in [
        "retry",
        "retry 1 --all",
        "drop",
        "drop 0",
        "show x",
        "retry 1 --webhook main",
        "drop --webhook main",
        "export 1 --last 1",
    ] {
        queue(&env, line).exits(2);
    }
}

#[test]
fn queue_without_store_is_empty_and_creates_nothing() {
    let env = TestEnv::new();
    assert!(queue(&env, "list").ok().stdout.contains("No message is pending or dead"));
    assert_eq!(listed(&env, ""), [] as [Value; 0]);
    assert_eq!(queue(&env, "export").ok().stdout, "");
    for line in ["retry --all", "drop --all"] {
        queue(&env, line).ok();
    }
    for line in ["show 1", "retry 1", "drop 1", "export 1"] {
        queue(&env, line).exits(1).complains(&["no message 1 "]);
    }
    assert_accounted_for(&env);
    assert!(!env.state().exists());
}

#[test]
fn queue_export_event_is_a_test_case() {
    let env = TestEnv::new();
    fs::write(
        env.config(),
        format!("host = \"web-1\"\n[labels]\nsite = \"fra1\"\n{}", fs::read_to_string(env.config()).unwrap()),
    )
    .unwrap();
    let hostile = "ba\u{1b}[31md\"\u{202e}jail";
    env.banhook(["notify", "--no-spawn", "start", &format!("--jail={hostile}")]).ok();
    env.notify("--no-spawn ban --jail=sshd --ip=2001:db8::1 --failures=5 --bancount=2 --bantime=-1 --time=1763809011 --restored=1");
    env.banhook(["drain"]).ok();

    let exported = queue(&env, "export").ok();
    let events: Vec<_> = exported.stdout.lines().map(json).collect();
    assert_eq!(events.len(), 2, "{exported}");
    assert_eq!((&events[0]["action"], &events[0]["jail"]), (&json!("start"), &json!(hostile)));
    let ban = &events[1];
    for (field, value) in [
        ("action", json!("ban")),
        ("subject", json!("2001:db8::1")),
        ("failures", json!(5)),
        ("count", json!(2)),
        ("duration", json!("permanent")),
        ("restored", json!(true)),
        ("ticket_at", json!("2025-11-22T10:56:51.000Z")),
        ("host", json!("web-1")),
        ("labels", json!({"site": "fra1"})),
    ] {
        assert_eq!(ban[field], value, "{field} of {ban}");
    }

    // As the help describes.
    let last = queue(&env, "export --last 1").ok();
    assert_eq!(json(&last.stdout), *ban);
    fs::create_dir(env.path("cases")).unwrap();
    for (number, event) in exported.stdout.lines().enumerate() {
        env.write(&format!("cases/{number}.json"), format!("{{\"event\": {event}}}"));
    }
    env.banhook(["test", "--update", "template", "cases"]).ok();
    let tested = env.banhook(["test", "template", "cases"]).ok();
    assert!(tested.stdout.contains("2 passed"), "{tested}");
    let case = json(&fs::read_to_string(env.path("cases/1.json")).unwrap());
    assert_eq!(case["event"], *ban, "the event is complete");
    assert!(case["decision"].to_string().contains("web-1"), "{case}");

    // Stored text has no effect on a terminal.
    let shown = queue(&env, "show 1").ok();
    assert!(shown.stdout.contains("ba\\u{1b}[31md") && !shown.stdout.contains(['\u{1b}', '\u{202e}']), "{shown}");

    // Without a configuration the events are exported, too.
    fs::remove_file(env.config()).unwrap();
    let bare = queue(&env, "export").ok();
    assert!(bare.stdout.lines().count() == 2 && bare.stderr.contains("without"), "{bare}");
}

#[test]
fn commands_with_closed_pipe_succeed() {
    let env = TestEnv::new();
    env.notify("--no-spawn ban --jail=sshd --ip=203.0.113.1");
    for line in ["queue export", "queue list", "status", "config check", "test template cases"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = env.command(banhook());
        let run = command.args(line.split(' ')).stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped());
        let output = run.output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{line}: {output:?}");
    }
}

#[test]
fn ledger_during_storm_always_balances() {
    const EACH: u32 = 120;
    let env = TestEnv::as_shipped(QUICK, "storm = { threshold = 20, within = \"2s\" }\ndigest_window = \"1s\"");
    let _daemon = env.daemon();
    env.webhook.inject(&[Fault::Rejected, Fault::ServerError, Fault::Rejected, Fault::Rejected]);
    let busy = AtomicBool::new(true);
    let checks = std::thread::scope(|scope| {
        let bans = |net: u32| {
            let env = &env;
            move || {
                for last in 1..=EACH {
                    env.notify(&format!("ban --jail=sshd --ip=198.51.{net}.{last} --time=1763809011"));
                }
            }
        };
        let storms: Vec<_> = (0..3).map(|net| scope.spawn(bans(net))).collect();
        let watcher = scope.spawn(|| {
            let mut checks = 0;
            while busy.load(Ordering::SeqCst) {
                let status = json(&env.status(["status", "--check", "--format", "json"]).stdout);
                assert_eq!((&status["balances"], &status["discrepancies"]), (&json!(true), &json!([])), "{status}");
                queue(&env, "retry --all").ok();
                checks += 1;
            }
            checks
        });
        storms.into_iter().for_each(|storm| storm.join().unwrap());
        let ledger = until("every event to be delivered", || match env.wait_until_idle() {
            ledger if ledger.all().dead == 0 => Ok(ledger),
            ledger => Err(format!("{ledger:?}")),
        });
        busy.store(false, Ordering::SeqCst);
        assert_eq!(ledger.all().matched, u64::from(3 * EACH), "{ledger:?}");
        assert!(ledger.all().digested > 0, "{ledger:?}");
        watcher.join().unwrap()
    });
    assert!(checks > 10, "{checks} checks");
    assert!(json(&env.status(["status", "--format", "json"]).stdout).get("discrepancies").is_none());
}
