//! Microsoft Teams, by a workflow that posts to a channel or chat when its webhook is requested: a message is an Adaptive Card.
//!
//! The envelope and the limits: <https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook>,
//! <https://learn.microsoft.com/connectors/teams/#known-issues-and-limitations-with-actions>. Elements:
//! <https://learn.microsoft.com/adaptive-cards/schema-explorer/text-run>. Errors:
//! <https://learn.microsoft.com/azure/connectors/connectors-native-reqres>.
//!
//! All text is in runs, which know no Markdown, unlike the text blocks of a card.

use blockkit::web_url;
use serde_json::{Map, Value, json};
use url::Url;

use super::super::actions::{Action, taken_out};
use super::super::guard_error::GuardError;
use super::super::model::{Color, Image, Message};
use super::super::paragraphs::{Paragraph, ParagraphKind, Run, blocks, fitting, paragraphs, unlink};
use super::super::sanitizer::Sanitizer;
use super::super::slack_compatible::{BREAK, bar, encoded_url};
use super::super::unlinked::Unlinked;
use super::service::{HttpAnswer, Service, UrlProblem, Verdict};

/// Microsoft Teams.
pub(super) struct Teams;

/// UTF-16 code units of a body: a message has about 28 KB, and Teams counts in UTF-16.
const BODY_UNITS_MAX: usize = 14_000;
/// Buttons of a card that Teams shows.
const ACTIONS_MAX: usize = 6;
/// Pictures of a card.
const IMAGES_MAX: usize = 9;
/// Hosts of the connectors that came before workflows.
const CONNECTORS: [&str; 2] = ["outlook.office.com", "webhook.office.com"];

/// Codes of a workflow that is not there, is turned off, or wants another signature.
const DISABLED: [&str; 6] = [
    "AuthorizationFailed",
    "DirectApiAuthorizationRequired",
    "DirectApiInvalidAuthorizationScheme",
    "WorkflowNotFound",
    "WorkflowTriggerIsNotEnabled",
    "WorkflowTriggerNotFound",
];
/// Codes about a message.
const REJECTED: [&str; 3] = ["InvalidRequestContent", "RequestEntityTooLarge", "TriggerInputSchemaMismatch"];

/// The apps find links in text.
const UNLINKED: Unlinked = Unlinked { signs: "", addresses: false, code: true };

