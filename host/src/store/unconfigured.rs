//! Removes the state of plugins, storms and webhooks that are no longer configured. Events and messages stay.

use super::database_file::Database;
use super::error::StoreError;
use super::store::Store;
use super::{plugins, recent_posts, webhooks};

impl Store {
    /// Removes the state of plugins, storms and webhooks of other routes and webhooks than these.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn prune_unconfigured(&mut self, routes: &[&str], webhooks: &[&str]) -> Result<(), StoreError> {
        prune(&mut self.database, (plugins::ROUTES, plugins::REMOVE), routes)?;
        prune(&mut self.database, (recent_posts::ROUTES, recent_posts::REMOVE), routes)?;
        prune(&mut self.database, (webhooks::NAMES, webhooks::REMOVE), webhooks)
    }
}

/// Removes rows by their names: `query` returns all names, `remove` deletes the row with one.
fn prune(database: &mut Database, (query, remove): (&str, &str), configured: &[&str]) -> Result<(), StoreError> {
    // Usually there is nothing to do, and a query waits for no writer.
    let mut names: Vec<String> = database.read("read the state of routes and webhooks", |connection| {
        connection.prepare(query)?.query_map([], |row| row.get(0))?.collect()
    })?;
    names.retain(|name| !configured.contains(&name.as_str()));
    if names.is_empty() {
        return Ok(());
    }
    database.write("remove the state of routes and webhooks", |transaction| {
        let mut remove = transaction.prepare(remove)?;
        names.iter().try_for_each(|name| remove.execute([name]).map(drop))
    })
}

#[cfg(test)]
mod tests {
    use crate::event::Timestamp;
    use crate::store::fixture::fixture;
    use crate::store::{PluginState, Suspended, WebhookState};

    #[test]
    fn prune_unconfigured_removes_the_state_of_other_names() {
        let mut fixture = fixture();
        let store = &mut fixture.store;
        let state = |failures| PluginState {
            plugin: "sec.wasm".into(),
            sha256: Some("00".repeat(32)),
            version: Some("1.2.3".into()),
            since: Timestamp(5),
            failures,
            error: (failures > 0).then(|| "trapped".into()),
            paused_until: (failures > 1).then_some(Timestamp(7)),
        };
        for (route, failures) in [("sec", 0), ("ops", 1), ("sec", 2)] {
            store.record_plugin(route, &state(failures)).unwrap();
        }
        assert_eq!(store.plugins().unwrap(), [("ops".into(), state(1)), ("sec".into(), state(2))].into());
        let suspended = Some(Suspended { error: "404".into(), since: Timestamp(6), url_hash: "hash".into() });
        let state_of_a_suspended = WebhookState { suspended, ..WebhookState::default() };
        store.record_webhook("old", &state_of_a_suspended).unwrap();
        store.record_webhook("hook", &state_of_a_suspended).unwrap();
        store.prune_unconfigured(&["sec"], &["hook"]).unwrap();
        assert_eq!(store.plugins().unwrap(), [("sec".into(), state(2))].into());
        assert_eq!(store.suspended_webhooks().unwrap().into_keys().collect::<Vec<_>>(), ["hook"]);
    }
}
