//! Where a secret comes from: a file, an environment variable, a systemd credential, or the configuration.
//!
//! A text in a file that other users can read or change is not a secret: it is an error ([`Exposure`]).
//!
//! [`Exposure`]: super::text_file::Exposure

use std::path::{Path, PathBuf};

use super::problem::{Location, quoted};
use super::reader::{Located, Table};
use super::text_file::TextFile;
use crate::phrase::listed;

/// The variable that systemd sets for units with `LoadCredential=`: a folder with a file for each credential.
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// How environment variables are looked up: handed in, so that tests set none.
pub(crate) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A secret that is not checked yet, and where it was found: no `Debug`.
pub(super) struct SecretText {
    pub(super) text: String,
    /// The location of the key that names it.
    pub(super) location: Location,
    /// The file that contains it, if that is not the configuration.
    pub(super) file: Option<PathBuf>,
}

/// The four keys of a secret.
pub(super) struct SecretKeys {
    /// What it is, for messages.
    what: &'static str,
    file: &'static str,
    variable: &'static str,
    credential: &'static str,
    plain: &'static str,
}

/// The URL of a webhook.
pub(super) const URL: SecretKeys =
    SecretKeys { what: "URL", file: "url_file", variable: "url_env", credential: "url_credential", plain: "url" };

/// The user name and the password that a server before the chat asks for.
pub(super) const BASIC_AUTH: SecretKeys = SecretKeys {
    what: "basic_auth",
    file: "basic_auth_file",
    variable: "basic_auth_env",
    credential: "basic_auth_credential",
    plain: "basic_auth",
};

/// What an app posts with.
pub(super) const TOKEN: SecretKeys = SecretKeys {
    what: "token",
    file: "token_file",
    variable: "token_env",
    credential: "token_credential",
    plain: "token",
};

/// Headers of one's own.
pub(super) const HEADERS: SecretKeys = SecretKeys {
    what: "headers",
    file: "headers_file",
    variable: "headers_env",
    credential: "headers_credential",
    plain: "headers",
};

/// What requests are signed with.
pub(super) const SIGNING_KEY: SecretKeys = SecretKeys {
    what: "signing_key",
    file: "signing_key_file",
    variable: "signing_key_env",
    credential: "signing_key_credential",
    plain: "signing_key",
};

/// The key by which a broker knows this host.
pub(super) const NKEY: SecretKeys =
    SecretKeys { what: "nkey", file: "nkey_file", variable: "nkey_env", credential: "nkey_credential", plain: "nkey" };

impl SecretKeys {
    pub(super) const fn all(&self) -> [&'static str; 4] {
        [self.file, self.variable, self.credential, self.plain]
    }

    /// Returns whether a table has one of them.
    pub(super) fn are_in(&self, table: &Table<'_>) -> bool {
        self.all().into_iter().any(|key| table.key_location(key).is_some())
    }
}

/// Reads the one of the four keys that is set. Reports if none or several are set, and a secret that cannot be read or that
/// others can read.
pub(super) fn read(table: &Table<'_>, keys: &SecretKeys, env: Env<'_>) -> Option<SecretText> {
    let file = table.reference(keys.file, &format!("the name of a file that holds the {}", keys.what));
    let variable = table.reference(keys.variable, "the name of an environment variable");
    let credential = table.reference(keys.credential, "the name of a systemd credential");
    let plain = table.string(keys.plain);
    if !exactly_one(table, keys) {
        return None;
    }
    if let Some(name) = file {
        return from_file(table, &table.file.resolve(&name.value), name.location);
    }
    if let Some(name) = variable {
        return from_variable(table, env, name);
    }
    if let Some(name) = credential {
        return from_credential(table, env, name);
    }
    from_configuration(table, plain?, keys)
}

fn exactly_one(table: &Table<'_>, keys: &SecretKeys) -> bool {
    let set: Vec<_> =
        keys.all().into_iter().filter_map(|key| table.key_location(key).map(|location| (key, location))).collect();
    match set.as_slice() {
        [_] => true,
        [] => {
            table.problems.report_with(
                table.location.clone(),
                format!("{} has no {}", table.title, keys.what),
                format!(
                    "add {} = \"FILE\", {} = \"VARIABLE\" or {} = \"NAME\"",
                    keys.file, keys.variable, keys.credential
                ),
            );
            false
        }
        several => {
            let set = listed(several.iter().map(|(key, _)| *key), "and");
            let message = format!("{} has more than one {}: {set}", table.title, keys.what);
            table.problems.report_with(table.location.clone(), message, "keep one of them");
            false
        }
    }
}

fn from_file(table: &Table<'_>, path: &Path, location: Location) -> Option<SecretText> {
    let file = match TextFile::read(path) {
        Ok(file) => file,
        Err(error) => {
            table.problems.report_unreadable(location, path.display(), path, &error);
            return None;
        }
    };
    if let Some(exposure) = file.exposure {
        let (how, hint) = exposure.explain(path);
        table.problems.report_with(location, format!("{} contains a secret, but {how}", path.display()), hint);
        return None;
    }
    Some(SecretText { text: file.text.trim_end().to_owned(), location, file: Some(path.to_owned()) })
}

fn from_variable(table: &Table<'_>, env: Env<'_>, name: Located<String>) -> Option<SecretText> {
    match env(&name.value).filter(|text| !text.is_empty()) {
        Some(text) => Some(SecretText { text: text.trim_end().to_owned(), location: name.location, file: None }),
        None => {
            table
                .problems
                .report(name.location, format!("the environment variable {} is not set", quoted(&name.value)));
            None
        }
    }
}

fn from_credential(table: &Table<'_>, env: Env<'_>, name: Located<String>) -> Option<SecretText> {
    if !is_credential_name(&name.value) {
        let message = format!("{} is not a valid name of a systemd credential", quoted(&name.value));
        table.problems.report(name.location, message);
        return None;
    }
    let Some(folder) = env(CREDENTIALS_DIRECTORY) else {
        table.problems.report_with(
            name.location,
            format!("systemd passes no credentials ({CREDENTIALS_DIRECTORY} is not set)"),
            format!("add LoadCredential={}:FILE to the unit", name.value),
        );
        return None;
    };
    from_file(table, &Path::new(&folder).join(&name.value), name.location)
}

/// Applies systemd's rule: a credential is named like a file.
fn is_credential_name(name: &str) -> bool {
    !matches!(name, "." | "..") && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/')
}

fn from_configuration(table: &Table<'_>, text: Located<String>, keys: &SecretKeys) -> Option<SecretText> {
    if let Some(exposure) = table.file.exposure {
        let (how, hint) = exposure.explain(&table.file.path);
        let hint = format!("use {}, or {hint}", keys.file);
        table.problems.report_with(text.location, format!("{} is a secret, but this file {how}", keys.plain), hint);
        return None;
    }
    Some(SecretText { text: text.value, location: text.location, file: None })
}
