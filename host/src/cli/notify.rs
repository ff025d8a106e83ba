//! `notify` as clap sees it, for its help and for other commands that take its options; `banhook_notify` has the command.

use banhook_notify::{ActionOption, OPTIONS};
use clap::{Arg, ArgAction};

use crate::event::Kind;

/// Returns an option of `notify` as clap sees it.
pub(super) fn event_option(option: &ActionOption) -> Arg {
    let arg = Arg::new(option.name).long(option.name).help(option.help).required(option.name == ActionOption::JAIL);
    match option.value_name {
        Some(value) => arg.value_name(value),
        None => arg.action(ArgAction::SetTrue),
    }
}

/// `notify` as clap sees it, for its help only: made of the options that the parser itself knows.
#[derive(Debug)]
pub(super) struct NotifyHelp;

impl clap::FromArgMatches for NotifyHelp {
    fn from_arg_matches(_matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self)
    }

    fn update_from_arg_matches(&mut self, _matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        Ok(())
    }
}

impl clap::Args for NotifyHelp {
    fn augment_args(command: clap::Command) -> clap::Command {
        let kinds = Kind::ALL.map(Kind::as_str).join(", ");
        let command = command
            .about("Store one event and return; fail2ban's action runs this command")
            .long_about(
                "Store one event and return; fail2ban's action runs this command\n\n\
                 When it returns, the event is on disk. Only an event without a kind or a jail is an error: a tag that \
                 fail2ban left literal (<bancount>) counts as absent, and so do a bad optional value and an unknown option, \
                 with a warning on stderr and in the system's log.",
            )
            .arg(Arg::new("kind").value_name("KIND").required(true).help(format!("What happened: {kinds}")));
        OPTIONS.iter().fold(command, |command, option| command.arg(event_option(option)))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}
