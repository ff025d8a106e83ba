//! `banhook plugin build`: builds the plugin in a directory, in whatever language it is.

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::toolchain::{PRODUCT, build as commands_of, finish, install, language};
use crate::cli::command_error::{CommandError, Outcome};

/// Build the plugin in a directory into plugin.wasm
#[derive(Debug, Args)]
pub(super) struct BuildArgs {
    /// The plugin's directory
    #[arg(default_value = ".", value_name = "DIR")]
    directory: PathBuf,
    /// Get missing tools, in pinned versions, into the plugin's directory
    #[arg(long)]
    install_tools: bool,
}

/// Builds the plugin; `Ok(false)` if its source has a mistake, which the compiler has said.
pub(super) fn build(arguments: &BuildArgs) -> Outcome {
    let directory = &arguments.directory;
    let language = language(directory).map_err(CommandError::Input)?;
    let mut found = commands_of(directory, language).map_err(CommandError::Input)?;
    if let Err(missing) = &found
        && arguments.install_tools
    {
        install(directory, missing).map_err(CommandError::Input)?;
        found = commands_of(directory, language).map_err(CommandError::Input)?;
    }
    let commands = found.map_err(|missing| CommandError::Input(missing.error()))?;
    for mut command in commands {
        let status = command
            .current_dir(directory)
            .status()
            .with_context(|| format!("cannot start {}", command.get_program().display()))
            .map_err(CommandError::Input)?;
        if !status.success() {
            return Ok(false);
        }
    }
    finish(directory, language).map_err(CommandError::Input)?;
    let product = directory.join(PRODUCT);
    let size = product.metadata().with_context(|| format!("cannot read {}", product.display()))?.len();
    writeln!(io::stdout(), "{}: {size} bytes", product.display())?;
    Ok(true)
}
