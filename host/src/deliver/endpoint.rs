//! The webhooks as the configuration has them now: the endpoint of each (its URL, kept from being printed, and how it is
//! reached), and the webhook of each route.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::connection::Connection;
use super::delivery_policy::DeliveryPolicy;
use super::health::HealthWebhook;
use super::redaction::Redaction;
use super::signature;
use crate::config::{AppChannel, BasicAuth, Config, HttpSettings, Program, Proxy, SuccessRule, Token};
use crate::hex::hex;
use crate::message::{Access, Address, Target};

/// Bytes of a URL's hash that are kept: enough to tell two apart.
const URL_HASH_BYTES: usize = 12;

/// The URL of a webhook and how it is reached. Holds a secret, hence no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(super) url: url::Url,
    pub(super) target: Target,
    pub(super) timeout: Duration,
    pub(super) connection: Connection,
    pub(super) basic_auth: Option<BasicAuth>,
    /// The channel, where the URL does not say it; else empty.
    pub(super) channel: String,
    /// The token that goes with each request as a header.
    pub(super) token: Option<Token>,
    /// What a program wants of each request.
    pub(super) program: Arc<Program>,
    /// Whether the channel is asked for a message of which no answer came.
    pub(super) checks_history: bool,
    /// What is left out of its answers.
    pub(super) redaction: Arc<Redaction>,
}

impl Endpoint {
    /// Returns the endpoint at a URL that the configuration has checked. `direct`: it is on this host or sent without TLS, so
    /// the proxy of the environment is not used.
    #[must_use]
    pub(crate) fn new(url: url::Url, direct: bool, target: Target, mut http: HttpSettings) -> Self {
        if direct && http.proxy == Proxy::Environment {
            http.proxy = Proxy::None;
        }
        let connection = Connection::new(&url, &http);
        let redaction = Arc::new(Redaction::new(target, &url, connection.proxy(), http.basic_auth.as_ref(), None));
        Self {
            url,
            target,
            timeout: http.timeout,
            connection,
            basic_auth: http.basic_auth,
            channel: String::new(),
            token: None,
            program: Arc::default(),
            checks_history: false,
            redaction,
        }
    }

    /// Returns the endpoint of a channel of an app.
    #[must_use]
    pub(crate) fn of_app(self, app: &AppChannel) -> Self {
        let channel = match app.topic {
            Some(topic) => format!("{}/{topic}", app.channel),
            None => app.channel.clone(),
        };
        let is_in_path = matches!(self.target.access(), Access::Channel(form) if form.token_path.is_some());
        let endpoint = if is_in_path { self } else { self.with_token(&app.token) };
        Self { channel, checks_history: app.check_history, ..endpoint }
    }

    /// Returns the endpoint with a token that its server asks for.
    #[must_use]
    pub(crate) fn with_token(self, token: &Token) -> Self {
        let (proxy, login) = (self.connection.proxy(), self.basic_auth.as_ref());
        let redaction = Arc::new(Redaction::new(self.target, &self.url, proxy, login, Some(token)));
        Self { token: Some(token.clone()), redaction, ..self }
    }

    /// Returns the endpoint of a program.
    #[must_use]
    pub(crate) fn of_program(self, program: &Program) -> Self {
        let (proxy, login) = (self.connection.proxy(), self.basic_auth.as_ref());
        let mut redaction = Redaction::new(self.target, &self.url, proxy, login, None);
        for (_, value) in program.headers.iter().flat_map(|(headers, _)| headers.expose()) {
            redaction = redaction.and(value);
        }
        Self { program: Arc::new(program.clone()), redaction: Arc::new(redaction), ..self }
    }

    /// Returns the headers and the body of a request to a program, for a body that the target made. `id`: what the message is
    /// known by, whichever attempt it is. `seconds`: the time, since 1970.
    pub(super) fn prepared(&self, body: String, id: &str, seconds: i64) -> (Vec<(&str, String)>, String) {
        let Program { body: template, headers, signing_key, .. } = &*self.program;
        let body = match (template, serde_json::from_str(&body)) {
            (Some(template), Ok(form)) => template.fill(&form).to_string(),
            _ => body,
        };
        let own = headers.iter().flat_map(|(headers, _)| headers.expose());
        let mut all: Vec<_> = own.map(|(name, value)| (name, value.to_owned())).collect();
        if let Some((key, _)) = signing_key {
            all.extend(signature::headers(key, id, seconds, &body));
        }
        (all, body)
    }

