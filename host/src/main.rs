//! The `banhook` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    banhook::cli::main()
}
