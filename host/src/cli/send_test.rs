//! `banhook send-test`: a marked message to each webhook, past the queue and the ledger.

use std::io::Write as _;

use anyhow::{Context as _, anyhow};
use clap::Args;

use crate::deliver::{Client, Endpoints};
use crate::event::Timestamp;
use crate::message::notice;
use crate::phrase::listed;

use super::command_error::{CommandError, Outcome, print_stderr};
use super::global_options::{GlobalOptions, host_name};

/// Send a test message to each webhook, without banning anybody; exit code 1 if one does not accept it
///
/// The messages say that they are a test. They are sent at once, and are not in the queue, the ledger or the history.
#[derive(Debug, Args)]
pub(super) struct SendTestArgs {
    /// Only to this webhook
    #[arg(long, value_name = "NAME")]
    webhook: Option<String>,
}

/// Sends the messages, one after the other.
pub(super) fn send_test(global: &GlobalOptions, arguments: &SendTestArgs) -> Outcome {
    let config = global.config()?;
    let host = config.event_defaults(&host_name()).host;
    if config.is_fleet_host() {
        return Err(CommandError::Input(anyhow!(
            "this host belongs to a fleet, whose worker has the webhooks; run this there, and `banhook fleet status` here"
        )));
    }
    let mut endpoints = Endpoints::new(&config, &host).webhooks;
    if let Some(only) = &arguments.webhook {
        if !endpoints.contains_key(only) {
            let names = listed(endpoints.keys().map(String::as_str), "and");
            return Err(CommandError::Input(anyhow!(
                "no webhook has the name \"{only}\"; the configuration names {names}"
            )));
        }
        endpoints.retain(|name, _| name == only);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    let client = Client::new();
    let mut all_accepted = true;
    for (name, (endpoint, policy)) in &endpoints {
        let text = format!("🔔 Test of the webhook \"{name}\" by banhook on {host}. Nobody was banned.");
        let body = notice(&text, "sent by \"banhook send-test\"", policy.target).to_json_string();
        match runtime.block_on(client.post_unqueued(endpoint, body, Timestamp::now)) {
            Ok(()) => writeln!(std::io::stdout(), "webhook \"{name}\": {} accepted the message", policy.target.name())?,
            Err(error) => {
                all_accepted = false;
                print_stderr(&format!("webhook \"{name}\": not delivered: {error}"));
            }
        }
    }
    Ok(all_accepted)
}