    /// Returns where messages go.
    pub(super) fn address<'a>(&'a self, id: Option<&'a str>) -> Address<'a> {
        Address { url: &self.url, channel: &self.channel, id: id.filter(|_| self.checks_history) }
    }

    /// Returns a hash by which another URL, or another password, is recognized. It does not reveal them.
    #[must_use]
    pub(crate) fn url_hash(&self) -> String {
        let mut hash = Sha256::new_with_prefix(self.url.as_str());
        if let Some((user, password)) = self.basic_auth.as_ref().map(BasicAuth::expose) {
            hash.update(format!("\n{user}:{password}"));
        }
        if self.token.is_some() || !self.channel.is_empty() {
            let token = self.token.as_ref().map_or("", Token::expose);
            hash.update(format!("\n{token}\n{}", self.channel));
        }
        let Program { body, headers, signing_key, success } = &*self.program;
        for (name, value) in headers.iter().flat_map(|(headers, _)| headers.expose()) {
            hash.update(format!("\n{name}: {value}"));
        }
        if let Some((key, _)) = signing_key {
            hash.update(key.expose());
        }
        for text in body.iter().map(|body| body.as_json().to_string()).chain(success.iter().map(SuccessRule::to_text)) {
            hash.update(format!("\n{text}"));
        }
        hex(hash.finalize().get(..URL_HASH_BYTES).unwrap_or_default())
    }
}

/// The configured webhooks and routes, as delivery needs them.
#[derive(Clone)]
pub(crate) struct Endpoints {
    /// The webhooks, by name.
    pub webhooks: BTreeMap<String, (Endpoint, Arc<DeliveryPolicy>)>,
    /// The webhook of each route.
    pub routes: BTreeMap<String, String>,
    /// Where it is announced that messages are dead because their webhook is not configured any more.
    pub health: Option<HealthWebhook>,
}

impl Endpoints {
    /// Returns the webhooks and routes of a configuration. `system_host`: the name of this host, as the system has it.
    #[must_use]
    pub(crate) fn new(config: &Config, system_host: &str) -> Self {
        let defaults = config.event_defaults(system_host);
        let webhooks = config.webhooks.iter().map(|(name, webhook)| {
            let (url, direct) = (webhook.url.expose().clone(), webhook.url.is_loopback() || webhook.url.is_plain());
            let mut endpoint = Endpoint::new(url, direct, webhook.target, webhook.http.clone());
            if let Some(app) = &webhook.app {
                endpoint = endpoint.of_app(app);
            }
            if let Some((token, _)) = &webhook.token {
                endpoint = endpoint.with_token(token);
            }
            if let Some(program) = &webhook.program {
                endpoint = endpoint.of_program(program);
            }
            (name.clone(), (endpoint, Arc::new(DeliveryPolicy::new(config, name, webhook, &defaults))))
        });
        let routes = config.routes.iter().map(|route| (route.name.clone(), route.webhook.clone()));
        Self { webhooks: webhooks.collect(), routes: routes.collect(), health: HealthWebhook::new(config) }
    }

    /// Leaves out of each line of a text what it shares with a secret of a webhook.
    pub(crate) fn without_secrets(&self, text: &str) -> String {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for (endpoint, _) in self.webhooks.values() {
            for line in &mut lines {
                endpoint.redaction.line(line);
            }
        }
        lines.join("\n")
    }

    /// Returns the webhook that gets a route's messages once theirs is no longer configured: the route's own, or the only
    /// one there is.
    pub(super) fn successor(&self, route: &str) -> Option<&str> {
        let mut webhooks = self.webhooks.keys();
        let only = || webhooks.next().filter(|_| self.webhooks.len() == 1);
        self.routes.get(route).or_else(only).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ProxyUrl;

    #[test]
    fn endpoint_on_this_host_uses_only_its_own_proxy() {
        let url = |text: &str| text.parse::<url::Url>().unwrap();
        let connection = |direct, proxy| {
            let http = HttpSettings { proxy, ..HttpSettings::STANDARD };
            Endpoint::new(url("https://localhost/"), direct, Target::SLACK, http).connection
        };
        let proxy = || Proxy::Url(ProxyUrl::parse("http://localhost:3128").unwrap());
        assert!(connection(true, Proxy::Environment) == connection(true, Proxy::None));
        assert!(connection(false, Proxy::Environment) != connection(false, Proxy::None));
        assert!(connection(true, proxy()) == connection(false, proxy()));
    }
}
