//! `banhook plugin new`: makes the directory of a new plugin.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::Args;

use super::scaffold::{Language, Uses, files};
use crate::cli::command_error::{CommandError, Outcome};

/// Characters of a plugin's name.
const NAME_MAX: usize = 64;

/// Make the directory of a new plugin: source, interface, pinned tools, cases, README
#[derive(Debug, Args)]
pub(super) struct NewArgs {
    /// The plugin's name and directory: lower-case letters, digits and -
    name: String,
    /// Language
    #[arg(long, value_enum)]
    lang: Language,
    /// Let the plugin query past bans
    #[arg(long)]
    history: bool,
    /// Let it look up where addresses are registered
    #[arg(long)]
    geo: bool,
    /// Let it decide on digests
    #[arg(long)]
    digest: bool,
    /// Let it describe and check its settings
    #[arg(long)]
    check: bool,
}

/// Makes the directory. It must not exist, so nothing is overwritten.
pub(super) fn new(arguments: &NewArgs) -> Outcome {
    let NewArgs { name, lang, history, geo, digest, check } = arguments;
    check_name(name).map_err(CommandError::Input)?;
    let uses = Uses { history: *history, geo: *geo, digest: *digest, check: *check };
    write(Path::new(name), &files(name, *lang, uses)).map_err(CommandError::Input)?;
    let mut out = io::stdout();
    writeln!(out, "The plugin is in {name}/{}, its cases in {name}/cases. Next:", lang.source())?;
    for line in [
        format!("cd {name}").as_str(),
        "banhook plugin build --install-tools",
        "banhook test plugin.wasm",
        "banhook plugin dev",
    ] {
        writeln!(out, "  {line}")?;
    }
    Ok(true)
}

/// Checks a name that becomes that of a directory, a crate and a package of npm.
fn check_name(name: &str) -> anyhow::Result<()> {
    let is_right = name.starts_with(|char: char| char.is_ascii_lowercase())
        && name.len() <= NAME_MAX
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    ensure!(is_right, "\"{name}\" is not a valid plugin name; use at most {NAME_MAX} lower-case letters, digits and -");
    Ok(())
}

fn write(directory: &Path, files: &[(String, Vec<u8>)]) -> anyhow::Result<()> {
    if let Err(error) = fs::create_dir(directory) {
        let shown = directory.display();
        if error.kind() == io::ErrorKind::AlreadyExists {
            bail!("{shown} exists; nothing was changed. Choose another name, or remove it");
        }
        return Err(error).with_context(|| format!("cannot create {shown}"));
    }
    for (path, content) in files {
        let path: PathBuf = directory.join(path);
        let write = || {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            OpenOptions::new().write(true).create_new(true).open(&path)?.write_all(content)
        };
        write().with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_fits_a_crate_and_a_package_of_npm() {
        for name in ["a", "my-plugin", "p2"] {
            check_name(name).unwrap();
        }
        for name in ["", "My", "2p", "a/b", "../x", "a_b", "-a", "ä", &"a".repeat(65)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
