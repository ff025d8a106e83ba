//! Where messages go: `[webhooks.NAME]`.

use std::path::PathBuf;

use super::name::{NAME_RULE, is_name};
use super::problem::quoted;
use super::reader::{Located, Table};
use super::url_source::{self, UrlText};
use super::{Env, Http, Pace, Target, WebhookUrl, WebhookUrlError, refused};
use crate::phrase::{did_you_mean, listed};

/// A webhook that can be posted to.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// As the configuration calls it: up to 64 letters, digits, `-` and `_`.
    pub name: String,
    /// The secret.
    pub url: WebhookUrl,
    /// What speaks there; default Slack.
    pub target: Target,
    /// The file that the URL stands in, if that is not the configuration.
    pub file: Option<PathBuf>,
    /// How fast it is posted to. Default: [`Pace::STANDARD`].
    pub pace: Pace,
    /// How it is reached. Default: [`Http::STANDARD`].
    pub http: Http,
}

impl Webhook {
    /// Reads one; `None` after reporting what is wrong with it.
    pub(super) fn read(name: &Located<String>, table: &Table<'_>, env: Env<'_>) -> Option<Self> {
        let named = is_name(&name.value);
        if !named {
            let message = format!("a webhook needs {NAME_RULE}, not {}", quoted(&name.value));
            table.problems.report(name.place.clone(), message);
        }
        let target = target(table);
        let text = url_source::read(table, env);
        let pace = Pace::read(table);
        let http = Http::read(table);
        table.finish(refused::WEBHOOK);
        let (target, text) = (target?, text?);
        let url = checked(table, &text, target)?;
        named.then(|| Self { name: name.value.clone(), url, target, file: text.file, pace, http })
    }
}

fn target(table: &Table<'_>) -> Option<Target> {
    let Some(word) = table.string("target") else {
        return table.key_place("target").is_none().then_some(Target::SLACK);
    };
    let Some(target) = Target::parse(&word.value) else {
        let words = || Target::ALL.iter().map(|target| target.as_str());
        let hint = did_you_mean(&word.value, words()).unwrap_or_else(|| format!("it is {}", listed(words(), "or")));
        table.problems.report_with(word.place, format!("unknown target {}", quoted(&word.value)), hint);
        return None;
    };
    Some(target)
}

fn checked(table: &Table<'_>, text: &UrlText, target: Target) -> Option<WebhookUrl> {
    let url = match WebhookUrl::parse(&text.text, target) {
        Ok(url) => url,
        Err(error) => {
            report(table, text, &error);
            return None;
        }
    };
    match &text.exposed {
        Some((message, hint)) if !url.is_loopback() => {
            table.problems.report_with(text.place.clone(), message, hint);
            None
        }
        // Who can read it can post to this host, if only from there.
        Some((message, hint)) if text.file.is_some() => {
            table.problems.warn(text.place.clone(), message, hint);
            Some(url)
        }
        _ => Some(url),
    }
}

/// What is wrong with a URL, and where it stands: the configuration only names the file.
fn report(table: &Table<'_>, text: &UrlText, error: &WebhookUrlError) {
    let place = text.place.clone();
    match &text.file {
        Some(file) if *error == WebhookUrlError::Empty => {
            let message = format!("{} is empty", file.display());
            table.problems.report_with(place, message, "put the webhook's URL into it");
        }
        Some(file) => table.problems.report(place, format!("{}: {error}", file.display())),
        None => table.problems.report(place, error.to_string()),
    }
}
