//! The configuration: read, checked and explained.
//!
//! [`Config::load`] finds everything that is wrong at once, each with its file, line and column; what it returns is valid
//! and needs no further check. Nothing here runs a plugin or sends a message, and `notify` never reads it: a typing mistake
//! must not lose a ban.

mod config_files;
mod configuration;
mod fail2ban;
mod grants;
mod grouping;
mod http_settings;
mod jail_patterns;
mod log_source;
mod name;
mod plugin;
mod problem;
mod proxy_url;
mod quantity;
mod rate;
mod reader;
mod rejected_keys;
mod retention;
mod route;
#[cfg(test)]
mod tests;
mod text_file;
mod timezone;
mod url_source;
mod webhook;
mod webhook_url;

pub use configuration::Config;
pub use fail2ban::Fail2ban;
pub use grouping::Storm;
pub use http_settings::{CaFile, HttpSettings, Proxy};
pub use jail_patterns::{JailPatternError, JailPatterns};
pub use log_source::LogSource;
pub use plugin::PluginSource;
pub use problem::{ConfigErrors, Problem};
pub use proxy_url::{ProxyUrl, ProxyUrlError};
pub use quantity::parse_duration;
pub use rate::Rate;
pub use retention::Retention;
pub use route::Route;
pub use url_source::Env;
pub use webhook::Webhook;
pub use webhook_url::{WebhookUrl, WebhookUrlError};

/// The service that a webhook belongs to: all that the configuration uses of `message`.
pub use crate::message::Target;
