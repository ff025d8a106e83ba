//! `banhook compile`: compiles one component for the banhook that started this process.
//!
//! Hidden: banhook starts itself so, since a process of its own bounds the compiler's time and memory.

use clap::Args;

use super::command_error::Outcome;
use crate::plugin::{Metering, compile_for_parent, load_for_parent};

/// Compile the plugin on standard input; banhook starts this command itself
#[derive(Debug, Args)]
pub(super) struct CompileArgs {
    /// What limits the plugin: time or fuel
    #[arg(value_parser = |name: &str| Metering::named(name).ok_or("expected time or fuel"))]
    metering: Metering,
    /// Load the compiled component on standard input; the first step starts this one
    #[arg(long)]
    load: bool,
}

/// Writes the compiled component to standard output.
pub(super) fn compile(arguments: &CompileArgs) -> Outcome {
    if arguments.load {
        load_for_parent(arguments.metering)?
    } else {
        compile_for_parent(arguments.metering)?
    }
    Ok(true)
}
