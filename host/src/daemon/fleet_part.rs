//! A worker's part of its fleet's work, as the threads and tasks of its daemon see it: they work on the shards that are its own.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::config::Config;
use crate::fleet::{Reader, Shards, Term, Terms};

/// The shards, and which of them are this worker's.
#[derive(Clone)]
pub(super) struct FleetPart {
    /// Those of the configuration as it is.
    shards: Arc<watch::Sender<Shards>>,
    terms: watch::Receiver<Terms>,
    has_begun: watch::Receiver<bool>,
    /// Until when the first shard is this worker's.
    pub(super) first_until: watch::Receiver<Instant>,
}

impl FleetPart {
    pub(super) fn new(shards: watch::Sender<Shards>, reader: &Reader) -> Self {
        let (terms, first_until) = (reader.terms(), reader.first_until());
        Self { shards: Arc::new(shards), terms, has_begun: reader.has_begun(), first_until }
    }

    /// Whether it is known once whose the shards are.
    pub(super) fn has_begun(&self) -> bool {
        *self.has_begun.borrow()
    }

    /// Follows another configuration.
    pub(super) fn configure(&self, config: &Config) {
        let shards = Shards::of(config);
        self.shards.send_if_modified(|known| {
            let is_other = *known != shards;
            if is_other {
                *known = shards;
            }
            is_other
        });
    }

    /// Returns the terms once more if they have changed since this was asked.
    pub(super) fn changed_terms(&mut self) -> Option<Terms> {
        self.terms.has_changed().unwrap_or_default().then(|| self.terms.borrow_and_update().clone())
    }

    /// Returns this worker's term for a webhook, if it has begun. What is left for one that is not configured belongs to the
    /// first shard.
    pub(super) fn term_for_webhook(&self, webhook: &str) -> Option<Arc<Term>> {
        let shards = self.shards.borrow();
        let terms = self.terms.borrow();
        let is_for = |term: &&Arc<Term>| term.shard.webhooks.contains(webhook) || !shards.has_webhook(webhook);
        terms.get(shards.of_webhook(webhook)?).filter(|term| term.has_begun()).filter(is_for).cloned()
    }

    /// Returns this worker's term for a route of the configuration.
    pub(super) fn term_for_route(&self, route: &str) -> Option<Arc<Term>> {
        let shards = self.shards.borrow();
        let terms = self.terms.borrow();
        terms.get(shards.of_route(route)?).filter(|term| term.shard.routes.contains(route)).cloned()
    }
}
