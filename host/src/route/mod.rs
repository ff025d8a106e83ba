//! The second stage: an event from the inbox becomes a routed event on each route that matches it.
//!
//! Before that, bans are enriched with what only fail2ban's database knows of them ([`Enricher`]). Nothing here knows of
//! plugins, networks or threads, and the time is handed in.

mod enricher;
mod routing_pass;

pub(crate) use enricher::Enricher;
#[cfg(test)]
pub(crate) use routing_pass::route_events;
pub(crate) use routing_pass::{RoutingPass, enrich, route_events_after};
