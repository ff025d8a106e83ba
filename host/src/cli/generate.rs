//! `banhook generate`: the man pages and shell completions of a package, from the commands as they are defined.
//!
//! Hidden: `cargo xtask package` runs it.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

use super::command_error::Outcome;

/// Where a package has the completions of each shell.
const COMPLETIONS: [(Shell, &str); 3] = [
    (Shell::Bash, "usr/share/bash-completion/completions/banhook"),
    (Shell::Zsh, "usr/share/zsh/vendor-completions/_banhook"),
    (Shell::Fish, "usr/share/fish/vendor_completions.d/banhook.fish"),
];

/// Write the man pages and shell completions of a package
#[derive(Debug, Args)]
pub(super) struct GenerateArgs {
    /// The folder that stands for `/`
    root: PathBuf,
}

/// Writes them, of every command that is not hidden.
pub(super) fn generate(arguments: &GenerateArgs, command: &clap::Command) -> Outcome {
    let pages = arguments.root.join("usr/share/man/man1");
    fs::create_dir_all(&pages)?;
    clap_mangen::generate_to(command.clone(), pages)?;
    let command = visible(command);
    for (shell, path) in COMPLETIONS {
        let path = arguments.root.join(path);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut command.clone(), env!("CARGO_PKG_NAME"), &mut script);
        fs::write(path, script)?;
    }
    Ok(true)
}

/// Returns the command without the hidden ones, which clap would complete.
fn visible(command: &clap::Command) -> clap::Command {
    clap::Command::new(env!("CARGO_PKG_NAME"))
        .version(env!("CARGO_PKG_VERSION"))
        .args(command.get_arguments().cloned())
        .subcommands(command.get_subcommands().filter(|command| !command.is_hide_set()).cloned())
}
