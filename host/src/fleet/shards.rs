//! The shards of a configuration: webhooks that share a route, with all routes that send there. One worker at a time works on a
//! shard, which keeps the order and the rate of its webhooks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use sha2::{Digest, Sha256};

use crate::config::{Config, PluginSource, Route, Webhook};
use crate::hex::hex;

/// Bytes of a fingerprint that are kept: enough to tell two configurations apart.
const FINGERPRINT_BYTES: usize = 8;

/// Webhooks and the routes that send there, to whichever of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Shard {
    /// Their names.
    pub webhooks: BTreeSet<String>,
    /// The names of the routes.
    pub routes: BTreeSet<String>,
    /// By which another configuration of them is recognized. It has no secret.
    pub fingerprint: String,
}

impl Shard {
    /// Returns whether two have a webhook or a route in common.
    pub(super) fn overlaps(&self, webhooks: &BTreeSet<String>, routes: &BTreeSet<String>) -> bool {
        !self.webhooks.is_disjoint(webhooks) || !self.routes.is_disjoint(routes)
    }
}

/// All shards of a configuration. Each has the name of its first webhook.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Shards {
    shards: BTreeMap<String, Shard>,
    of_routes: BTreeMap<String, String>,
    of_webhooks: BTreeMap<String, String>,
}

impl Shards {
    /// Returns the shards of a configuration.
    pub(crate) fn of(config: &Config) -> Self {
        let mut groups: Vec<Shard> = Vec::new();
        let of_webhook = |name: &String| Shard { webhooks: [name.clone()].into(), ..Shard::default() };
        let of_route = |route: &Route| {
            let webhooks = [&route.webhook].into_iter().chain(&route.fallback_webhook).chain(&route.plugin_webhooks);
            Shard {
                webhooks: webhooks.cloned().collect(),
                routes: [route.name.clone()].into(),
                fingerprint: String::new(),
            }
        };
        for mut added in config.webhooks.keys().map(of_webhook).chain(config.routes.iter().map(of_route)) {
            groups.retain_mut(|group| {
                let is_apart = group.webhooks.is_disjoint(&added.webhooks);
                if !is_apart {
                    added.webhooks.append(&mut group.webhooks);
                    added.routes.append(&mut group.routes);
                }
                is_apart
            });
            groups.push(added);
        }
        let mut all = Self::default();
        for mut shard in groups {
            let Some(name) = shard.webhooks.first().cloned() else { continue };
            shard.fingerprint = fingerprint(config, &shard);
            all.of_routes.extend(shard.routes.iter().map(|route| (route.clone(), name.clone())));
            all.of_webhooks.extend(shard.webhooks.iter().map(|webhook| (webhook.clone(), name.clone())));
            all.shards.insert(name, shard);
        }
        all
    }

    /// All of them, by their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Shard)> {
        self.shards.iter()
    }

    /// Returns a shard.
    pub(super) fn get(&self, name: &str) -> Option<&Shard> {
        self.shards.get(name)
    }

    /// The name of the first one, whose worker also does what is to be done once in a fleet.
    pub(crate) fn first(&self) -> Option<&str> {
        self.shards.first_key_value().map(|(name, _)| name.as_str())
    }

    /// Returns the shard of a route; `None`: it is not configured.
    pub(crate) fn of_route(&self, route: &str) -> Option<&str> {
        self.of_routes.get(route).map(String::as_str)
    }

    /// Returns whether a webhook is configured.
    pub(crate) fn has_webhook(&self, webhook: &str) -> bool {
        self.of_webhooks.contains_key(webhook)
    }

    /// Returns the shard of a webhook. What is left for one that is not configured is the first one's.
    pub(crate) fn of_webhook(&self, webhook: &str) -> Option<&str> {
        self.of_webhooks.get(webhook).map(String::as_str).or(self.first())
    }
}

