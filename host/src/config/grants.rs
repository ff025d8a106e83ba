//! What a route's plugin may ask the host: `[routes.grants]`.
//!
//! Saying nothing and saying no differ: a plugin that imports what is not mentioned is refused when it is loaded, so
//! that nobody wonders why it knows nothing; `false` lets it run and answers nothing.

use std::fs::File;
use std::path::PathBuf;

use super::problem::{may_be_url, quoted};
use super::reader::{Located, Table};

/// What the configuration says of one thing that a plugin may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Grant<T> {
    /// Nothing: a plugin that imports it is refused.
    #[default]
    Absent,
    /// `false`: a plugin may import it, and gets no answer.
    Refused,
    /// It may ask.
    Given(T),
}

/// What a route's plugin may ask the host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants {
    /// The bans that this route has seen.
    pub history: Grant<()>,
    /// Country and network of an address, from these MMDB files (at least one). Absolute paths to regular files that
    /// could be read when the configuration was.
    pub geo: Grant<Vec<PathBuf>>,
}

impl Grants {
    /// Reads `[routes.grants]`; what is wrong is as if it was not there.
    pub(super) fn read(route: &Table<'_>) -> Self {
        let Some(table) = route.table("grants", "[routes.grants]") else { return Self::default() };
        let history = match table.bool("history") {
            Some(true) => Grant::Given(()),
            Some(false) => Grant::Refused,
            None => Grant::Absent,
        };
        let geo = match table.strings_or_false("geo", "a list of MMDB files, or false") {
            Some(Some(files)) => Grant::Given(files.value.into_iter().filter_map(|file| mmdb(&table, file)).collect()),
            Some(None) => Grant::Refused,
            None => Grant::Absent,
        };
        table.finish(&[]);
        Self { history, geo }
    }
}

/// The path of a file that can be read. What is in it is looked at when the plugin is loaded.
fn mmdb(table: &Table<'_>, name: Located<String>) -> Option<PathBuf> {
    if may_be_url(&name.value) {
        table.problems.report(name.place, format!("geo: expected the name of a file, found {}", quoted(&name.value)));
        return None;
    }
    let path = table.source.beside(&name.value);
    let shown = path.display();
    let message = match path.metadata() {
        Ok(found) if !found.is_file() => format!("geo: {shown} is not a file"),
        Ok(_) => match File::open(&path) {
            Ok(_) => return Some(path),
            Err(error) => format!("geo: cannot read {shown}: {error}"),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => format!("geo: the file {shown} does not exist"),
        Err(error) => format!("geo: cannot read {shown}: {error}"),
    };
    table.problems.report(name.place, message);
    None
}
