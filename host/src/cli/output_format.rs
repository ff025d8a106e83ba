//! `--format`: text for people, JSON for programs.

use clap::ValueEnum;

/// What a command prints: text for people, or JSON for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OutputFormat {
    Text,
    Json,
}
