//! The configuration as the user of a simulated host has it.

use std::fmt::Write as _;

use super::chats::RATE;
use super::step::Change;

/// The webhooks that there may be.
pub(super) const WEBHOOKS: [&str; 3] = ["a", "b", "c"];

/// The routes that there may be, and which jails each wants: a prefix, where it ends with `*`.
pub(super) const ROUTES: [(&str, &[&str]); 3] =
    [("all", &["*"]), ("some", &["sshd*", "~hold*"]), ("rest", &["mail", "~skip*"])];

/// The services that a webhook may belong to.
const TARGETS: [&str; 4] = ["slack", "mattermost", "discord", APP];

/// An app, whose messages can be changed and are in threads.
pub(super) const APP: &str = "slack-app";

/// The services whose messages can be changed. Where Discord has put one, its answer does not say here.
const CONVERSING: [&str; 2] = ["discord", APP];

/// Messages of a minute from which on events wait in a digest.
pub(super) const STORM: u32 = 20;

#[derive(Debug, Clone)]
pub(super) struct Setup {
    pub webhooks: Vec<Webhook>,
    pub routes: Vec<Route>,
}

#[derive(Debug, Clone)]
pub(super) struct Webhook {
    pub exists: bool,
    /// A number that its URL has.
    pub url: usize,
    target: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Route {
    pub exists: bool,
    webhook: usize,
    fallback: Option<usize>,
}

impl Setup {
    pub(super) fn new() -> Self {
        // The first is an app.
        let target = |number| if number == 0 { TARGETS.len() - 1 } else { 0 };
        let webhook = |number| Webhook { exists: true, url: number, target: target(number) };
        let route = |webhook| Route { exists: true, webhook, fallback: None };
        Self { webhooks: (0..WEBHOOKS.len()).map(webhook).collect(), routes: vec![route(0), route(1), route(0)] }
    }

    /// Applies a change; one that would leave no webhook or no route changes nothing.
    pub(super) fn change(&mut self, change: Change) {
        let (routes, webhooks) = (self.routes.len(), self.webhooks.len());
        match change {
            Change::ToggleRoute(route) => {
                let others =
                    self.routes.iter().enumerate().any(|(other, found)| other != route % routes && found.exists);
                let route = &mut self.routes[route % routes];
                route.exists = !route.exists || !others;
            }
            Change::Repoint(route, webhook) => self.routes[route % routes].webhook = webhook % webhooks,
            Change::Fallback(route, webhook) => self.routes[route % routes].fallback = webhook.map(|n| n % webhooks),
            Change::ToggleWebhook(webhook) => {
                let others = self.webhooks.iter().enumerate().any(|(n, found)| n != webhook % webhooks && found.exists);
                let webhook = &mut self.webhooks[webhook % webhooks];
                webhook.exists = !webhook.exists || !others;
            }
            Change::NewUrl(webhook) => self.webhooks[webhook % webhooks].url += webhooks,
            Change::Retarget(webhook) => {
                let webhook = &mut self.webhooks[webhook % webhooks];
                webhook.target = (webhook.target + 1) % TARGETS.len();
            }
        }
    }

    /// Everything that there may be is there.
    pub(super) fn restore(&mut self) {
        self.webhooks.iter_mut().for_each(|webhook| webhook.exists = true);
        self.routes.iter_mut().for_each(|route| route.exists = true);
    }

    /// Returns the routes whose messages go, or may go, to where a ban and its end can be one message.
    pub(super) fn routes_with_conversations(&self) -> impl Iterator<Item = &'static str> {
        let converses = |webhook: usize| CONVERSING.contains(&TARGETS[self.webhooks[self.existing(webhook)].target]);
        let has_conversations =
            move |route: &&Route| converses(route.webhook) || route.fallback.is_some_and(&converses);
        let named = ROUTES.iter().zip(&self.routes);
        named.filter(move |(_, route)| has_conversations(route)).map(|((name, _), _)| *name)
    }

    /// Returns the name of the webhook that a number stands for where that one is not there.
    fn existing(&self, webhook: usize) -> usize {
        let from = |offset| (webhook + offset) % self.webhooks.len();
        (0..self.webhooks.len()).map(from).find(|n| self.webhooks[*n].exists).unwrap()
    }

    /// Returns `config.toml`.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let (interval, burst) = RATE;
        for (name, webhook) in WEBHOOKS.iter().zip(&self.webhooks).filter(|(_, webhook)| webhook.exists) {
            let (url, target) = (webhook.url, TARGETS[webhook.target]);
            let address = match target {
                APP => format!("api_url = 'http://127.0.0.1:1/{url}/'\ntoken = 'xoxb-1-2'\nchannel = 'C1'"),
                "discord" => format!("url = 'http://127.0.0.1:1/{url}/slack'"),
                _ => format!("url = 'http://127.0.0.1:1/{url}'"),
            };
            let rate = 1_000 / interval;
            writeln!(text, "[webhooks.{name}]\n{address}\ntarget = '{target}'\nrate = '{rate}/s'\nburst = {burst}")
                .unwrap();
        }
        for ((name, jails), route) in ROUTES.iter().zip(&self.routes).filter(|(_, route)| route.exists) {
            let webhook = self.existing(route.webhook);
            let fallback = route.fallback.map(|other| self.existing(other));
            writeln!(
                text,
                "[[routes]]\nname = '{name}'\nwebhook = '{}'\njails = {jails:?}\nplugin = 'plugin.wasm'\n\
                 events = ['start', 'stop', 'flush', 'ban', 'unban']\nstorm = {{ threshold = {STORM}, within = '60s' }}\n\
                 digest_window = '30s'\nlimits.time = '10s'",
                WEBHOOKS[webhook]
            )
            .unwrap();
            // A fallback is of the same service.
            let is_same = |other: &usize| self.webhooks[*other].target == self.webhooks[webhook].target;
            if let Some(other) = fallback.filter(|other| *other != webhook).filter(is_same) {
                writeln!(text, "fallback_webhook = '{}'", WEBHOOKS[other]).unwrap();
            }
        }
        text
    }
}
