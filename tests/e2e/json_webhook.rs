//! A stand-in for a program that takes messages as JSON, and what it gets. It verifies signatures as Standard Webhooks has them
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>), with openssl, and takes
//! no body but the one that the configuration says.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::http_request::Request;
use crate::polling::until;
use crate::test_env::TestEnv;
use crate::webhook::{Fault, Service, Webhook};

/// `whsec_` and these bytes in Base64.
const KEY: &str = "whsec_WFNJR05JTkdYS0VZWFNJR05JTkdYS0VZWA==";
const KEY_BYTES: &str = "XSIGNINGXKEYXSIGNINGXKEYX";
const HEADER: &str = "XHEADERXvalueX";

/// The id and the body of each request that was taken.
type Taken = Arc<Mutex<Vec<(String, Value)>>>;

struct Program {
    path: String,
    /// Requests that are answered with the status of a success, and without one.
    refused: usize,
    ids: Arc<Mutex<Vec<String>>>,
    taken: Taken,
}

impl Service for Program {
    fn answer(&mut self, request: &Request, violations: &mut Vec<String>) -> (&'static str, String) {
        match self.take(request) {
            Ok(is_taken) => ("200 OK", json!({ "ok": is_taken }).to_string()),
            Err(error) => {
                let body = String::from_utf8_lossy(&request.body);
                violations.push(format!("{} {}: {error}\n{body}", request.method, request.path));
                ("400 Bad Request", error)
            }
        }
    }
}

impl Program {
    fn take(&mut self, request: &Request) -> Result<bool, String> {
        let one = |name: &str| match request.header(name).as_slice() {
            [value] => Ok((*value).to_owned()),
            values => Err(format!("{name}: {values:?}")),
        };
        if request.method != "POST" || request.path != self.path || one("content-type")? != "application/json" {
            return Err("another request".to_owned());
        }
        if one("x-key")? != HEADER {
            return Err("another x-key".to_owned());
        }
        let (id, seconds, signature) = (one("webhook-id")?, one("webhook-timestamp")?, one("webhook-signature")?);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let sent_at: u64 = seconds.parse().map_err(|_| format!("webhook-timestamp: {seconds}"))?;
        if sent_at.abs_diff(now) > 300 {
            return Err(format!("webhook-timestamp: {sent_at}, and it is {now}"));
        }
        let signed = [format!("{id}.{seconds}.").as_bytes(), &request.body].concat();
        let expected = format!("v1,{}", hmac(&signed));
        if signature != expected {
            return Err(format!("webhook-signature: {signature}, not {expected}"));
        }
        self.ids.lock().unwrap().push(id.clone());
        if self.refused > 0 {
            self.refused -= 1;
            return Ok(false);
        }
        let body = serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
        self.taken.lock().unwrap().push((id, body));
        Ok(true)
    }
}

fn hmac(signed: &[u8]) -> String {
    let script = format!("openssl dgst -sha256 -hmac {KEY_BYTES} -binary | base64");
    let mut shell =
        Command::new("sh").args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    shell.stdin.take().unwrap().write_all(signed).unwrap();
    String::from_utf8(shell.wait_with_output().unwrap().stdout).unwrap().trim().to_owned()
}

fn env(refused: usize, lines: &str) -> (TestEnv, Taken, Arc<Mutex<Vec<String>>>) {
    let (taken, ids) = (Taken::default(), Arc::<Mutex<Vec<String>>>::default());
    let (service_taken, service_ids) = (Arc::clone(&taken), Arc::clone(&ids));
    let webhook = Webhook::open_as(
        |secret| format!("/in/{secret}"),
        |secret| Box::new(Program { path: format!("/in/{secret}"), refused, ids: service_ids, taken: service_taken }),
    );
    let secrets = "headers_file = \"program.headers\"\nsigning_key_file = \"program.key\"";
    let env = TestEnv::with_service(webhook, &format!("target = \"json\"\n{secrets}\n{lines}"));
    env.write_secret("program.headers", &format!("X-Key: {HEADER}"));
    env.write_secret("program.key", KEY);
    (env, taken, ids)
}

#[track_caller]
fn wait_for(env: &TestEnv, taken: &Taken, count: usize) -> Vec<(String, Value)> {
    until("the messages", || {
        env.webhook.check();
        let taken = taken.lock().unwrap();
        if taken.len() == count { Ok(taken.clone()) } else { Err(format!("{taken:#?}")) }
    })
}

#[test]
fn program_gets_the_event_signed_and_each_attempt_has_the_same_id() {
    let (env, taken, ids) = env(0, "");
    env.webhook.inject(&[Fault::ServerError, Fault::ResetAfterAccepting]);
    let _daemon = env.daemon();
    env.notify("ban --jail=sshd --ip=203.0.113.7 --failures=5 --time=1763809011");
    env.notify("unban --jail=sshd --ip=203.0.113.7 --time=1763809011");
    let all = env.wait_until_idle().all();
    // The one whose answer was lost, again, and the next.
    let found = wait_for(&env, &taken, 3);
    assert_eq!((all.matched, all.posted), (2, 2), "{all:?}");
    let (_, ban) = &found[0];
    assert_eq!((&ban["version"], &ban["event"]["kind"]), (&json!(1), &json!("ban")));
    assert_eq!((&ban["event"]["subject"], &ban["event"]["failures"]), (&json!("203.0.113.7"), &json!(5)));
    assert!(ban["text"].as_str().unwrap().contains("banned"), "{ban}");
    assert_eq!(found.last().unwrap().1["event"]["kind"], "unban");
    // A program that remembers ids has each message once.
    let distinct: BTreeSet<String> = ids.lock().unwrap().iter().cloned().collect();
    assert_eq!(distinct.len(), 2, "{distinct:?}");
    let status = env.status(["status"]).stdout;
    let shown = env.banhook(["config", "show"]).ok().stdout;
    for secret in [env.webhook.secret(), KEY, KEY_BYTES, HEADER] {
        assert!(![&env.log(), &status, &shown].iter().any(|text| text.contains(secret)), "{secret}");
    }
}

#[test]
fn program_gets_the_body_of_the_template_until_it_says_success() {
    let body = r#"body = '{"a": [{"text": "{event.kind} of {event.subject}"}], "level": "{priority}"}'"#;
    let (env, taken, ids) = env(1, &format!("{body}\nsuccess = \"/ok = true\""));
    let _daemon = env.daemon();
    env.notify("ban --jail=sshd --ip=203.0.113.7\"} --time=1763809011");
    let found = wait_for(&env, &taken, 1);
    assert_eq!(found[0].1, json!({ "a": [{ "text": "ban of 203.0.113.7\"}" }], "level": 3 }));
    assert_eq!(env.wait_until_idle().all().posted, 1);
    let ids = ids.lock().unwrap();
    assert!(ids.len() == 2 && ids[0] == ids[1], "{ids:?}");
}
