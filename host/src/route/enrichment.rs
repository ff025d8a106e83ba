//! The step before routing: bans of this host get what fail2ban's database knows of them.

use std::collections::BTreeSet;

use super::{EnrichStatus, Enricher};
use crate::event::{EventDefaults, Timestamp};
use crate::store::{Inbox, StoreError, UnroutedEvent};

/// What events are enriched with before routes get them.
pub struct Enrichment<'a> {
    /// Asks fail2ban's database.
    pub enricher: &'a mut Enricher,
    /// Where the enriched events are stored.
    pub inbox: &'a mut Inbox,
}

impl Enrichment<'_> {
    /// Enriches events of this host. Drops the first event that has to wait for the database, or to be read again, and all
    /// that follow it, so that the order stays.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn run(
        self,
        unrouted: &mut Vec<UnroutedEvent>,
        defaults: &EventDefaults,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Self { enricher, inbox } = self;
        let (mut ready, mut enriched) = (0, BTreeSet::new());
        for UnroutedEvent { seq, received_at, event, .. } in unrouted.iter_mut() {
            if let Ok(event) = event
                && (event.host.is_empty() || event.host == defaults.host)
                && enricher.concerns(event)
            {
                let before = event.clone();
                if enricher.enrich(event, *received_at, now) == EnrichStatus::NotYet {
                    break;
                }
                if *event != before {
                    enriched.insert(*seq);
                }
            }
            ready += 1;
        }
        unrouted.truncate(ready);
        if enriched.is_empty() {
            return Ok(());
        }
        // Before they are routed, since routes read them again.
        let enriched: Vec<_> = unrouted.iter().filter(|unrouted| enriched.contains(&unrouted.seq)).collect();
        if let Some(changed) = inbox.update_enriched(&enriched)? {
            unrouted.retain(|unrouted| unrouted.seq < changed);
        }
        Ok(())
    }
}
