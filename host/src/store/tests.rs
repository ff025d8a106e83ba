//! The rules on who writes what, checked in the store's own source: each table is written by one file, and a statement that
//! fires a trigger of the ledger is marked with its name. And that the first schema stays as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use rusqlite::Connection;

use super::schema::SCHEMA;

/// The file that writes each table. The counts of routes in `ledger` and `pruned` are written by the schema's triggers.
const WRITERS: [(&str, &str); 19] = [
    ("bans", "history.rs"),
    ("change_budgets", "change_budgets.rs"),
    ("checkpoints", "checkpoints.rs"),
    ("events", "inbox.rs"),
    ("forwarding", "forwarding.rs"),
    ("jails", "history.rs"),
    ("ledger", "ledger.rs"),
    ("logs", "checkpoints.rs"),
    ("messages", "messages.rs"),
    ("mutes", "mutes.rs"),
    ("plugins", "plugins.rs"),
    ("pruned", "ledger.rs"),
    ("receipts", "receipts.rs"),
    ("recent_posts", "recent_posts.rs"),
    ("reports", "reports.rs"),
    ("routed_events", "routed_events.rs"),
    ("routing_cursor", "routing_cursor.rs"),
    ("stream_receipts", "stream_receipts.rs"),
    ("webhooks", "webhooks.rs"),
];

/// How a statement that fires a trigger begins, and the trigger.
const TRIGGERS: [(&str, &str); 4] = [
    ("INSERT INTO routed_events", "routed_event_inserted"),
    ("UPDATE routed_events SET state", "routed_event_moved"),
    ("DELETE FROM routed_events", "routed_event_pruned"),
    ("UPDATE messages SET state", "message_moved"),
];

/// Lines above a statement within which its mark stands.
const MARK_LINES: usize = 4;

/// The store's files without their tests, by name.
fn sources() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let mut sources = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.ends_with("tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        sources.insert(name, code.to_owned());
    }
    sources
}

/// The words after each of these, where they are names of tables.
fn tables_after(text: &str, statement: &str) -> BTreeSet<String> {
    let is_name = |character: char| character.is_ascii_lowercase() || character == '_';
    text.split(statement)
        .skip(1)
        .map(|rest| rest.chars().take_while(|character| is_name(*character)).collect::<String>())
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn each_table_is_written_by_the_file_that_is_listed_for_it() {
    let sources = sources();
    assert_eq!(
        tables_after(&sources["schema.rs"], "CREATE TABLE "),
        WRITERS.map(|(table, _)| table.to_owned()).into(),
        "the tables of the schema"
    );
    let mut written = BTreeSet::new();
    for (file, text) in sources.iter().filter(|(file, _)| *file != "schema.rs") {
        let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for statement in ["INSERT INTO ", "REPLACE INTO ", "IGNORE INTO ", "UPDATE ", "DELETE FROM "] {
            written.extend(tables_after(&code, statement).into_iter().map(|table| (table, file.clone())));
        }
    }
    assert_eq!(written, WRITERS.map(|(table, file)| (table.to_owned(), file.to_owned())).into());
}

#[test]
fn each_statement_that_fires_a_trigger_is_marked_with_its_name() {
    let sources = sources();
    for (statement, trigger) in TRIGGERS {
        assert!(sources["schema.rs"].contains(&format!("CREATE TRIGGER {trigger} ")), "{trigger} is in the schema");
        let mut found = 0;
        for (file, text) in sources.iter().filter(|(file, _)| *file != "schema.rs") {
            let lines: Vec<_> = text.lines().collect();
            for (number, _) in lines.iter().enumerate().filter(|(_, line)| line.contains(statement)) {
                found += 1;
                let above = &lines[number.saturating_sub(MARK_LINES)..number];
                let is_marked = |line: &&str| line.trim_start().starts_with("// Ledger: ") && line.contains(trigger);
                assert!(above.iter().any(is_marked), "{file}:{}: no `// Ledger: {trigger}` above", number + 1);
            }
        }
        assert!(found > 0, "{statement} is nowhere");
    }
    // Otherwise a statement could set the state further on and stay unmarked.
    for table in ["messages.rs", "routed_events.rs"] {
        assert!(!sources[table].contains(", state ="), "{table} sets the state, but not first");
    }
}

/// A change of the tables after a release is a step of the migration; the store of each released schema is kept.
#[test]
fn first_schema_is_that_of_the_store_that_is_kept() {
    let schema = |fill: &dyn Fn(&mut Connection)| -> Vec<(String, Option<String>)> {
        let mut connection = Connection::open_in_memory().unwrap();
        fill(&mut connection);
        let mut statement = connection.prepare("SELECT name, sql FROM sqlite_master ORDER BY name").unwrap();
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    };
    let kept = schema(&|connection| {
        connection.execute_batch(include_str!("../../../tests/e2e/upgrade/schema-1.sql")).unwrap();
    });
    let first = schema(&|connection| {
        let transaction = connection.transaction().unwrap();
        SCHEMA.create(&transaction).unwrap();
        transaction.commit().unwrap();
    });
    assert_eq!(first, kept, "add a step to SCHEMA, and leave the first tables as they are");
}
