//! Reads the grants of a route: `[routes.grants]`. [`crate::plugin`] says which interfaces exist and how each is granted.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use super::problem::{may_be_url, quoted};
use super::reader::{Located, Table};
use crate::plugin::{Grant, GrantSyntax, Grants, grantable};

/// Reads `[routes.grants]`; a grant that is wrong is ignored after it is reported.
pub(super) fn read(route: &Table<'_>) -> Grants {
    let Some(table) = route.table("grants", "[routes.grants]") else { return Grants::default() };
    let grants = grantable().into_iter().filter_map(|(name, syntax)| Some((name, grant(&table, name, syntax)?)));
    let grants = grants.collect();
    table.finish(&[]);
    grants
}

fn grant(table: &Table<'_>, name: &'static str, syntax: GrantSyntax) -> Option<Grant> {
    match syntax {
        GrantSyntax::Switch => Some(if table.bool(name)? { Grant::Given } else { Grant::Refused }),
        GrantSyntax::Files { kind, .. } => {
            let Some(files) = table.strings_or_false(name, &format!("a list of {kind}, or false"))? else {
                return Some(Grant::Refused);
            };
            Some(Grant::Files(readable(table, name, files)))
        }
    }
}

/// The paths of the files that can be read; the others are reported.
pub(super) fn readable(table: &Table<'_>, key: &str, files: Located<Vec<Located<String>>>) -> Vec<PathBuf> {
    files.value.into_iter().filter_map(|found| file(table, key, found)).collect()
}

/// The path of a file that can be read. Its content is read when the plugin is loaded.
fn file(table: &Table<'_>, key: &str, name: Located<String>) -> Option<PathBuf> {
    if may_be_url(&name.value) {
        table
            .problems
            .report(name.location, format!("{key}: expected the name of a file, found {}", quoted(&name.value)));
        return None;
    }
    let path = table.file.resolve(&name.value);
    let shown = path.display();
    let opened = match path.metadata() {
        Ok(found) if !found.is_file() => Err(io::Error::other("it is not a file")),
        Ok(_) => File::open(&path).map(drop),
        Err(error) => Err(error),
    };
    match opened {
        Ok(()) => return Some(path),
        Err(error) => table.problems.report_unreadable(name.location, format!("{key}: {shown}"), &path, &error),
    }
    None
}
