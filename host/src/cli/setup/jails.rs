//! The actions of fail2ban's jails as the next restart reads them, and as it would read them with other files: fail2ban's own
//! client reads them each time, so that nothing here has to know its rules.
//!
//! Other files are laid over fail2ban's configuration in a directory of links, so nothing is written to find out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::cli::doctor::{configuration_error, configured_action, is_ours};
use crate::receive::fail2ban_client::{NoAnswer, ask};

/// How long the client may take to read the configuration.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// The directories in which other files are laid over fail2ban's.
const FOLDERS: [&str; 2] = ["action.d", "jail.d"];

/// What the client prints of a configuration: for each line a command for the server.
#[derive(Debug, Clone)]
pub(crate) struct JailConfiguration {
    lines: Vec<String>,
}

impl JailConfiguration {
    /// Reads a configuration. `replaced`: files below it, such as `jail.d/banhook.conf`, with another text, or that are not
    /// there (`None`).
    ///
    /// # Errors
    /// Why it is not known.
    pub(crate) fn read(folder: &Path, replaced: &[(&str, Option<&str>)]) -> Result<Self, NoAnswer> {
        let failed = |error: io::Error| NoAnswer::Refused(error.to_string());
        let overlay = overlay(folder, replaced).map_err(failed)?;
        let shown = overlay.path().to_str().ok_or_else(|| NoAnswer::Refused("a path is not UTF-8".to_owned()))?;
        let dump = ask(&["-c", shown, "-d"], ANSWER_LIMIT)?;
        if let Some(error) = configuration_error(&dump) {
            return Err(NoAnswer::Refused(format!("fail2ban's configuration has an error: {error}")));
        }
        let folder = folder.display().to_string();
        Ok(Self { lines: dump.lines().map(|line| line.replace(shown, &folder)).collect() })
    }

    /// Returns the names of the enabled jails.
    pub(crate) fn jails(&self) -> BTreeSet<&str> {
        self.lines
            .iter()
            .filter_map(|line| line.strip_prefix("['add', '")?.split_once('\''))
            .map(|(jail, _)| jail)
            .collect()
    }

    /// Returns the jails that have banhook's action.
    pub(crate) fn with_ours(&self) -> BTreeSet<&str> {
        let actions = self.lines.iter().filter_map(|line| configured_action(line));
        actions.filter(|(_, action)| is_ours(action, "")).map(|(jail, _)| jail).collect()
    }

    /// Returns whether another configuration is the same but for banhook's action in some jails.
    pub(crate) fn is_same_but_for_ours(&self, other: &Self) -> bool {
        self.others().eq(other.others())
    }

    /// The lines that are not about banhook's action.
    fn others(&self) -> impl Iterator<Item = &str> {
        let is_of_ours = |line: &str| {
            let settings = line.strip_prefix("['multi-set', '").and_then(|line| line.split_once("', 'action', '"));
            let set_up = settings.and_then(|(_, rest)| rest.split_once('\'')).map(|(action, _)| action);
            configured_action(line).map(|(_, action)| action).or(set_up).is_some_and(|action| is_ours(action, ""))
        };
        self.lines.iter().map(String::as_str).filter(move |line| !is_of_ours(line))
    }
}

/// Makes a directory that fail2ban reads as it reads `folder`, with other texts of some files.
fn overlay(folder: &Path, replaced: &[(&str, Option<&str>)]) -> io::Result<TempDir> {
    let folder = folder.canonicalize()?;
    let overlay = tempfile::Builder::new().prefix("banhook-setup-").tempdir()?;
    link_all(&folder, overlay.path(), |name| FOLDERS.contains(&name))?;
    for inner in FOLDERS {
        let is_replaced = |name: &str| replaced.iter().any(|(path, _)| path.split_once('/') == Some((inner, name)));
        fs::create_dir(overlay.path().join(inner))?;
        if folder.join(inner).is_dir() {
            link_all(&folder.join(inner), &overlay.path().join(inner), is_replaced)?;
        }
    }
    for (path, text) in replaced {
        text.map_or(Ok(()), |text| fs::write(overlay.path().join(path), text))?;
    }
    Ok(overlay)
}