impl Service for Teams {
    fn key(&self) -> &'static str {
        "teams"
    }

    fn name(&self) -> &'static str {
        "Microsoft Teams"
    }

    /// The host depends on the region and the cloud. The signature in the query is the secret.
    fn check_url(&self, url: &Url) -> Result<(), UrlProblem> {
        let host = url.host_str().unwrap_or_default();
        let is_below =
            |parent: &&str| host.strip_suffix(*parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        if CONNECTORS.iter().any(is_below) {
            return Err(UrlProblem(
                "the URL is of an Office 365 connector, which Microsoft has retired; create a workflow in Teams that posts to the channel when a webhook request is received",
            ));
        }
        if url.query_pairs().any(|(name, value)| name == "sig" && !value.is_empty()) {
            return Ok(());
        }
        Err(UrlProblem("the URL is not that of a workflow, which ends with …&sig=…; copy it whole"))
    }

    fn public_words(&self) -> &'static [&'static str] {
        &[
            "1.0",
            "1",
            "2016-06-01",
            "api-version",
            "automations",
            "direct",
            "invoke",
            "manual",
            "paths",
            "powerautomate",
            "sig",
            "sp",
            "sv",
            "triggers",
            "workflows",
        ]
    }

    fn lower(&self, message: &Message, sanitizer: &Sanitizer) -> Result<Value, GuardError> {
        let (paragraphs, images, actions) = self.shown(message, sanitizer)?;
        Ok(envelope(&card(&paragraphs, &images, &actions, message.color)))
    }

    fn preview(&self, message: &Message, sanitizer: &Sanitizer) -> Result<Value, GuardError> {
        let (paragraphs, images, actions) = self.shown(message, sanitizer)?;
        let mut shown = blocks(&paragraphs);
        shown.extend(
            images.iter().map(|image| json!({ "type": "image", "image_url": image.url, "alt_text": image.alt })),
        );
        if !actions.is_empty() {
            let plain = |text: &str| json!({ "type": "plain_text", "text": text, "emoji": false });
            let button = |(label, url): &Action| json!({ "type": "button", "text": plain(label), "url": url });
            shown.push(json!({ "type": "actions", "elements": actions.iter().map(button).collect::<Vec<_>>() }));
        }
        let mut attachment = Map::from_iter([("blocks".to_owned(), Value::from(shown))]);
        attachment.extend(message.color.map(|color| ("color".to_owned(), json!(bar(color)))));
        Ok(json!({ "attachments": [attachment] }))
    }

    fn add_note(&self, body: &mut Value, note: &str) {
        let run = Run { text: blockkit::text::one_line(note), ..Run::default() };
        let note = unlink(&[Paragraph { kind: ParagraphKind::Text, runs: vec![run] }], UNLINKED);
        let longer = units(body) + elements(&note).iter().map(|element| units(element) + 1).sum::<usize>();
        if let Some(Value::Array(shown)) = body.pointer_mut("/attachments/0/content/body")
            && longer <= BODY_UNITS_MAX
        {
            shown.extend(elements(&note));
        }
    }

    /// The workflow has begun; Teams does not say whether it has posted.
    fn accepts(&self, answer: &HttpAnswer<'_>) -> bool {
        answer.status == 202 || answer.body.is_empty()
    }

    fn verdict(&self, answer: &HttpAnswer<'_>) -> Option<Verdict> {
        let code = answer.json.pointer("/error/code")?.as_str()?;
        if DISABLED.contains(&code) {
            return Some(Verdict::EndpointGone);
        }
        REJECTED.contains(&code).then_some(Verdict::Rejected)
    }

    fn known_errors(&self) -> Vec<&'static str> {
        [&DISABLED[..], &REJECTED].concat()
    }
}

/// The text, pictures and buttons of a message.
type Shown = (Vec<Paragraph>, Vec<Image>, Vec<Action>);

impl Teams {
    fn shown(&self, message: &Message, sanitizer: &Sanitizer) -> Result<Shown, GuardError> {
        let (message, actions) = taken_out(message, ACTIONS_MAX, UNLINKED);
        let (paragraphs, mut images) = paragraphs(&message, sanitizer);
        images.truncate(IMAGES_MAX);
        let fits = |paragraphs: &[Paragraph]| {
            let shown = unlink(paragraphs, UNLINKED);
            units(&envelope(&card(&shown, &images, &actions, message.color))) <= BODY_UNITS_MAX
        };
        // Cut first: an ellipsis may complete a link.
        let paragraphs = unlink(&fitting(paragraphs, fits), UNLINKED);
        if elements(&paragraphs).is_empty() && images.is_empty() {
            return Err(GuardError::Empty(self.name()));
        }
        Ok((paragraphs, images, actions))
    }
}

