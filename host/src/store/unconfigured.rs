//! What is kept of routes and webhooks beside events and messages is forgotten with them.

use super::{Store, StoreError};

impl Store {
    /// Forgets how plugins, storms and webhooks fared, but of these routes and webhooks.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn prune_unconfigured(&mut self, routes: &[&str], webhooks: &[&str]) -> Result<(), StoreError> {
        for (table, column, kept) in
            [("plugins", "route", routes), ("recent_posts", "route", routes), ("webhooks", "name", webhooks)]
        {
            // Mostly there is nothing to do, and a look waits for no turn.
            let mut known: Vec<String> = self.database.read("read what is configured no more", |connection| {
                connection.prepare(&format!("SELECT {column} FROM {table}"))?.query_map([], |row| row.get(0))?.collect()
            })?;
            known.retain(|name| !kept.contains(&name.as_str()));
            if known.is_empty() {
                continue;
            }
            self.database.write("forget what is configured no more", |transaction| {
                let mut forget = transaction.prepare(&format!("DELETE FROM {table} WHERE {column} = ?"))?;
                known.iter().try_for_each(|name| forget.execute([name]).map(drop))
            })?;
        }
        Ok(())
    }
}
