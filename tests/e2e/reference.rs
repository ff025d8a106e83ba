//! `docs/src/command-line.md` has the help of every command. `cargo xtask reference` writes it.

use std::fs;
use std::process::Command;

use crate::binary::{banhook, root};
use crate::command_output::CommandOutput;

const DOCUMENT: &str = "docs/src/command-line.md";
const BEGIN: &str = "<!-- generated: begin -->\n";
const END: &str = "<!-- generated: end -->\n";

#[test]
fn command_line_reference_has_the_help_of_every_command() {
    let path = root().join(DOCUMENT);
    let document = fs::read_to_string(&path).unwrap();
    let (before, rest) = document.split_once(BEGIN).expect("the document has its marks");
    let (found, after) = rest.split_once(END).expect("the document has its marks");
    let mut expected = String::from("\n");
    add_command(&["banhook"], &mut expected);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
        return;
    }
    assert!(found == expected, "{DOCUMENT} is not up to date: cargo xtask reference");
}

/// Adds a section for a command, and one for each of its subcommands. Hidden ones are in no help and so not found.
fn add_command(command: &[&str], reference: &mut String) {
    let mut program = Command::new(banhook());
    // Help shows the values of environment variables.
    program.args(&command[1..]).arg("--help").env_clear();
    let help = CommandOutput::of(&mut program).ok().stdout;
    let name = command.join(" ");
    let lines: Vec<_> = help.trim_end().lines().map(str::trim_end).collect();
    reference.push_str(&format!("## `{name}`\n\n```console\n$ {name} --help\n{}\n```\n\n", lines.join("\n")));
    for subcommand in subcommands(&lines) {
        add_command(&[command, &[subcommand]].concat(), reference);
    }
}

/// Returns the names below `Commands:`; descriptions continue with a deeper indentation.
fn subcommands<'a>(help: &[&'a str]) -> Vec<&'a str> {
    let commands = help.iter().skip_while(|line| **line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = commands.filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    names.filter_map(|line| line.split(' ').next()).filter(|name| *name != "help").collect()
}
