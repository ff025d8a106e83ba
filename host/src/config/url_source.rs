//! Where a webhook's URL comes from: a file, an environment variable, a systemd credential, or the configuration.
//!
//! What comes from a file that every user of the host can read is no secret any more; [`UrlText`] remembers it, and
//! the webhook decides (a URL on loopback may lie open, with a warning).

use std::path::{Path, PathBuf};

use super::Env;
use super::problem::{Location, quoted};
use super::reader::{Located, Table};
use super::source::Source;
use crate::phrase::listed;

/// Set by systemd for units with `LoadCredential=`: the folder that holds a file for each.
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// A URL, not checked yet, and how it was found. A secret: no `Debug`.
pub(super) struct UrlText {
    pub(super) text: String,
    /// Of the key that named it.
    pub(super) place: Location,
    /// What is wrong if the URL has to be secret, and what to do: set when others can read the file it is in.
    pub(super) exposed: Option<(String, String)>,
    /// The file that it stands in, if that is not the configuration.
    pub(super) file: Option<PathBuf>,
}

/// Reads the one of the four keys that is set; reports none, several, and what cannot be read.
pub(super) fn read(table: &Table<'_>, env: Env<'_>) -> Option<UrlText> {
    let file = table.reference("url_file", "the name of a file that holds the URL");
    let variable = table.reference("url_env", "the name of an environment variable");
    let credential = table.reference("url_credential", "the name of a systemd credential");
    let plain = table.string("url");
    if !exactly_one(table) {
        return None;
    }
    if let Some(name) = file {
        return from_file(table, &table.source.beside(&name.value), name.place);
    }
    if let Some(name) = variable {
        return from_variable(table, env, name);
    }
    if let Some(name) = credential {
        return from_credential(table, env, name);
    }
    plain.map(|url| from_configuration(table, url))
}

fn exactly_one(table: &Table<'_>) -> bool {
    const KEYS: [&str; 4] = ["url_file", "url_env", "url_credential", "url"];
    let set: Vec<_> = KEYS.into_iter().filter_map(|key| table.key_place(key).map(|place| (key, place))).collect();
    match set.as_slice() {
        [_] => true,
        [] => {
            table.problems.report_with(
                table.place.clone(),
                format!("{} has no URL", table.title),
                "add url_file = \"FILE\", url_env = \"VARIABLE\" or url_credential = \"NAME\"",
            );
            false
        }
        several => {
            let keys = listed(several.iter().map(|(key, _)| *key), "and");
            let message = format!("{} has more than one URL: {keys}", table.title);
            table.problems.report_with(table.place.clone(), message, "keep one of them");
            false
        }
    }
}

fn from_file(table: &Table<'_>, path: &Path, place: Location) -> Option<UrlText> {
    let file = match Source::read(path) {
        Ok(file) => file,
        Err(error) => {
            table.problems.report(place, format!("cannot read {}: {error}", path.display()));
            return None;
        }
    };
    let exposed = file.open_to_others.map(|mode| {
        let path = path.display();
        let message = format!("{path} holds a secret, but is open to every user of this host (mode {mode:04o})");
        (message, format!("run: chmod o-rwx {path}"))
    });
    Some(UrlText { text: file.text.trim_end().to_owned(), place, exposed, file: Some(path.to_owned()) })
}

fn from_variable(table: &Table<'_>, env: Env<'_>, name: Located<String>) -> Option<UrlText> {
    match env(&name.value).filter(|text| !text.is_empty()) {
        Some(text) => Some(UrlText { text: text.trim_end().to_owned(), place: name.place, exposed: None, file: None }),
        None => {
            table.problems.report(name.place, format!("the environment variable {} is not set", quoted(&name.value)));
            None
        }
    }
}

fn from_credential(table: &Table<'_>, env: Env<'_>, name: Located<String>) -> Option<UrlText> {
    if !is_credential_name(&name.value) {
        let message = format!("{} is not the name of a systemd credential", quoted(&name.value));
        table.problems.report(name.place, message);
        return None;
    }
    let Some(folder) = env(CREDENTIALS_DIRECTORY) else {
        table.problems.report_with(
            name.place,
            format!("systemd has passed no credentials ({CREDENTIALS_DIRECTORY} is not set)"),
            format!("add LoadCredential={}:FILE to the unit", name.value),
        );
        return None;
    };
    from_file(table, &Path::new(&folder).join(&name.value), name.place)
}

/// systemd's rule: fit to be a file's name.
fn is_credential_name(name: &str) -> bool {
    !matches!(name, "." | "..") && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/')
}

fn from_configuration(table: &Table<'_>, url: Located<String>) -> UrlText {
    let exposed = table.source.open_to_others.map(|mode| {
        let message = format!("url is a secret, but this file is open to every user of this host (mode {mode:04o})");
        let hint = format!("use url_file, or run: chmod o-rwx {}", table.source.path.display());
        (message, hint)
    });
    UrlText { text: url.value, place: url.place, exposed, file: None }
}
