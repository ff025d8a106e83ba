//! The JSON Schema of a file of the configuration, for editors: every key with the form of its value. What only several keys
//! together can be wrong in is left to `config check`.

use std::path::Path;
use std::rc::Rc;

use serde_json::{Value, json};

use super::configuration::read_keys;
use super::key_recorder::{KeyRecorder, TOP};
use super::text_file::TextFile;

/// A file with every table, so that each reader says which keys it knows. That nothing in them is valid does not matter.
const EVERY_TABLE: &str = "
[labels]
[webhooks.NAME]
basic_auth = ''
[[routes]]
[routes.limits]
[routes.grants]
[routes.storm]
[routes.settings]
[[sources]]
[fail2ban]
[health]
[metrics]
[[reports]]
[retention]
[sandbox]
";

/// A webhook of a target that has other keys.
const APP: &str = "[webhooks.NAME]\ntarget = 'slack-app'\n";

/// Another.
const BOT: &str = "[webhooks.NAME]\ntarget = 'telegram'\n";

/// Another.
const PROGRAM: &str = "[webhooks.NAME]\ntarget = 'json'\nheaders = ''\nsigning_key = ''\n";

/// Returns the schema.
pub(crate) fn schema() -> Value {
    let keys = Rc::new(KeyRecorder::default());
    for text in [EVERY_TABLE, APP, BOT, PROGRAM] {
        read_keys(&TextFile::private(Path::new(""), text), &keys);
    }
    let mut schema = keys.schema(TOP);
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".to_owned(), json!("The configuration of banhook"));
    schema.into()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// The keys of a schema's tables, as paths.
    fn paths(schema: &Value, at: &str, found: &mut Vec<String>) {
        let tables = [schema, &schema["items"], &schema["additionalProperties"]];
        let alternatives = schema["anyOf"].as_array().into_iter().flatten();
        alternatives.for_each(|form| paths(form, at, found));
        for (key, form) in tables.iter().filter_map(|table| table["properties"].as_object()).flatten() {
            let path = format!("{at}.{key}");
            paths(form, &path, found);
            found.push(path);
        }
    }

    #[test]
    fn schema_has_every_key_that_is_documented_and_each_is() {
        let mut found = Vec::new();
        paths(&schema(), "", &mut found);
        let has = |path: &str| found.iter().any(|found| found == path);
        for path in [".routes.limits.time", ".routes.grants.geo", ".routes.storm.within", ".webhooks.basic_auth_file"] {
            assert!(has(path), "{path} of {found:?}");
        }
        assert_eq!(schema()["properties"]["routes"]["items"]["additionalProperties"], json!(false));
        let docs = ["configuration.md", "plugin-limits.md", "reading-the-log.md", "metrics.md", "writing-plugins.md"];
        let read = |name| fs::read_to_string(format!("{}/../docs/src/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let documented: String = docs.map(read).concat();
        for path in &found {
            let key = path.rsplit('.').next().unwrap();
            let is_named = [
                format!("`{key}`"),
                format!("`[{key}]`"),
                format!("`[[{key}]]`"),
                format!("`[{key}.NAME]`"),
                format!("{key} = "),
                format!("[routes.{key}]"),
            ];
            assert!(is_named.iter().any(|name| documented.contains(name)), "{path} is not documented");
        }
        // The rows of tables of keys.
        let tables =
            documented.split("\n\n").filter(|part| part.starts_with("| key |") || part.starts_with("| key in "));
        let lines = tables.flat_map(str::lines).filter_map(|line| line.strip_prefix("| `"));
        let settings = lines.filter_map(|line| line.split_once('`')).map(|(key, _)| key);
        let is_key = |key: &&str| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let missing: Vec<_> = settings
            .filter(is_key)
            .filter(|key| !found.iter().any(|path| path.ends_with(&format!(".{key}"))))
            .collect();
        assert_eq!(missing, [""; 0]);
    }
}
