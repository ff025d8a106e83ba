//! `[webhooks.NAME]`: where messages are sent.

use std::path::PathBuf;

use super::http_settings::HttpSettings;
use super::name::{NAME_RULE, is_name};
use super::problem::quoted;
use super::rate::Rate;
use super::reader::{Located, Table};
use super::rejected_keys;
use super::url_source::{self, Env, UrlText};
use super::webhook_url::{WebhookUrl, WebhookUrlError};
use crate::message::Target;
use crate::phrase::{did_you_mean, listed};

/// A configured webhook.
#[derive(Debug, Clone)]
pub(crate) struct Webhook {
    /// Its URL, a secret.
    pub url: WebhookUrl,
    /// The service that it belongs to. Default: Slack.
    pub target: Target,
    /// The file that contains the URL, if that is not the configuration.
    pub file: Option<PathBuf>,
    /// How fast messages are sent to it. Default: [`Rate::STANDARD`].
    pub rate: Rate,
    /// How it is reached. Default: [`HttpSettings::STANDARD`].
    pub http: HttpSettings,
}

impl Webhook {
    /// Reads one; `None` after reporting what is wrong with it.
    pub(super) fn read(name: &Located<String>, table: &Table<'_>, env: Env<'_>) -> Option<Self> {
        let named = is_name(&name.value);
        if !named {
            let message = format!("a webhook needs {NAME_RULE}, not {}", quoted(&name.value));
            table.problems.report(name.location.clone(), message);
        }
        let target = target(table);
        let text = url_source::read(table, env);
        let rate = Rate::read(table);
        let http = HttpSettings::read(table);
        table.finish(rejected_keys::WEBHOOK);
        let (target, text) = (target?, text?);
        let url = checked(table, &text, target)?;
        named.then_some(Self { url, target, file: text.file, rate, http })
    }
}

fn target(table: &Table<'_>) -> Option<Target> {
    let Some(word) = table.string("target") else {
        return table.key_location("target").is_none().then(Target::default);
    };
    let Some(target) = Target::parse(&word.value) else {
        let words = || Target::ALL.iter().map(|target| target.as_str());
        let hint = did_you_mean(&word.value, words()).unwrap_or_else(|| format!("expected {}", listed(words(), "or")));
        table.problems.report_with(word.location, format!("unknown target {}", quoted(&word.value)), hint);
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
            table.problems.report_with(text.location.clone(), message, hint);
            None
        }
        // Whoever can read it can post to this host, but only from this host.
        Some((message, hint)) if text.file.is_some() => {
            table.problems.warn(text.location.clone(), message, hint);
            Some(url)
        }
        _ => Some(url),
    }
}

/// Reports what is wrong with a URL, and the file that contains it: the configuration may only name that.
fn report(table: &Table<'_>, text: &UrlText, error: &WebhookUrlError) {
    let location = text.location.clone();
    match &text.file {
        Some(file) if *error == WebhookUrlError::Empty => {
            let message = format!("{} is empty", file.display());
            table.problems.report_with(location, message, "put the webhook's URL into it");
        }
        Some(file) => table.problems.report(location, format!("{}: {error}", file.display())),
        None => table.problems.report(location, error.to_string()),
    }
}
