//! The configuration: parsed, checked and explained.
//!
//! [`Config::load`] finds everything that is wrong at once, each with its file, line and column; what it returns is
//! right and needs no further check. Nothing here knows how a plugin is run or a message is sent, and `notify` never
//! comes here: a typing mistake must not lose a ban.

mod bounded;
mod fail2ban;
mod grants;
mod http_settings;
mod jails;
mod load;
mod log_source;
mod name;
mod plugin;
mod problem;
mod proxy_url;
mod rate;
mod reader;
mod refused;
mod retention;
mod route;
mod source;
mod storm;
#[cfg(test)]
mod tests;
mod units;
mod url_source;
mod webhook;
mod webhook_url;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub use fail2ban::Fail2ban;
pub use http_settings::{CaFile, Http, Proxy};
pub use jails::{JailPatternError, Jails};
pub use log_source::LogSource;
pub use plugin::PluginSource;
pub use problem::{ConfigErrors, Problem};
pub use proxy_url::{ProxyUrl, ProxyUrlError};
pub use rate::Pace;
pub use retention::Retention;
pub use route::Route;
pub use storm::Storm;
pub use units::parse_duration;
pub use webhook::Webhook;
pub use webhook_url::{WebhookUrl, WebhookUrlError};

use crate::event::EventDefaults;
/// What a webhook speaks: all that the configuration uses of `message`.
pub use crate::message::Target;
use crate::plugin::Sandbox;

/// How environment variables are looked up: handed in, so that tests need none.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What the user wants. Holds no secret but in its [`WebhookUrl`]s and [`ProxyUrl`]s, so its `Debug` may be shown.
#[derive(Debug, Clone)]
pub struct Config {
    /// What events without a host are said to come from. Default (`None`): the system's host name.
    pub host: Option<String>,
    /// Handed to every plugin.
    pub labels: BTreeMap<String, String>,
    /// By their names; at least one.
    pub webhooks: BTreeMap<String, Webhook>,
    /// In the order in which they are written; at least one.
    pub routes: Vec<Route>,
    /// What all plugins have together.
    pub sandbox: Sandbox,
    /// How long what is over is kept.
    pub retention: Retention,
    /// Logs that the daemon reads, besides what `notify` takes in.
    pub sources: Vec<LogSource>,
    /// The fail2ban on this host.
    pub fail2ban: Fail2ban,
    /// What is probably a mistake and yet works: a webhook that no route uses, a URL on this host in an open file.
    pub warnings: Vec<Problem>,
    /// The files and folders that all this was read from, plugins and certificates included; none, if it was parsed from
    /// a text.
    pub files: BTreeSet<PathBuf>,
}

impl Config {
    /// Reads a file, and `conf.d/*.toml` beside it.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn load(path: &Path, env: Env<'_>) -> Result<Self, ConfigErrors> {
        load::load(path, env)
    }

    /// Returns what events of this host get that have none of their own; `system_host` where no `host` is configured.
    #[must_use]
    pub fn event_defaults(&self, system_host: &str) -> EventDefaults {
        EventDefaults { host: self.host.clone().unwrap_or_else(|| system_host.to_owned()), labels: self.labels.clone() }
    }

    /// Reads a text. `path` names it in messages, and relative paths start from its folder; it need not exist.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str, path: &Path, env: Env<'_>) -> Result<Self, ConfigErrors> {
        load::build(&[source::Source::private(path, text)], problem::Problems::default(), env)
    }
}
