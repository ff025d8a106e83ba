//! `banhook slack manifest`: what creates a Slack app with exactly the scopes that are needed.

use std::io::Write as _;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use url::Url;

use super::command_error::Outcome;

/// Set up a Slack app, for the target "slack-app"
#[derive(Debug, Args)]
pub(super) struct SlackArgs {
    #[command(subcommand)]
    command: SlackCommand,
}

#[derive(Debug, Subcommand)]
enum SlackCommand {
    Manifest(ManifestArgs),
}

/// Print the manifest of an app that may post to channels, and the link that creates it
///
/// Whoever opens the link sees the app's name and its scopes before it exists. banhook itself connects to nothing.
#[derive(Debug, Args)]
struct ManifestArgs {
    /// The app's name, which its messages show
    #[arg(long, value_name = "NAME", default_value = "banhook")]
    name: String,
    /// With the scopes that check_history needs, which can read the channels that the app is in
    #[arg(long)]
    history: bool,
    /// Only the manifest, as JSON
    #[arg(long)]
    json: bool,
}

/// What posting, changing and replying need, also in public channels that the app was not invited to.
const SCOPES: [&str; 2] = ["chat:write", "chat:write.public"];

/// What `check_history` needs as well: the messages of public and private channels, and the ids in those of the app.
const HISTORY_SCOPES: [&str; 3] = ["channels:history", "groups:history", "metadata.message:read"];

/// Where Slack creates an app.
const NEW_APP: &str = "https://api.slack.com/apps";

/// Slack's limits for an app's names.
const NAME_MAX: usize = 35;

/// Runs a command about Slack.
pub(super) fn slack(arguments: &SlackArgs) -> Outcome {
    let SlackCommand::Manifest(ManifestArgs { name, history, json }) = &arguments.command;
    let manifest = manifest(name, *history);
    let mut out = std::io::stdout();
    let text = serde_json::to_string_pretty(&manifest).context("write the manifest")?;
    if *json {
        writeln!(out, "{text}")?;
        return Ok(true);
    }
    let link = Url::parse_with_params(NEW_APP, [("new_app", "1"), ("manifest_json", &manifest.to_string())])
        .context("write the link")?;
    // A space, whoever reads it.
    let link = link.as_str().replace('+', "%20");
    writeln!(
        out,
        "{text}\n\nOpen this link, choose the workspace, and create the app:\n\n{link}\n\n\
         Then, on the app's pages:\n\
         1. Install App: install it to the workspace, and copy the \"Bot User OAuth Token\" (xoxb-…) into\n   /etc/banhook/slack.token, which only root and the user of banhook may read.\n\
         2. In a private channel: /invite @{}\n\
         3. In banhook's configuration:\n\n\
         [webhooks.main]\n\
         target = \"slack-app\"\n\
         token_file = \"slack.token\"\n\
         channel = \"#alerts\"\n\n\
         4. banhook config check && banhook send-test",
        short(name)
    )?;
    Ok(true)
}

/// Returns a name as Slack takes it.
fn short(name: &str) -> String {
    name.trim().chars().take(NAME_MAX).collect()
}

fn manifest(name: &str, history: bool) -> Value {
    let name = short(name);
    let more: &[&str] = if history { &HISTORY_SCOPES } else { &[] };
    let scopes = [&SCOPES, more].concat();
    json!({
        "display_information": { "name": name, "description": "Alerts of fail2ban" },
        "features": { "bot_user": { "display_name": name, "always_online": true } },
        "oauth_config": { "scopes": { "bot": scopes } },
        "settings": {
            "org_deploy_enabled": false,
            "socket_mode_enabled": false,
            "token_rotation_enabled": false,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifest_asks_for_nothing_but_posting() {
        let manifest = manifest(" Ban alerts ", false);
        assert_eq!(manifest["oauth_config"], json!({ "scopes": { "bot": ["chat:write", "chat:write.public"] } }));
        assert_eq!(manifest["display_information"]["name"], "Ban alerts");
        assert_eq!(super::manifest(&"x".repeat(99), false)["display_information"]["name"], "x".repeat(NAME_MAX));
        let with_history = super::manifest("a", true)["oauth_config"]["scopes"]["bot"].clone();
        assert_eq!(with_history.as_array().unwrap().len(), 5, "{with_history}");
    }
}
