//! The third stage: each routed event passes its route's plugin and the guard and becomes a message in the outbox, a place
//! in a digest, or a skip.
//!
//! An alert survives its plugin: whatever goes wrong with one, the event goes out as the built-in plain message that says
//! what. Storms, restarts and backlogs are grouped into digests here. Nothing here knows of networks or threads, and the
//! time is handed in.

mod advance;
mod breaker;
mod closing;
mod dry_run;
mod formatter;
mod grouping;
mod loaded_route;
mod removed_route;
#[cfg(test)]
mod route_fixture;
mod route_plugin;
mod series;
#[cfg(test)]
mod series_tests;
#[cfg(test)]
mod tests;
mod webhook_profile;
mod window;

pub(crate) use dry_run::DryRun;
pub(crate) use formatter::Explanation;
pub(crate) use loaded_route::RouteContext;
pub(crate) use loaded_route::{LoadedRoute, load_all, prepare};
pub(crate) use removed_route::format_removed_route;
pub(crate) use webhook_profile::{WebhookProfiles, profiles};
