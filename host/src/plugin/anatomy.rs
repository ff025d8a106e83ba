//! What is in a plugin's file, without running it: what it imports and exports, and what its author and tools wrote about
//! it.

use wasmparser::{KnownCustom, Parser, Payload};

use super::{PluginError, component};
use crate::event::readable::cut;

/// Custom sections that are texts about the component, as wasm-metadata writes them.
const TEXTS: [&str; 8] =
    ["version", "description", "authors", "licenses", "homepage", "source", "revision", "package-docs"];

/// Bytes of one text that are kept.
const TEXT_BYTES: usize = 200;

/// Texts that are kept.
const TEXT_COUNT: usize = 40;

/// What a plugin's file declares. All texts are its author's: hostile, bounded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Anatomy {
    /// Whether it is a core module that banhook makes a component of.
    pub is_module: bool,
    /// Full names of imported interfaces, sorted: `banhook:plugin/log@0.1.0`.
    pub imports: Vec<String>,
    /// Full names of exported interfaces, sorted.
    pub exports: Vec<String>,
    /// Names and texts of its custom sections: its version, and the languages and tools that made it.
    pub metadata: Vec<(String, String)>,
}

impl Anatomy {
    /// Reads a plugin's file.
    ///
    /// # Errors
    /// When it is no component, and no core module that can be made one.
    pub(crate) fn read(file: &[u8]) -> Result<Self, PluginError> {
        component::check(file, u64::MAX)?;
        let wasm = component::from_file(file)?;
        let mut anatomy = Self { is_module: matches!(wasm, std::borrow::Cow::Owned(_)), ..Self::default() };
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(&wasm) {
            let payload = payload.map_err(|error| PluginError::Invalid(error.to_string()))?;
            match payload {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(imports) if depth == 0 => {
                    anatomy.imports.extend(imports.into_iter().flatten().map(|import| text(import.name.name)));
                }
                Payload::ComponentExportSection(exports) if depth == 0 => {
                    anatomy.exports.extend(exports.into_iter().flatten().map(|export| text(export.name.name)));
                }
                _ => {}
            }
        }
        // Of the file itself: whoever converts a module adds itself.
        anatomy.metadata = all_metadata(file);
        for list in [&mut anatomy.imports, &mut anatomy.exports] {
            list.sort();
            list.dedup();
        }
        Ok(anatomy)
    }
}

/// Returns what the custom sections of a file say, sorted.
fn all_metadata(file: &[u8]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(file).map_while(Result::ok) {
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) => {
                found.extend(metadata(section.name(), section.data(), &section.as_known(), depth == 0));
            }
            _ => {}
        }
    }
    found.sort();
    found.dedup();
    found.truncate(TEXT_COUNT);
    found
}

/// Returns what a custom section says. Those that name the tools may be in a module within; a text about the component is
/// at its outermost level.
fn metadata(name: &str, data: &[u8], known: &KnownCustom<'_>, outermost: bool) -> Vec<(String, String)> {
    if outermost && TEXTS.contains(&name) {
        return vec![(name.to_owned(), text(&String::from_utf8_lossy(data)))];
    }
    let KnownCustom::Producers(fields) = known else { return Vec::new() };
    let mut found = Vec::new();
    for field in fields.clone().into_iter().flatten() {
        for value in field.values.into_iter().flatten() {
            found.push((text(field.name), text(format!("{} {}", value.name, value.version).trim())));
        }
    }
    found
}

fn text(text: &str) -> String {
    cut(text, TEXT_BYTES).to_owned()
}
