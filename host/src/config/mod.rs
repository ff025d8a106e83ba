//! The configuration: read, checked and explained.
//!
//! [`Config::load`] finds everything that is wrong at once, each with its file, line and column; what it returns is valid
//! and needs no further check. Nothing here runs a plugin or sends a message, and `notify` never reads it: a typing mistake
//! must not lose a ban.

mod app_channel;
mod basic_auth;
mod config_files;
mod configuration;
mod fail2ban;
mod fleet;
mod grants;
mod grouping;
mod headers;
mod http_settings;
mod jail_patterns;
mod key_recorder;
mod log_source;
mod mentions;
mod metrics;
mod name;
mod plugin;
mod problem;
mod program;
mod proxy_url;
mod quantity;
mod quiet;
mod rate;
mod reader;
mod rejected_keys;
mod report;
mod retention;
mod route;
mod schema;
mod secret_source;
mod setting_location;
mod signing_key;
mod success_rule;
#[cfg(test)]
mod tests;
mod text_file;
mod timezone;
mod token;
mod webhook;
mod webhook_url;

pub(crate) use app_channel::AppChannel;
pub(crate) use basic_auth::BasicAuth;
pub(crate) use config_files::paths as config_paths;
pub(crate) use configuration::Config;
pub(crate) use fail2ban::Fail2ban;
pub(crate) use fleet::{Fleet, FleetRole};
pub(crate) use grouping::Storm;
pub(crate) use http_settings::{HttpSettings, Proxy};
pub(crate) use log_source::{LogSource, is_pattern};
pub(crate) use metrics::Metrics;
pub(crate) use plugin::PluginSource;
pub(crate) use problem::ConfigErrors;
pub(crate) use program::Program;
#[cfg(test)]
pub(crate) use proxy_url::ProxyUrl;
pub(crate) use quantity::{DURATION_RULE, duration_text, parse_duration, size_text};
pub(crate) use rate::Rate;
pub(crate) use report::{Report, ReportTime};
pub(crate) use retention::Retention;
pub(crate) use route::{Mismatch, Route};
pub(crate) use schema::schema;
pub(crate) use setting_location::setting_location;
pub(crate) use signing_key::SigningKey;
pub(crate) use success_rule::SuccessRule;
pub(crate) use timezone::{parse_timezone, system_timezone};
pub(crate) use token::Token;
pub(crate) use webhook::Webhook;
pub(crate) use webhook_url::is_private;

#[cfg(test)]
pub(crate) use http_settings::CaFile;