/// Describes what decides how the routes of a shard match and format, and how its webhooks are sent to, without paths, which
/// may differ from machine to machine, and without secrets.
fn fingerprint(config: &Config, shard: &Shard) -> String {
    let mut text = String::new();
    for route in config.routes.iter().filter(|route| shard.routes.contains(&route.name)) {
        let plugin = match &route.plugin {
            PluginSource::BuiltIn => String::new(),
            PluginSource::File(path) => fs::read(path).map(|bytes| hex(&Sha256::digest(bytes))).unwrap_or_default(),
        };
        let mut described = Route { plugin: PluginSource::BuiltIn, ..route.clone() };
        let granted = std::mem::take(&mut described.grants);
        let grants: Vec<_> = granted.files().filter_map(|path| path.file_name()).collect();
        // Writing into memory cannot fail.
        let _ = writeln!(text, "{described:?} {plugin} {grants:?}");
    }
    for name in &shard.webhooks {
        let Some(Webhook { target, rate, app, .. }) = config.webhooks.get(name) else { continue };
        let channel = app.as_ref().map(|app| (&app.channel, app.topic, app.check_history));
        let _ = writeln!(text, "{name} {target:?} {rate:?} {channel:?}");
    }
    let hash = Sha256::digest(text);
    hex(hash.get(..FINGERPRINT_BYTES).unwrap_or(&hash))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn shards(text: &str) -> Shards {
        let file = Path::new("/etc/banhook/config.toml");
        Shards::of(&Config::parse(text, file, &|_| None).unwrap_or_else(|errors| panic!("{errors}")))
    }

    fn webhooks(names: &[&str]) -> String {
        let one = |name: &&str| format!("[webhooks.{name}]\nurl = \"https://hooks.slack.com/services/T0/B0/{name}\"\n");
        names.iter().map(one).collect()
    }

    fn names(names: &BTreeSet<String>) -> String {
        names.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn shards_are_webhooks_that_share_routes_with_all_their_routes() {
        let routes = "[[routes]]\nname = \"1\"\nwebhook = \"d\"\nfallback_webhook = \"b\"\n\
                      [[routes]]\nname = \"2\"\nwebhook = \"c\"\n\
                      [[routes]]\nname = \"3\"\nwebhook = \"e\"\nplugin_webhooks = [\"d\"]\n\
                      [[routes]]\nname = \"4\"\nwebhook = \"c\"\n";
        let all = shards(&format!("{}{routes}", webhooks(&["e", "d", "c", "b", "a"])));
        let found: Vec<_> =
            all.iter().map(|(name, shard)| (name.as_str(), names(&shard.webhooks), names(&shard.routes))).collect();
        let expected = [("a", "a", ""), ("b", "b d e", "1 3"), ("c", "c", "2 4")];
        assert_eq!(found, expected.map(|(name, webhooks, routes)| (name, webhooks.to_owned(), routes.to_owned())));
        assert_eq!((all.of_route("3"), all.of_route("x"), all.first()), (Some("b"), None, Some("a")));
        assert_eq!((all.of_webhook("e"), all.of_webhook("removed")), (Some("b"), Some("a")));
        let common = |of: &[&str]| {
            all.shards["b"].overlaps(&of.iter().map(|name| (*name).to_owned()).collect(), &BTreeSet::new())
        };
        assert!(common(&["e", "x"]) && !common(&["a", "c"]));
    }

    #[test]
    fn fingerprint_follows_what_is_sent_and_not_where_secrets_are() {
        let route = "[[routes]]\nname = \"1\"\nwebhook = \"a\"\n";
        let base = shards(&format!("{}{route}", webhooks(&["a", "b"])));
        let of = |text: String, name: &str| shards(&text).shards[name].fingerprint.clone();
        let (a, b) = (base.shards["a"].fingerprint.clone(), base.shards["b"].fingerprint.clone());
        assert!(a != b && a.len() == 2 * FINGERPRINT_BYTES);
        let other = |to: &str| format!("{}{route}{to}", webhooks(&["a", "b"]));
        assert_eq!(of(other("").replace("/B0/a", "/B9/x"), "a"), a, "the URL is a secret");
        assert_ne!(of(other("jails = [\"sshd\"]\n"), "a"), a);
        assert_eq!(of(other("jails = [\"sshd\"]\n"), "b"), b);
        assert_ne!(of(other("").replace("[webhooks.b]\n", "[webhooks.b]\nrate = \"5/s\"\n"), "b"), b);
    }
}
