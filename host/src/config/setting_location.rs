//! Where a line of a route's setting is in the configuration: a plugin knows only the setting's text.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Returns `config.toml:12`, the place of a line of a setting, counted from 1; `None` if none of the files has it.
#[must_use]
pub(crate) fn setting_location<'p>(
    files: impl IntoIterator<Item = &'p Path>,
    route: &str,
    setting: &str,
    line: usize,
) -> Option<String> {
    files.into_iter().find_map(|file| {
        let text = std::fs::read_to_string(file).ok()?;
        let first = first_line(&text, route, setting)?;
        Some(format!("{}:{}", file.display(), first + line.saturating_sub(1)))
    })
}

/// The line on which the text of a setting begins.
fn first_line(text: &str, route: &str, setting: &str) -> Option<usize> {
    let (table, _) = DeTable::parse_recoverable(text);
    let table = table.into_inner();
    let routes: Vec<&DeTable<'_>> =
        table.get("routes")?.get_ref().as_array()?.iter().filter_map(|route| route.get_ref().as_table()).collect();
    let is_named = |table: &&&DeTable<'_>| {
        let of = |key: &str| table.get(key).and_then(|name: &Spanned<DeValue<'_>>| name.get_ref().as_str());
        // A route without a name has its webhook's.
        of("name").or_else(|| of("webhook")).map_or(routes.len() == 1, |name| name == route)
    };
    let value = routes.iter().find(is_named)?.get("settings")?.get_ref().as_table()?.get(setting)?;
    let start = value.span().start;
    let written = text.get(start..)?;
    let line = text.get(..start)?.matches('\n').count() + 1;
    // TOML drops a line break right after the quotes.
    let is_below = ["\"\"\"", "\'\'\'"].into_iter().any(|quotes| {
        written.strip_prefix(quotes).is_some_and(|text| text.starts_with('\n') || text.starts_with("\r\n"))
    });
    Some(line + usize::from(is_below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_location_counts_lines_of_the_text() {
        let text = "[[routes]]\nname = \"a\"\n[routes.settings]\nban = \"x\"\n\n[[routes]]\nwebhook = \"b\"\n\
            settings.ban = \"\"\"\none\ntwo\"\"\"\nsettings.stop = \'\'\'one\ntwo\'\'\'\n";
        let folder = tempfile::tempdir().unwrap();
        let (other, file) = (folder.path().join("other.toml"), folder.path().join("config.toml"));
        std::fs::write(&other, "[webhooks.b]\n").unwrap();
        std::fs::write(&file, text).unwrap();
        let found = |route, setting, line| {
            let found = setting_location([other.as_path(), file.as_path()], route, setting, line)?;
            found.strip_prefix(&format!("{}:", file.display())).map(str::to_owned)
        };
        assert_eq!(found("a", "ban", 1).as_deref(), Some("4"));
        assert_eq!(found("b", "ban", 2).as_deref(), Some("10"));
        assert_eq!(found("b", "stop", 2).as_deref(), Some("12"));
        assert_eq!(found("a", "stop", 1), None);
        assert_eq!(found("c", "ban", 1), None);
    }
}
