//! `banhook plugin pin`: writes the SHA-256 of a route's plugin into the configuration, so that no other file is used.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use toml::de::DeTable;

use crate::cli::command_error::{CommandError, Outcome};
use crate::cli::global_options::GlobalOptions;
use crate::cli::plugin_file::PluginFile;
use crate::cli::whole_file::write_like;
use crate::config::{Config, PluginSource, Route, config_paths};
use crate::hex::hex;
use crate::phrase::{did_you_mean, listed};
use crate::plugin::Anatomy;

/// The key of a route.
const KEY: &str = "sha256";

/// Write the SHA-256 of a route's plugin into the configuration, so that the route uses no other version
#[derive(Debug, Args)]
pub(super) struct PinArgs {
    /// The route's name
    route: String,
}

/// Pins the plugin that the route has now.
pub(super) fn pin(global: &GlobalOptions, PinArgs { route: name }: &PinArgs) -> Outcome {
    let config = global.config()?;
    let (_, path) = route_with_file(&config, name).map_err(CommandError::Input)?;
    let plugin = PluginFile::read(path).map_err(CommandError::Input)?;
    Anatomy::read(&plugin.bytes)
        .map_err(|error| CommandError::Input(anyhow!("the plugin {} {error}", path.display())))?;
    write_pin(global, &config, name, &hex(&plugin.sha256))?;
    Ok(true)
}

/// Writes the SHA-256 into the route with this name, and says so.
pub(super) fn write_pin(global: &GlobalOptions, config: &Config, name: &str, sha256: &str) -> Result<(), CommandError> {
    let only = config.routes.len() == 1;
    for path in config_paths(&global.config) {
        let written = write(&path, name, only, sha256);
        if written.with_context(|| format!("cannot change {}", path.display())).map_err(CommandError::Input)? {
            writeln!(io::stdout(), "{}: route {name}: {KEY} = \"{sha256}\"", path.display())?;
            return Ok(());
        }
    }
    let line = format!("{KEY} = \"{sha256}\"");
    Err(CommandError::Input(anyhow!(
        "the route {name} is not in a form that can be changed; add this line to it: {line}"
    )))
}

/// Returns the route with this name.
///
/// # Errors
/// When there is none.
pub(super) fn route_named<'c>(config: &'c Config, name: &str) -> anyhow::Result<&'c Route> {
    let names = || config.routes.iter().map(|route| route.name.as_str());
    config.routes.iter().find(|route| route.name == name).with_context(|| {
        let hint = did_you_mean(name, names()).unwrap_or_else(|| format!("the routes are {}", listed(names(), "and")));
        format!("no route is named \"{name}\"; {hint}")
    })
}

/// Returns the route with this name, and the file of its plugin.
///
/// # Errors
/// When there is no such route, or it has the built-in plugin.
pub(super) fn route_with_file<'c>(config: &'c Config, name: &str) -> anyhow::Result<(&'c Route, &'c Path)> {
    let route = route_named(config, name)?;
    let PluginSource::File(path) = &route.plugin else {
        bail!("the route {name} has the built-in plugin, which is a part of banhook");
    };
    Ok((route, path))
}

/// Writes the key into the route with this name, if the file has it in a form that can be changed; `only`: there is no
/// other route.
fn write(path: &Path, name: &str, only: bool, sha256: &str) -> anyhow::Result<bool> {
    let text = fs::read_to_string(path)?;
    let top = DeTable::parse(&text).map_err(|error| anyhow!("{error}"))?;
    let routes = top.get_ref().get("routes").and_then(|routes| routes.get_ref().as_array());
    let mut routes = routes.into_iter().flatten().filter_map(|route| route.get_ref().as_table());
    let Some(change) = routes.find(|route| is_named(route, name, only)).and_then(|route| change(route, &text, sha256))
    else {
        return Ok(false);
    };
    // Into the file that a link leads to.
    let path = path.canonicalize()?;
    write_like(&path, &path, change.as_bytes())?;
    Ok(true)
}

/// Returns whether it is the route with this name: one without a name is named as its webhook, or is the only one.
fn is_named(route: &DeTable<'_>, name: &str, only: bool) -> bool {
    let says = |key: &str| route.get(key).and_then(|value| value.get_ref().as_str());
    match says("name") {
        Some(said) => said == name,
        None => only || says("webhook") == Some(name),
    }
}

/// Returns the text with the key in this route: in place of the one that it has, or in the line after `plugin`. `None` if
/// the route is written in one line.
fn change(route: &DeTable<'_>, text: &str, sha256: &str) -> Option<String> {
    if let Some(old) = route.get(KEY) {
        return Some(format!("{}\"{sha256}\"{}", text.get(..old.span().start)?, text.get(old.span().end..)?));
    }
    let (key, plugin) = route.get_key_value("plugin")?;
    let before = text.get(..key.span().start)?;
    let indent = before.rsplit('\n').next().filter(|indent| indent.trim().is_empty())?;
    let rest = text.get(plugin.span().end..)?;
    let end = plugin.span().end + rest.find('\n').unwrap_or(rest.len());
    Some(format!("{}\n{indent}{KEY} = \"{sha256}\"{}", text.get(..end)?, text.get(end..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn write_keeps_all_but_the_pin() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        let text = "# mine\n[webhooks.a]\nurl = 'x'\n\n[[routes]]\nwebhook = 'a' # first\nplugin = 'p.wasm'\n[routes.settings]\nb = 1\n\n\
                    [[routes]]\nname = \"b\"\nsha256 = \"old\"\n";
        fs::write(&file, text).unwrap();
        assert!(write(&file, "a", false, "new").unwrap());
        assert!(write(&file, "b", false, "newer").unwrap());
        assert!(!write(&file, "c", false, "x").unwrap());
        let expected = text
            .replace("plugin = 'p.wasm'\n", "plugin = 'p.wasm'\nsha256 = \"new\"\n")
            .replace("sha256 = \"old\"", "sha256 = \"newer\"");
        assert_eq!(fs::read_to_string(&file).unwrap(), expected);
        fs::write(&file, "[[routes]]\nplugin = 'p.wasm'\n").unwrap();
        assert!(write(&file, "any", true, "x").unwrap());
    }
}