fn envelope(card: &Value) -> Value {
    json!({
        "type": "message",
        "attachments": [{ "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card }],
    })
}

/// Returns a card with the version that Teams supports everywhere.
fn card(paragraphs: &[Paragraph], images: &[Image], actions: &[Action], color: Option<Color>) -> Value {
    let mut body = elements(paragraphs);
    body.extend(images.iter().filter_map(|image| {
        let alt = neutralized(&UNLINKED.of(&blockkit::text::one_line(&image.alt), None, None));
        Some(json!({ "type": "Image", "url": String::from(web_url(&image.url)?), "altText": alt }))
    }));
    let style = match color {
        Some(Color::Danger) => Some("attention"),
        Some(Color::Warning) => Some("warning"),
        Some(Color::Good) => Some("good"),
        Some(Color::Rgb(..)) => Some("emphasis"),
        None => None,
    };
    if let Some(style) = style {
        body = vec![json!({ "type": "Container", "style": style, "bleed": true, "items": body })];
    }
    let mut card = Map::from_iter([
        ("$schema".to_owned(), json!("http://adaptivecards.io/schemas/adaptive-card.json")),
        ("type".to_owned(), json!("AdaptiveCard")),
        ("version".to_owned(), json!("1.4")),
        ("body".to_owned(), body.into()),
        ("msteams".to_owned(), json!({ "width": "Full" })),
    ]);
    if !actions.is_empty() {
        let action =
            |(label, url): &Action| json!({ "type": "Action.OpenUrl", "title": neutralized(label), "url": url });
        card.insert("actions".to_owned(), actions.iter().map(action).collect());
    }
    Value::Object(card)
}

/// Returns an element for each line: not every app breaks the lines of a run.
fn elements(paragraphs: &[Paragraph]) -> Vec<Value> {
    let mut elements = Vec::new();
    let mut is_separated = false;
    for paragraph in paragraphs {
        if paragraph.kind == ParagraphKind::Divider {
            is_separated = true;
            continue;
        }
        let lines = lines(&paragraph.runs);
        for (index, line) in lines.into_iter().enumerate() {
            let inlines: Vec<Value> = line.iter().map(|run| text_run(run, paragraph.kind)).collect();
            let mut element =
                Map::from_iter([("type".to_owned(), json!("RichTextBlock")), ("inlines".to_owned(), inlines.into())]);
            if index > 0 || paragraph.kind == ParagraphKind::Item {
                element.insert("spacing".to_owned(), json!("None"));
            }
            if std::mem::take(&mut is_separated) {
                element.insert("separator".to_owned(), json!(true));
            }
            elements.push(Value::Object(element));
        }
    }
    elements
}

/// Returns the runs of each line that shows something.
fn lines(runs: &[Run]) -> Vec<Vec<Run>> {
    let mut lines = vec![Vec::new()];
    for run in runs {
        for (index, text) in run.text.split('\n').enumerate() {
            if index > 0 {
                lines.push(Vec::new());
            }
            if let (Some(line), false) = (lines.last_mut(), text.is_empty()) {
                line.push(Run { text: text.to_owned(), ..run.clone() });
            }
        }
    }
    lines.retain(|line| line.iter().any(|run| !run.text.trim().is_empty()));
    lines
}

fn text_run(run: &Run, kind: ParagraphKind) -> Value {
    let mut fields =
        Map::from_iter([("type".to_owned(), json!("TextRun")), ("text".to_owned(), json!(neutralized(&run.text)))]);
    let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    if run.style.bold || kind == ParagraphKind::Heading {
        set("weight", json!("Bolder"));
    }
    if kind == ParagraphKind::Heading {
        set("size", json!("Large"));
    }
    if kind == ParagraphKind::Quote {
        set("isSubtle", json!(true));
    }
    for (on, name) in [(run.style.italic, "italic"), (run.style.strike, "strikethrough")] {
        if on {
            set(name, json!(true));
        }
    }
    if run.style.code || kind == ParagraphKind::Code {
        set("fontType", json!("Monospace"));
    }
    if let Some(url) = &run.link {
        set("underline", json!(true));
        set("selectAction", json!({ "type": "Action.OpenUrl", "url": encoded_url(url) }));
    }
    Value::Object(fields)
}

/// Breaks what a card replaces in any text: `{{DATE(…)}}`, and `<at>…</at>`.
fn neutralized(text: &str) -> String {
    let broken = format!("{{{BREAK}{{");
    // Twice: of three braces, the last two are left.
    text.replace("{{", &broken).replace("{{", &broken).replace('<', &format!("<{BREAK}"))
}

fn units(json: &Value) -> usize {
    json.to_string().encode_utf16().count()
}

#[cfg(test)]
#[path = "teams_tests.rs"]
mod tests;
