//! The command `banhook-notify`: `banhook notify`, as a program of its own that starts faster.

use std::process::ExitCode;

use banhook_notify::{NOTIFY_PROGRAM, Notify};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match arguments.first() {
        Some(word) if word == "--version" || word == "-V" => {
            println!("{NOTIFY_PROGRAM} {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Some(word) if word == "--help" || word == "-h" => {
            println!("Usage: {NOTIFY_PROGRAM} KIND [OPTIONS]\n\nAs `banhook notify`, whose help has the options.");
            ExitCode::SUCCESS
        }
        _ => Notify::of(&arguments).run(),
    }
}
