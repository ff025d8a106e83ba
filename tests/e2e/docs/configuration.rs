//! A configuration in a document, completed until the program can check it.

use std::collections::BTreeSet;

use toml::{Table, Value};

/// A configuration as it is written into a directory of its own.
#[derive(Debug, PartialEq, Eq)]
pub struct Configuration {
    pub text: String,
    /// The files that have to hold a URL.
    pub url_files: Vec<String>,
}

impl Configuration {
    /// Reads a complete one.
    pub fn complete(text: &str) -> Result<Self, String> {
        let table = parse(text)?;
        let webhooks = table.get("webhooks").and_then(Value::as_table).into_iter().flat_map(Table::values);
        let url_files = webhooks.filter_map(|webhook| Some(webhook.get("url_file")?.as_str()?.to_owned())).collect();
        Ok(Self { text: text.to_owned(), url_files })
    }

    /// Completes a fragment: with the webhooks that its routes name, or `main` if it has none at all. Keys before its first
    /// table stay before all tables.
    pub fn of_fragment(fragment: &str) -> Result<Self, String> {
        let table = parse(fragment)?;
        let defined: BTreeSet<_> = table
            .get("webhooks")
            .and_then(Value::as_table)
            .into_iter()
            .flat_map(Table::keys)
            .map(String::as_str)
            .collect();
        let routes = table.get("routes").and_then(Value::as_array).into_iter().flatten();
        let named = routes.flat_map(|route| ["webhook", "fallback_webhook"].map(|key| route.get(key)?.as_str()));
        let mut missing: BTreeSet<_> = named.flatten().filter(|name| !defined.contains(name)).collect();
        if defined.is_empty() && missing.is_empty() {
            missing.insert("main");
        }
        let keys = fragment.split_inclusive('\n').take_while(|line| !line.starts_with('[')).map(str::len).sum();
        let (keys, tables) = fragment.split_at(keys);
        let webhooks: String =
            missing.iter().map(|name| format!("[webhooks.{name}]\nurl_file = \"{name}.url\"\n\n")).collect();
        Self::complete(&format!("{keys}\n{webhooks}{tables}"))
    }
}

fn parse(text: &str) -> Result<Table, String> {
    text.parse::<Table>().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhooks(fragment: &str) -> Vec<String> {
        let table = parse(&Configuration::of_fragment(fragment).unwrap().text).unwrap();
        table["webhooks"].as_table().unwrap().keys().cloned().collect()
    }

    #[test]
    fn fragment_gets_the_webhooks_that_it_needs() {
        for (fragment, expected) in [
            ("[[routes]]\nevents = [\"ban\"]\n", &["main"][..]),
            ("[[routes]]\nwebhook = \"a\"\nfallback_webhook = \"b\"\n", &["a", "b"]),
            ("[webhooks.a]\nurl_env = \"A\"\n[[routes]]\nwebhook = \"a\"\n", &["a"]),
            ("[webhooks.a]\nurl_env = \"A\"\n", &["a"]),
        ] {
            assert_eq!(webhooks(fragment), expected, "{fragment}");
        }
    }

    #[test]
    fn fragment_keeps_its_top_level_keys_at_the_top() {
        let found = Configuration::of_fragment("# Name.\nhost = \"a\"\n[sandbox]\nstack = \"1MiB\"\n").unwrap();
        let table = parse(&found.text).unwrap();
        assert_eq!(table["host"].as_str(), Some("a"));
        assert_eq!(table["sandbox"]["stack"].as_str(), Some("1MiB"));
        assert_eq!(found.url_files, ["main.url"]);
    }

    #[test]
    fn configuration_names_its_url_files_or_is_an_error() {
        let text = "[webhooks.a]\nurl_file = \"/etc/a.url\"\n[webhooks.b]\nurl_env = \"B\"\n";
        assert_eq!(Configuration::complete(text).unwrap().url_files, ["/etc/a.url"]);
        assert!(Configuration::complete("a = ").is_err());
    }
}
