//! A stand-in for a workflow of Power Automate that posts to a channel of Microsoft Teams, and what it gets. It takes Adaptive Cards
//! in Teams' envelope, and is strict: what Teams rejects, ignores, or reads as markup, is a violation.
//!
//! From <https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook> and
//! <https://learn.microsoft.com/adaptive-cards/schema-explorer/adaptive-card>.

use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};

use crate::http_request::Request;
use crate::polling::until;
use crate::test_env::TestEnv;
use crate::webhook::{Fault, Service, Webhook};

/// About 28 KB in UTF-16.
const UNITS_MAX: usize = 14 * 1_024;

/// The text of each card that was posted.
type Posted = Arc<Mutex<Vec<String>>>;

struct Workflow {
    path: String,
    posted: Posted,
}

impl Service for Workflow {
    fn answer(&mut self, request: &Request, violations: &mut Vec<String>) -> (&'static str, String) {
        match self.post(request) {
            Ok(()) => ("202 Accepted", String::new()),
            Err(error) => {
                let body = String::from_utf8_lossy(&request.body);
                violations.push(format!("{} {}: {error}\n{body}", request.method, request.path));
                let answer = json!({ "error": { "code": "TriggerInputSchemaMismatch", "message": error } });
                ("400 Bad Request", answer.to_string())
            }
        }
    }
}

impl Workflow {
    fn post(&mut self, request: &Request) -> Result<(), String> {
        if request.method != "POST" || request.path != self.path || request.content_type != "application/json" {
            return Err("another request".to_owned());
        }
        let body: Value = serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
        if body.to_string().encode_utf16().count() > UNITS_MAX {
            return Err("a message of more than 28 KB".to_owned());
        }
        let attachments = body["attachments"].as_array().cloned().unwrap_or_default();
        let [attachment] = attachments.as_slice() else { return Err("not one attachment".to_owned()) };
        if body["type"] != "message" || attachment["contentType"] != "application/vnd.microsoft.card.adaptive" {
            return Err("another envelope".to_owned());
        }
        let card = &attachment["content"];
        if card["type"] != "AdaptiveCard" || card["version"] != "1.4" {
            return Err("another card".to_owned());
        }
        let mut text = String::new();
        elements(&card["body"], &mut text)?;
        for action in card["actions"].as_array().into_iter().flatten() {
            open_url(action)?;
            if !action["title"].is_string() {
                return Err("an action without a title".to_owned());
            }
        }
        self.posted.lock().unwrap().push(text);
        Ok(())
    }
}

fn elements(list: &Value, text: &mut String) -> Result<(), String> {
    let list = list.as_array().filter(|list| !list.is_empty()).ok_or("no elements")?;
    for element in list {
        let fields = element.as_object().ok_or("an element that is no object")?;
        let known: &[&str] = match element["type"].as_str().unwrap_or_default() {
            "Container" => &["type", "style", "bleed", "items"],
            "RichTextBlock" => &["type", "inlines", "spacing", "separator"],
            "Image" => &["type", "url", "altText"],
            // A text block reads Markdown.
            other => return Err(format!("an element {other}")),
        };
        only(fields, known)?;
        match element["type"].as_str() {
            Some("Container") => elements(&element["items"], text)?,
            Some("RichTextBlock") => {
                for inline in element["inlines"].as_array().filter(|list| !list.is_empty()).ok_or("no inlines")? {
                    run(inline, text)?;
                }
                text.push('\n');
            }
            _ => {}
        }
    }
    Ok(())
}

fn run(run: &Value, text: &mut String) -> Result<(), String> {
    let fields = run.as_object().ok_or("a run that is no object")?;
    let known = [
        "type",
        "text",
        "weight",
        "size",
        "italic",
        "strikethrough",
        "isSubtle",
        "underline",
        "fontType",
        "selectAction",
    ];
    only(fields, &known)?;
    let shown = run["text"].as_str().filter(|text| !text.is_empty()).ok_or("a run without a text")?;
    if run["type"] != "TextRun" || shown.contains('\n') || shown.contains("{{") || shown.contains("<at") {
        return Err(format!("the run {run}"));
    }
    if let Some(action) = run.get("selectAction") {
        open_url(action)?;
    }
    text.push_str(shown);
    Ok(())
}

fn open_url(action: &Value) -> Result<(), String> {
    let is_web = action["url"].as_str().is_some_and(|url| url.starts_with("https://") || url.starts_with("http://"));
    if action["type"] == "Action.OpenUrl" && is_web { Ok(()) } else { Err(format!("the action {action}")) }
}

fn only(fields: &Map<String, Value>, known: &[&str]) -> Result<(), String> {
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!("an unknown property {name}")),
        None => Ok(()),
    }
}

#[test]
fn teams_workflow_gets_each_message_as_a_card() {
    let path = |secret: &str| {
        let call = "triggers/manual/paths/invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0";
        format!("/workflows/w/{call}&sig={secret}")
    };
    let posted = Posted::default();
    let service = Arc::clone(&posted);
    let webhook = Webhook::open_as(path, |secret| Box::new(Workflow { path: path(secret), posted: service }));
    let env = TestEnv::with_service(webhook, "target = \"teams\"");
    env.webhook.inject(&[Fault::RateLimited(1), Fault::Echo("502 Bad Gateway")]);
    let _daemon = env.daemon();
    env.notify("ban --jail=sshd --ip=203.0.113.7 --time=1763809011");
    env.notify("ban --jail={{DATE(2026)}} --ip=<at>203.0.113.8</at> --time=1763809012");
    until("two cards", || {
        env.webhook.check();
        let posted = posted.lock().unwrap();
        if posted.len() == 2 { Ok(()) } else { Err(format!("{posted:#?}")) }
    });
    let all = env.wait_until_idle().all();
    assert_eq!((all.matched, all.posted), (2, 2), "{all:?}");
    let posted = posted.lock().unwrap();
    assert!(posted[0].contains("203.0.113.7") && posted[0].contains("banned"), "{posted:#?}");
    assert!(posted[1].contains("203.0.113.8") && posted[1].contains("DATE(2026)"), "{posted:#?}");
    let status = env.status(["status"]).stdout;
    let secret = env.webhook.secret();
    assert!(![&env.log(), &status].iter().any(|text| text.contains(secret)), "{}", env.log());
}
