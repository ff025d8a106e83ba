//! `[webhooks.NAME]`: where messages are sent.

use std::path::PathBuf;

use serde_json::json;

use super::app_channel::AppChannel;
use super::basic_auth::BasicAuth;
use super::http_settings::HttpSettings;
use super::name::{NAME_RULE, is_name};
use super::problem::quoted;
use super::program::Program;
use super::rate::Rate;
use super::reader::{Located, Table};
use super::rejected_keys;
use super::secret_source::{self, BASIC_AUTH, Env, SecretText, TOKEN, URL};
use super::token::Token;
use super::webhook_url::{AllowedHostError, AllowedHosts, WebhookUrl, WebhookUrlError};
use crate::message::{Access, Target, TokenForm};
use crate::phrase::{did_you_mean, listed};

/// A configured webhook.
#[derive(Debug, Clone)]
pub(crate) struct Webhook {
    /// Its URL, a secret; with a channel, where the methods of its service are.
    pub url: WebhookUrl,
    /// The channel and the token, on a target that has channels.
    pub app: Option<AppChannel>,
    /// What a program wants, where one takes the messages.
    pub program: Option<Program>,
    /// The token that the server asks for, and the file that contains it, if one does.
    pub token: Option<(Token, Option<PathBuf>)>,
    /// The service that it belongs to. Default: Slack.
    pub target: Target,
    /// The file that contains the URL, if one does.
    pub url_file: Option<PathBuf>,
    /// The file that contains user name and password, if one does.
    pub basic_auth_file: Option<PathBuf>,
    /// The hosts for which a rule is lifted.
    pub allowed: AllowedHosts,
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
        let (text, mut app, mut token, mut program);
        (app, token, program) = (None, None, None);
        match target.map(|target| (target, target.access())) {
            Some((target, Access::Channel(form))) => {
                let api = api_url(table, form.api_url);
                refuse_url(table);
                let url = api.as_ref().map_or(form.api_url, |api| &api.text);
                let read = AppChannel::read(table, target, (&form, url), env);
                text = api.map(|api| SecretText {
                    // Without the token, the URL is checked all the same.
                    text: read.as_ref().map_or_else(|| api.text.clone(), |app| app.methods_url(&form)),
                    ..api
                });
                app = Some(read);
            }
            access => {
                text = secret_source::read(table, &URL, env);
                if let Some((_, Access::UrlAndToken(form))) = access {
                    token = self::token(table, &form, env);
                }
                if let Some((_, Access::Program)) = access {
                    program = Some(Program::read(table, env));
                }
            }
        }
        let allowed = AllowedHosts {
            http: allowed_host(table, "http_host", AllowedHosts::http),
            relay: allowed_host(table, "relay_host", AllowedHosts::relay),
        };
        let rate = Rate::read(table);
        let mut http = HttpSettings::read(table);
        let (basic_auth, basic_auth_text) = BasicAuth::read(table, env).unzip();
        http.basic_auth = basic_auth;
        table.finish(rejected_keys::WEBHOOK);
        let (target, text) = (target?, text?);
        let app = match app {
            Some(read) => Some(read?),
            None => None,
        };
        let token = match token {
            Some(read) => Some(read?),
            None => None,
        };
        let url = checked(table, &text, target, &allowed)?;
        let basic_auth_file = basic_auth_text.and_then(|text| text.file);
        named.then_some(Self {
            url,
            app,
            program,
            token,
            target,
            url_file: text.file,
            basic_auth_file,
            allowed,
            rate,
            http,
        })
    }

    /// Returns the files that contain its secrets.
    pub(super) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let token_file = self.app.as_ref().and_then(|app| app.token_file.as_ref());
        let token_file = token_file.or(self.token.as_ref().and_then(|(_, file)| file.as_ref()));
        let of_program = self.program.iter().flat_map(Program::files);
        self.url_file.iter().chain(&self.basic_auth_file).chain(token_file).chain(of_program)
    }
}

/// Reads a token that may be left out; `Some(None)` after reporting what is wrong with it.
#[expect(clippy::option_option, reason = "it is not set, or wrong")]
fn token(table: &Table<'_>, form: &TokenForm, env: Env<'_>) -> Option<Option<(Token, Option<PathBuf>)>> {
    if !TOKEN.are_in(table) {
        return None;
    }
    if BASIC_AUTH.are_in(table) {
        let message = format!("{} has a token and basic_auth, and both are the same header", table.title);
        table.problems.report_with(table.location.clone(), message, "keep one of them");
    }
    Some(Token::read(table, form, env))
}

/// Reports a webhook's URL where there is an app.
fn refuse_url(table: &Table<'_>) {
    for key in URL.all() {
        if let Some(location) = table.key_location(key) {
            table.string(key);
            let message = format!("{key} is of an incoming webhook, and this is an app");
            table.problems.report_with(location, message, "remove this key");
        }
    }
}

/// Reads where the methods of a service are, which is no secret.
fn api_url(table: &Table<'_>, default: &str) -> Option<SecretText> {
    let url = table.string("api_url");
    match url {
        Some(Located { value: mut text, location }) => {
            // Methods are joined to it.
            if !text.ends_with('/') {
                text.push('/');
            }
            Some(SecretText { text, location, file: None })
        }
        None if table.key_location("api_url").is_some() => None,
        None => Some(SecretText { text: default.to_owned(), location: table.location.clone(), file: None }),
    }
}

fn target(table: &Table<'_>) -> Option<Target> {
    let word = table.string("target");
    table
        .restrict("target", || json!({ "enum": Target::ALL.iter().map(|target| target.as_str()).collect::<Vec<_>>() }));
    let Some(word) = word else {
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

/// Reads a host for which a rule is lifted.
fn allowed_host(
    table: &Table<'_>,
    key: &'static str,
    parse: fn(&str) -> Result<String, AllowedHostError>,
) -> Option<String> {
    let host = table.reference(key, "the name of a host")?;
    parse(&host.value)
        .inspect_err(|error| table.problems.report(host.location, format!("{key}: {}: {error}", quoted(&host.value))))
        .ok()
}

fn checked(table: &Table<'_>, text: &SecretText, target: Target, allowed: &AllowedHosts) -> Option<WebhookUrl> {
    WebhookUrl::parse(&text.text, target, allowed).inspect_err(|error| report(table, text, error)).ok()
}

/// Reports what is wrong with a URL, and the file that contains it: the configuration may only name that.
fn report(table: &Table<'_>, text: &SecretText, error: &WebhookUrlError) {
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
