//! A stand-in for a server of ntfy with access control, and what it gets. It takes what is published as JSON to one topic, with
//! an access token, and is strict: what the server rejects, cuts, or makes an attachment of, is a violation.
//!
//! From <https://docs.ntfy.sh/publish/#publish-as-json>, <https://docs.ntfy.sh/publish/#limitations> and `server/server.go` of
//! <https://github.com/binwiederhier/ntfy>.

use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};

use crate::http_request::Request;
use crate::polling::until;
use crate::test_env::TestEnv;
use crate::webhook::{Fault, Service, Webhook};

const TOKEN: &str = "tk_XTOKENXsecretXofXaXtopicX";

/// What was published, one after the other.
type Published = Arc<Mutex<Vec<Map<String, Value>>>>;

struct Ntfy {
    topic: String,
    published: Published,
}

impl Service for Ntfy {
    fn answer(&mut self, request: &Request, violations: &mut Vec<String>) -> (&'static str, String) {
        match self.publish(request) {
            Ok(answer) => ("200 OK", answer.to_string()),
            Err((status, code, error)) => {
                let body = String::from_utf8_lossy(&request.body);
                violations.push(format!("{} {}: {code} {error}\n{body}", request.method, request.path));
                (status, json!({ "code": code, "http": code / 100, "error": error }).to_string())
            }
        }
    }
}

type Error = (&'static str, u32, &'static str);

impl Ntfy {
    fn publish(&mut self, request: &Request) -> Result<Value, Error> {
        const INVALID: Error = ("400 Bad Request", 40_017, "invalid request: request body must be message JSON");
        if request.method != "POST" || request.path != "/" {
            return Err(("404 Not Found", 40_401, "page not found"));
        }
        if request.authorization != Some(format!("Bearer {TOKEN}")) {
            return Err(("401 Unauthorized", 40_101, "unauthorized"));
        }
        if request.content_type != "application/json" {
            return Err(INVALID);
        }
        if request.body.len() > 2 * 4_096 {
            return Err(("413 Request Entity Too Large", 41_303, "JSON body too large"));
        }
        let fields: Map<String, Value> = serde_json::from_slice(&request.body).map_err(|_| INVALID)?;
        if fields["topic"] != self.topic.as_str() {
            return Err(("403 Forbidden", 40_301, "forbidden"));
        }
        for (name, value) in &fields {
            let is_valid = match name.as_str() {
                "topic" | "title" => value.as_str().is_some_and(|text| !text.is_empty()),
                // One more, and it is an attachment.
                "message" => value.as_str().is_some_and(|text| !text.is_empty() && text.len() < 4_096),
                "priority" => value.as_u64().is_some_and(|priority| (1..=5).contains(&priority)),
                "tags" => value.as_array().is_some_and(|tags| tags.iter().all(Value::is_string)),
                "actions" => value.as_array().is_some_and(|actions| actions.len() <= 3 && actions.iter().all(is_view)),
                // It is ignored.
                _ => false,
            };
            if !is_valid {
                return Err(INVALID);
            }
        }
        let mut published = self.published.lock().unwrap();
        published.push(fields.clone());
        let mut answer = json!({ "id": format!("id{}", published.len()), "time": 1_795_345_015, "event": "message" });
        answer.as_object_mut().unwrap().extend(fields);
        Ok(answer)
    }
}

fn is_view(action: &Value) -> bool {
    let is_text = |key: &str| action[key].as_str().is_some_and(|text| !text.is_empty());
    action["action"] == "view" && is_text("label") && action["url"].as_str().is_some_and(|url| url.starts_with("http"))
}

#[test]
fn ntfy_gets_each_message_once_and_shows_neither_topic_nor_token() {
    let published = Published::default();
    let service = Arc::clone(&published);
    let webhook = Webhook::open_as(
        |secret| format!("/{secret}"),
        |secret| Box::new(Ntfy { topic: secret.to_owned(), published: service }),
    );
    let env = TestEnv::with_service(webhook, "target = \"ntfy\"\ntoken_file = \"ntfy.token\"");
    env.write_secret("ntfy.token", TOKEN);
    env.webhook.inject(&[Fault::RateLimited(1), Fault::Echo("500 Internal Server Error")]);
    let _daemon = env.daemon();
    env.notify("ban --jail=sshd --ip=203.0.113.7 --time=1763809011");
    env.notify("unban --jail=sshd --ip=203.0.113.7 --time=1763809011");
    until("two notifications", || {
        env.webhook.check();
        let published = published.lock().unwrap();
        if published.len() == 2 { Ok(()) } else { Err(format!("{published:#?}")) }
    });
    let all = env.wait_until_idle().all();
    assert_eq!((all.matched, all.posted), (2, 2), "{all:?}");
    let text = |index: usize| published.lock().unwrap()[index]["message"].as_str().unwrap().to_owned();
    assert!(text(0).contains("203.0.113.7") && text(0).contains("banned"), "{}", text(0));
    assert!(text(1).contains("unbanned"), "{}", text(1));
    let status = env.status(["status"]).stdout;
    let shown = env.banhook(["config", "show"]).ok().stdout;
    assert!(shown.contains("token_file") && shown.contains("target = \"ntfy\""), "{shown}");
    for secret in [env.webhook.secret(), TOKEN] {
        assert!(![&env.log(), &status, &shown].iter().any(|text| text.contains(secret)), "{secret}");
    }
}