fn link_all(from: &Path, to: &Path, is_left_out: impl Fn(&str) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if !entry.file_name().to_str().is_some_and(&is_left_out) {
            symlink(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// A line of fail2ban's configuration of jails.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    file: PathBuf,
    number: usize,
    section: String,
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}, under [{}]", self.file.display(), self.number, self.section)
    }
}

/// Returns the jails by the lines that set their `action`: the last one in the jail's own section, or else under
/// `[DEFAULT]`.
pub(crate) fn by_action_setting<'a>(
    folder: &Path,
    jails: impl IntoIterator<Item = &'a str>,
) -> BTreeMap<Option<Line>, Vec<&'a str>> {
    let mut last = BTreeMap::new();
    for (file, text) in jail_files(folder) {
        let mut section = "";
        for (index, line) in text.lines().enumerate() {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
                section = name.trim();
            } else if line.strip_prefix("action").is_some_and(|rest| rest.trim_start().starts_with(['=', ':'])) {
                let (file, section) = (file.clone(), section.to_owned());
                last.insert(section.clone(), Line { file, number: index + 1, section });
            }
        }
    }
    let mut by_line: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for jail in jails {
        by_line.entry(last.get(jail).or_else(|| last.get("DEFAULT")).cloned()).or_default().push(jail);
    }
    by_line
}

/// Returns the first line that names banhook's action, apart from comments; also of jails that are not enabled.
pub(crate) fn naming_ours(folder: &Path) -> Option<String> {
    jail_files(folder)
        .into_iter()
        .find_map(|(file, text)| Some(format!("{}:{}", file.display(), text.lines().position(names_ours)? + 1)))
}

fn names_ours(line: &str) -> bool {
    let mut words = line.split(|char: char| char.is_whitespace() || "=:".contains(char));
    !line.trim_start().starts_with(['#', ';']) && words.any(|word| word.split('[').next() == Some("banhook"))
}

/// The files of jails, in the order in which fail2ban reads them.
fn jail_files(folder: &Path) -> Vec<(PathBuf, String)> {
    let listed = fs::read_dir(folder.join("jail.d")).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut further: Vec<_> = listed.collect();
    further.sort();
    let ending = |wanted: &str| {
        let is_wanted = move |path: &&PathBuf| path.extension().is_some_and(|extension| extension == wanted);
        further.iter().filter(is_wanted).cloned().collect::<Vec<_>>()
    };
    let mut files = vec![folder.join("jail.conf")];
    files.extend(ending("conf"));
    files.push(folder.join("jail.local"));
    files.extend(ending("local"));
    files
        .into_iter()
        .filter_map(|file| fs::read(&file).ok().map(|text| (file, String::from_utf8_lossy(&text).into_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_action_setting_is_the_last_of_the_jail_or_else_of_the_default() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        write("jail.conf", "[DEFAULT]\naction_ = x\naction = %(action_)s\n[recidive]\naction: y\n");
        write("jail.d/b.local", "[ssh]\n# action = no\naction=z\n");
        write("jail.d/a.conf", "[DEFAULT]\n\naction = %(action_mw)s\n");
        write("jail.local", "[ssh]\n# banhook\naction = y[x=\"/banhook /x/banhook\"]\n   banhook[a=b]\n");
        let found = by_action_setting(folder.path(), ["ssh", "recidive", "other"]);
        let shown: Vec<_> = found.into_iter().map(|(line, jails)| format!("{} {jails:?}", line.unwrap())).collect();
        let at = folder.path().display();
        assert_eq!(
            shown,
            [
                format!("{at}/jail.conf:5, under [recidive] [\"recidive\"]"),
                format!("{at}/jail.d/a.conf:3, under [DEFAULT] [\"other\"]"),
                format!("{at}/jail.d/b.local:3, under [ssh] [\"ssh\"]"),
            ]
        );
        assert_eq!(naming_ours(folder.path()), Some(format!("{at}/jail.local:4")));
    }
}
