//! `banhook plugin wit`: writes the plugin interface, as it is compiled into banhook.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;

use crate::cli::command_error::{CommandError, Outcome};

/// The files of `wit/`.
pub(super) const FILES: [(&str, &str); 5] = [
    ("exports.wit", include_str!("../../../../wit/exports.wit")),
    ("imports.wit", include_str!("../../../../wit/imports.wit")),
    ("messages.wit", include_str!("../../../../wit/messages.wit")),
    ("types.wit", include_str!("../../../../wit/types.wit")),
    ("worlds.wit", include_str!("../../../../wit/worlds.wit")),
];

/// Write the plugin interface, WIT files whose comments are the reference
#[derive(Debug, Args)]
pub(super) struct WitArgs {
    /// Directory for the files
    #[arg(default_value = "wit", value_name = "DIR")]
    directory: PathBuf,
    /// Replace files that have another content
    #[arg(long)]
    overwrite: bool,
}

/// Writes the files; none, if one of them is there with another content.
pub(super) fn wit(arguments: &WitArgs) -> Outcome {
    let WitArgs { directory, overwrite } = arguments;
    if !overwrite {
        check(directory).map_err(CommandError::Input)?;
    }
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot create {}", directory.display()))
        .map_err(CommandError::Input)?;
    for (name, text) in FILES {
        let file = directory.join(name);
        fs::write(&file, text)
            .with_context(|| format!("cannot write {}", file.display()))
            .map_err(CommandError::Input)?;
        writeln!(io::stdout(), "{}", file.display())?;
    }
    Ok(true)
}

fn check(directory: &Path) -> anyhow::Result<()> {
    for (name, text) in FILES {
        let file = directory.join(name);
        match fs::read_to_string(&file) {
            Ok(found) if found != text => {
                bail!("{} is there with another content; replace it with --overwrite", file.display())
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot read {}", file.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_all_of_the_interface() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name.ends_with(".wit")).collect();
        names.sort();
        assert_eq!(names, FILES.map(|(name, _)| name));
    }
}
