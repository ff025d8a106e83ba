//! Where a webhook's URL comes from: a file, an environment variable, a systemd credential, or the configuration.
//!
//! A URL in a file that every user of the host can read is not a secret; [`UrlText`] notes it, and the webhook decides (for
//! a URL on loopback, a warning is enough).

use std::path::{Path, PathBuf};

use super::problem::{Location, quoted};
use super::reader::{Located, Table};
use super::text_file::TextFile;
use crate::phrase::listed;

/// The variable that systemd sets for units with `LoadCredential=`: a folder with a file for each credential.
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// How environment variables are looked up: handed in, so that tests set none.
pub(crate) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A URL that is not checked yet, and where it was found. A secret: no `Debug`.
pub(super) struct UrlText {
    pub(super) text: String,
    /// The location of the key that names it.
    pub(super) location: Location,
    /// Message and hint if the URL must be secret: set when other users can read the file that it is in.
    pub(super) exposed: Option<(String, String)>,
    /// The file that contains it, if that is not the configuration.
    pub(super) file: Option<PathBuf>,
}

/// Reads the one of the four keys that is set; reports none, several, and a URL that cannot be read.
pub(super) fn read(table: &Table<'_>, env: Env<'_>) -> Option<UrlText> {
    let file = table.reference("url_file", "the name of a file that holds the URL");
    let variable = table.reference("url_env", "the name of an environment variable");
    let credential = table.reference("url_credential", "the name of a systemd credential");
    let plain = table.string("url");
    if !exactly_one(table) {
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
    plain.map(|url| from_configuration(table, url))
}

fn exactly_one(table: &Table<'_>) -> bool {
    const KEYS: [&str; 4] = ["url_file", "url_env", "url_credential", "url"];
    let set: Vec<_> =
        KEYS.into_iter().filter_map(|key| table.key_location(key).map(|location| (key, location))).collect();
    match set.as_slice() {
        [_] => true,
        [] => {
            table.problems.report_with(
                table.location.clone(),
                format!("{} has no URL", table.title),
                "add url_file = \"FILE\", url_env = \"VARIABLE\" or url_credential = \"NAME\"",
            );
            false
        }
        several => {
            let keys = listed(several.iter().map(|(key, _)| *key), "and");
            let message = format!("{} has more than one URL: {keys}", table.title);
            table.problems.report_with(table.location.clone(), message, "keep one of them");
            false
        }
    }
}

fn from_file(table: &Table<'_>, path: &Path, location: Location) -> Option<UrlText> {
    let file = match TextFile::read(path) {
        Ok(file) => file,
        Err(error) => {
            table.problems.report(location, format!("cannot read {}: {error}", path.display()));
            return None;
        }
    };
    let exposed = file.open_to_others.map(|mode| {
        let path = path.display();
        let message =
            format!("{path} contains a secret, but is accessible to every user of this host (mode {mode:04o})");
        (message, format!("run: chmod o-rwx {path}"))
    });
    Some(UrlText { text: file.text.trim_end().to_owned(), location, exposed, file: Some(path.to_owned()) })
}

fn from_variable(table: &Table<'_>, env: Env<'_>, name: Located<String>) -> Option<UrlText> {
    match env(&name.value).filter(|text| !text.is_empty()) {
        Some(text) => {
            Some(UrlText { text: text.trim_end().to_owned(), location: name.location, exposed: None, file: None })
        }
        None => {
            table
                .problems
                .report(name.location, format!("the environment variable {} is not set", quoted(&name.value)));
            None
        }
    }
}

fn from_credential(table: &Table<'_>, env: Env<'_>, name: Located<String>) -> Option<UrlText> {
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

fn from_configuration(table: &Table<'_>, url: Located<String>) -> UrlText {
    let exposed = table.file.open_to_others.map(|mode| {
        let message =
            format!("url is a secret, but this file is accessible to every user of this host (mode {mode:04o})");
        let hint = format!("use url_file, or run: chmod o-rwx {}", table.file.path.display());
        (message, hint)
    });
    UrlText { text: url.value, location: url.location, exposed, file: None }
}
