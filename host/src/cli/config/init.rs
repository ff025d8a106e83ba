//! `banhook config init`: writes an example of a configuration, with the usual settings in comments.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;

use crate::cli::command_error::{CommandError, Outcome};
use crate::cli::global_options::GlobalOptions;

/// The example, as packages have it.
const EXAMPLE: &str = include_str!("../../../packaging/examples/config.toml");

/// Write an example of a configuration, with the usual settings and their defaults in comments
///
/// The page "Configuration" of the documentation describes all settings, and `banhook config schema` lists them. A file that exists is never
/// overwritten.
#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The file to write [default: the configuration file, as --config names it]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Writes the example.
pub(super) fn init(global: &GlobalOptions, arguments: &InitArgs) -> Outcome {
    let file = arguments.file.as_ref().unwrap_or(&global.config);
    let shown = file.display();
    let written = OpenOptions::new().write(true).create_new(true).mode(0o644).open(file);
    match written.and_then(|mut opened| opened.write_all(EXAMPLE.as_bytes())) {
        Ok(()) => {
            writeln!(io::stdout(), "wrote {shown}; put the webhook's URL into main.url next to it (mode 0600)")?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(CommandError::input(anyhow!("{shown} exists, and is left as it is; name another file")))
        }
        Err(error) => Err(anyhow!("cannot write {shown}: {error}").into()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Config, schema};

    #[test]
    fn example_is_valid_as_it_is_and_with_its_settings() {
        let folder = tempfile::tempdir().unwrap();
        let seed = nkeys::KeyPair::new_user().seed().unwrap();
        for (name, secret) in [
            ("main.url", "https://hooks.slack.com/services/T0/B0/x"),
            ("ops.url", "https://hooks.slack.com/services/T0/B0/x"),
            ("ntfy.url", "https://ntfy.sh/x"),
            ("telegram.token", "123456:ABC-DEF"),
            ("program.url", "https://example.org/x"),
            ("program.headers", "X-Key: x"),
            ("program.key", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"),
            ("fleet.nkey", seed.as_str()),
            ("slack.token", "xoxb-1-SECRET"),
        ] {
            let path = folder.path().join(name);
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
            file.write_all(secret.as_bytes()).unwrap();
        }
        std::fs::write(folder.path().join("ca.pem"), include_str!("../../config/testdata/ca.pem")).unwrap();
        for file in ["my.wasm", "country.mmdb"] {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        let parse = |text: &str| Config::parse(text, &folder.path().join("config.toml"), &|_| None);
        parse(EXAMPLE).unwrap();
        // A comment without a space is a setting.
        let line = |line: &str| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line).to_owned();
        let all: String = EXAMPLE.lines().map(|text| line(text) + "\n").collect();
        parse(&all).unwrap_or_else(|error| panic!("{error}\n{all}"));
        let table: toml::Table = all.parse().unwrap();
        let schema = schema();
        let tables = |value: &toml::Value| match value {
            toml::Value::Array(tables) => tables.clone(),
            table => vec![table.clone()],
        };
        for (name, form) in schema["properties"].as_object().unwrap() {
            assert!(table.contains_key(name), "without {name}");
            let keys = [form, &form["items"], &form["additionalProperties"]]
                .into_iter()
                .find_map(|form| form["properties"].as_object());
            let inner = match name.as_str() {
                "webhooks" => table["webhooks"].as_table().unwrap().values().cloned().collect(),
                _ => tables(&table[name]),
            };
            for key in keys.into_iter().flat_map(|keys| keys.keys()) {
                // Other places of a secret exclude each other.
                let is_alternative = ["_env", "_credential"].iter().any(|end| key.ends_with(end))
                    || [
                        "url",
                        "basic_auth",
                        "basic_auth_file",
                        "http_host",
                        "relay_host",
                        "nkey",
                        "resend",
                        "token",
                        "headers",
                        "signing_key",
                    ]
                    .contains(&key.as_str());
                // `banhook plugin pin` writes it.
                let is_written = key == "sha256";
                let is_there = inner.iter().any(|table| table.get(key).is_some());
                assert!(is_there || is_written || is_alternative && EXAMPLE.contains(key), "without {name}.{key}");
            }
        }
        assert!(Path::new("/").exists());
    }
}
