//! What a plugin may do, in words: it follows from what it imports and exports.

use crate::plugin::Anatomy;

/// The package of the plugin interface.
const PACKAGE: &str = "banhook:plugin/";

/// Interfaces that give a plugin something that others have not, the worlds that have them, and what they are good for.
const POWERS: [(&str, &str, &str); 5] = [
    ("digester", "plugin-with-digest", "decide on digests: post, skip or hold them for a day at most"),
    ("descriptor", "plugin-with-settings", "say what it is called and which settings it has"),
    ("checker", "plugin-with-settings", "reject settings when it is loaded"),
    ("history", "plugin-with-history", "ask about past bans of its route, if that grants history"),
    ("geo", "plugin-with-geo", "ask where addresses are registered, if its route grants geo"),
];

/// Returns what the plugin may do, the most general first. Nothing else is possible.
pub(super) fn powers(anatomy: &Anatomy) -> Vec<String> {
    let decide =
        "decide on events of its route: post, skip or hold them for a day at most; log lines; read its settings";
    let has = |wanted: &str| all(anatomy).any(|name| name == wanted);
    let more = POWERS.iter().filter(|(interface, _, _)| has(interface)).map(|(_, _, power)| (*power).to_owned());
    let mut powers: Vec<_> = std::iter::once(decide.to_owned()).chain(more).collect();
    powers.push("do nothing else".to_owned());
    powers
}

/// Returns the version of the interface, and the worlds whose parts the plugin uses: `banhook:plugin@0.1.0, world plugin`.
pub(super) fn interface(anatomy: &Anatomy) -> String {
    let versions = anatomy.imports.iter().chain(&anatomy.exports).filter(|name| name.starts_with(PACKAGE));
    let mut versions: Vec<_> = versions.filter_map(|name| Some(name.rsplit_once('@')?.1)).collect();
    versions.sort_unstable();
    versions.dedup();
    if versions.is_empty() {
        return "none of banhook's".to_owned();
    }
    let mut worlds: Vec<_> = POWERS
        .iter()
        .filter(|(interface, _, _)| all(anatomy).any(|name| name == *interface))
        .map(|(_, world, _)| *world)
        .collect();
    worlds.dedup();
    let worlds = if worlds.is_empty() { "plugin".to_owned() } else { worlds.join(" + ") };
    format!("banhook:plugin@{}, world {worlds}", versions.join(" and "))
}

/// Returns whether an import is of WASI.
pub(super) fn is_wasi(import: &str) -> bool {
    import.starts_with("wasi:")
}

/// The names of banhook's interfaces that a plugin imports or exports.
fn all(anatomy: &Anatomy) -> impl Iterator<Item = &str> {
    let names = anatomy.imports.iter().chain(&anatomy.exports);
    names.filter_map(|name| Some(name.strip_prefix(PACKAGE)?.split_once('@')?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anatomy(imports: &[&str], exports: &[&str]) -> Anatomy {
        let full = |names: &[&str]| names.iter().map(|name| format!("banhook:plugin/{name}@0.1.0")).collect();
        Anatomy { imports: full(imports), exports: full(exports), ..Anatomy::default() }
    }

    #[test]
    fn powers_and_worlds_follow_from_imports_and_exports() {
        let usual = anatomy(&["log", "settings"], &["formatter"]);
        assert_eq!(interface(&usual), "banhook:plugin@0.1.0, world plugin");
        assert_eq!(powers(&usual).len(), 2);
        let more = anatomy(&["log", "history", "geo"], &["formatter", "digester", "descriptor", "checker"]);
        let worlds = "plugin-with-digest + plugin-with-settings + plugin-with-history + plugin-with-geo";
        assert_eq!(interface(&more), format!("banhook:plugin@0.1.0, world {worlds}"));
        let powers = powers(&more).join("\n");
        for words in
            ["decide on digests", "past bans", "addresses are registered", "reject settings", "do nothing else"]
        {
            assert!(powers.contains(words), "{words}: {powers}");
        }
        assert_eq!(interface(&Anatomy::default()), "none of banhook's");
    }
}
