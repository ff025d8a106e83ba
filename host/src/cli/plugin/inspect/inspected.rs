//! A plugin's file, and everything that is known of it.

use std::path::Path;

use anyhow::anyhow;

use super::costs::{Costs, milliseconds};
use super::powers::{interface, is_wasi, powers};
use crate::cli::command_error::CommandError;
use crate::cli::plugin_file::PluginFile;
use crate::hex::hex;
use crate::plugin::{Anatomy, Description, SettingKind};

/// Everything that is known of a plugin's file.
pub(crate) struct Inspected {
    pub file: String,
    pub size: usize,
    pub sha256: String,
    pub anatomy: Anatomy,
    /// What it says of itself and costs, or why it does not load.
    pub loaded: Result<Costs, String>,
}

impl Inspected {
    /// Reads a file, and loads and calls the plugin.
    ///
    /// # Errors
    /// When it is no plugin.
    pub(crate) fn new(path: &Path) -> Result<Self, CommandError> {
        let plugin = PluginFile::read(path).map_err(CommandError::Input)?;
        let name = plugin.path.display();
        let anatomy =
            Anatomy::read(&plugin.bytes).map_err(|error| CommandError::Input(anyhow!("the plugin {name} {error}")))?;
        Ok(Self {
            file: name.to_string(),
            size: plugin.bytes.len(),
            sha256: hex(&plugin.sha256),
            loaded: Costs::measure(&plugin).map_err(|error| error.to_string()),
            anatomy,
        })
    }

    /// Returns what it says of itself.
    pub(crate) fn description(&self) -> Option<&Description> {
        self.loaded.as_ref().ok()?.description.as_ref()
    }

    /// Returns its version, if it says one.
    pub(crate) fn version(&self) -> Option<&str> {
        let metadata = || self.anatomy.metadata.iter().find(|(name, _)| name == "version");
        let described = self.description().and_then(|description| description.version.as_deref());
        described.or_else(|| metadata().map(|(_, text)| text.as_str()))
    }

    /// Returns its name and version, as far as it says them.
    pub(crate) fn name(&self) -> Option<String> {
        let name = self.description().map(|description| description.name.as_str());
        let said: Vec<_> = [name, self.version()].into_iter().flatten().collect();
        (!said.is_empty()).then(|| said.join(" "))
    }

    /// Returns what is known, each with its heading.
    pub(crate) fn lines(&self) -> Vec<(&'static str, String)> {
        let Anatomy { is_module, imports, exports, metadata } = &self.anatomy;
        let mut lines = vec![("plugin", self.file.clone())];
        lines.extend(self.name().map(|name| ("name", name)));
        lines.push(("interface", interface(&self.anatomy)));
        lines.extend(powers(&self.anatomy).into_iter().map(|power| ("may", power)));
        let wasi = imports.iter().filter(|import| is_wasi(import)).count();
        lines.push((
            "WASI",
            match wasi {
                0 => "none".to_owned(),
                count => format!(
                    "{count} interfaces imported, and an empty WASI answers: no files, no network, no variables"
                ),
            },
        ));
        lines.extend(imports.iter().filter(|import| !is_wasi(import)).map(|import| ("import", import.clone())));
        lines.extend(exports.iter().map(|export| ("export", export.clone())));
        match self.description() {
            Some(description) if description.settings.is_empty() => lines.push(("settings", "none".to_owned())),
            Some(description) => lines.extend(description.settings.iter().map(|setting| {
                let default = setting.default.as_ref().map(|text| format!("; default \"{text}\"")).unwrap_or_default();
                let kind = kind(setting.kind);
                ("setting", format!("{} ({kind}): {}{default}", setting.name, setting.description))
            })),
            None => lines.push(("settings", "not described".to_owned())),
        }
        lines.extend(metadata.iter().map(|(name, text)| ("made", format!("{name}: {text}"))));
        let module = if *is_module { ", a core module that banhook makes a component of" } else { "" };
        lines.push(("size", format!("{} bytes{module}", self.size)));
        lines.push(("sha256", self.sha256.clone()));
        match &self.loaded {
            Ok(costs) => lines.extend([
                ("compiling", milliseconds(costs.compiling)),
                (
                    "instance",
                    format!("{}, {} bytes of memory", milliseconds(costs.instance.time), costs.instance.memory),
                ),
            ]),
            Err(error) => lines.push(("fault", format!("it does not load: it {error}"))),
        }
        lines
    }
}

/// Returns the word for a kind of setting in `wit/`.
pub(crate) const fn kind(kind: SettingKind) -> &'static str {
    match kind {
        SettingKind::Text => "text",
        SettingKind::Lines => "lines",
        SettingKind::Number => "number",
        SettingKind::Boolean => "boolean",
    }
}
