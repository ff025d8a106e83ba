//! The files of a new plugin, by its language and what it uses: templates that are compiled into banhook.
//!
//! A template is a file as it would be with everything; a line `@if NAME` in a comment begins a part that only some plugins
//! have, and `@end` ends it. `{{name}}` is the plugin's name.

use clap::ValueEnum;

use super::wit;
use crate::phrase::listed;

/// A language that plugins are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    Rust,
    Js,
    Ts,
    Python,
    C,
}

/// What a plugin uses beyond the world `plugin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Uses {
    /// Past bans.
    pub history: bool,
    /// Where addresses are registered.
    pub geo: bool,
    /// It decides on digests.
    pub digest: bool,
    /// It describes and checks its settings.
    pub check: bool,
}

/// A file of a new plugin: its path in the plugin's directory, and its content.
pub(super) type ScaffoldFile = (String, Vec<u8>);

/// The directory in which a plugin in C has what is generated.
pub(super) const BINDINGS: &str = "bindings";

macro_rules! template {
    ($path:literal) => {
        include_str!(concat!("../../../../plugins/scaffold/", $path))
    };
}

macro_rules! sdk {
    ($path:literal) => {
        include_str!(concat!("../../../../plugins/sdk/", $path))
    };
}

/// Files of an SDK, by their paths in a plugin's directory.
macro_rules! sdk_files {
    ($from:literal, $to:literal, [$($path:literal),+ $(,)?]) => {
        [$((concat!($to, $path), include_str!(concat!("../../../../plugins/sdk/", $from, $path)))),+]
    };
}

/// The SDK for Rust, a crate in the plugin's directory.
const RUST_SDK: [(&str, &str); 23] = sdk_files!(
    "rust/",
    "sdk/",
    [
        "Cargo.toml",
        "README.md",
        "src/arena.rs",
        "src/bindings/digester.rs",
        "src/bindings/formatter.rs",
        "src/bindings/imports.rs",
        "src/bindings/mod.rs",
        "src/bindings/settings.rs",
        "src/block.rs",
        "src/clock.rs",
        "src/decision.rs",
        "src/digest.rs",
        "src/error.rs",
        "src/export.rs",
        "src/geo.rs",
        "src/history.rs",
        "src/lib.rs",
        "src/log.rs",
        "src/message.rs",
        "src/mrkdwn.rs",
        "src/plugin.rs",
        "src/rich.rs",
        "src/settings.rs",
    ]
);

/// The SDK for JavaScript and TypeScript, under the name that its author imports.
const JS_SDK: [(&str, &str); 3] = [
    ("sdk/banhook-plugin.js", sdk!("js/index.js")),
    ("sdk/banhook-plugin.d.ts", sdk!("js/index.d.ts")),
    ("sdk/wit.d.ts", sdk!("js/wit.d.ts")),
];

/// The SDK for Python, a package next to the plugin.
const PYTHON_SDK: [(&str, &str); 6] = sdk_files!(
    "python/",
    "",
    [
        "banhook_plugin/__init__.py",
        "banhook_plugin/block.py",
        "banhook_plugin/message.py",
        "banhook_plugin/plugin.py",
        "banhook_plugin/py.typed",
        "banhook_plugin/shape.py",
    ]
);

/// The SDK for C, next to the generated header that it includes: in [`BINDINGS`].
const C_SDK: [(&str, &str); 2] = sdk_files!("c/", "bindings/", ["banhook_plugin.c", "banhook_plugin.h"]);

/// Cases, and what a plugin has to use for them to make sense.
const CASES: [(&str, &str, &str); 12] = [
    ("ban", "", template!("common/cases/ban.json")),
    ("unban", "", template!("common/cases/unban.json")),
    ("restored", "", template!("common/cases/restored.json")),
    ("start", "", template!("common/cases/start.json")),
    ("hostile", "", template!("common/cases/hostile.json")),
    ("office", "", template!("common/cases/office.json")),
    ("history", "history", template!("common/cases/history.json")),
    ("geo", "geo", template!("common/cases/geo.json")),
    ("no-geo", "geo", template!("common/cases/no-geo.json")),
    ("digest", "digest", template!("common/cases/digest.json")),
    ("restart", "digest", template!("common/cases/restart.json")),
    ("empty-setting", "check", template!("common/cases/empty-setting.json")),
];

/// Files of every plugin.
const COMMON: [(&str, &str); 4] = [
    (".github/workflows/plugin.yml", template!("common/.github/workflows/plugin.yml")),
    (".gitignore", template!("common/gitignore")),
    ("README.md", template!("common/README.md")),
    ("case.schema.json", include_str!("../../../../plugins/case.schema.json")),
];

impl Language {
    /// Returns the file that its author writes.
    pub(super) const fn source(self) -> &'static str {
        match self {
            Self::Rust => "src/lib.rs",
            Self::Js => "plugin.js",
            Self::Ts => "plugin.ts",
            Self::Python => "app.py",
            Self::C => "plugin.c",
        }
    }

    const fn templates(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Rust => &[
                ("src/lib.rs", template!("rust/src/lib.rs")),
                ("Cargo.toml", template!("rust/Cargo.toml")),
                ("Cargo.lock", template!("rust/Cargo.lock")),
            ],
            Self::Js => &[
                ("plugin.js", template!("js/plugin.js")),
                ("package.json", template!("js/package.json")),
                ("package-lock.json", template!("js/package-lock.json")),
                ("sdk/entry.js", template!("js/sdk/entry.js")),
            ],
            Self::Ts => &[
                ("plugin.ts", template!("ts/plugin.ts")),
                ("package.json", template!("ts/package.json")),
                ("package-lock.json", template!("ts/package-lock.json")),
                ("tsconfig.json", template!("ts/tsconfig.json")),
                ("sdk/entry.js", template!("ts/sdk/entry.js")),
                ("sdk/strip.js", template!("ts/sdk/strip.js")),
            ],
            Self::Python => {
                &[("app.py", template!("python/app.py")), ("requirements.txt", template!("python/requirements.txt"))]
            }
            Self::C => &[("plugin.c", template!("c/plugin.c")), ("requirements.txt", template!("c/requirements.txt"))],
        }
    }

    /// Returns whether a plugin is built for a world of its own. In Rust what it exports is in its source.
    const fn has_world(self) -> bool {
        !matches!(self, Self::Rust)
    }

    /// Returns what a plugin is built with that is not in a registry yet.
    const fn sdk(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Rust => &RUST_SDK,
            Self::C => &C_SDK,
            Self::Js | Self::Ts => &JS_SDK,
            Self::Python => &PYTHON_SDK,
        }
    }
}

impl Uses {
    /// Returns whether a part of a template with this name is in.
    fn has(self, part: &str) -> bool {
        match part {
            "history" => self.history,
            "geo" => self.geo,
            "digest" => self.digest,
            "check" => self.check,
            "neither digest nor check" => !self.digest && !self.check,
            "digest only" => self.digest && !self.check,
            "check only" => self.check && !self.digest,
            "digest and check" => self.digest && self.check,
            // `crate`: what an SDK has in its repository only.
            part => part.is_empty(),
        }
    }

    /// Returns the worlds that have it, as `wit/mine.wit` includes them. Plugins in C are linked without what they do not
    /// import, and so may import all.
    fn worlds(self, language: Language) -> Vec<&'static str> {
        let is_c = language == Language::C;
        let worlds = [
            (self.history || is_c, "plugin-with-history"),
            (self.geo || is_c, "plugin-with-geo"),
            (self.digest, "plugin-with-digest"),
            (self.check, "plugin-with-settings"),
        ];
        let used: Vec<_> = worlds.into_iter().filter(|(used, _)| *used).map(|(_, world)| world).collect();
        if used.is_empty() { vec!["plugin"] } else { used }
    }

    /// Returns what is generated for C: files by their names.
    const fn c_bindings(self) -> [(&'static str, &'static [u8]); 3] {
        macro_rules! of {
            ($combination:literal) => {
                [
                    ("mine.c", include_bytes!(concat!(env!("OUT_DIR"), "/c/", $combination, "/mine.c"))),
                    ("mine.h", include_bytes!(concat!(env!("OUT_DIR"), "/c/", $combination, "/mine.h"))),
                    (
                        "mine_component_type.o",
                        include_bytes!(concat!(env!("OUT_DIR"), "/c/", $combination, "/mine_component_type.o")),
                    ),
                ]
            };
        }
        match (self.digest, self.check) {
            (false, false) => of!("format"),
            (true, false) => of!("format-digest"),
            (false, true) => of!("format-check"),
            (true, true) => of!("format-digest-check"),
        }
    }
}

/// Returns the files of a new plugin.
pub(super) fn files(name: &str, language: Language, uses: Uses) -> Vec<ScaffoldFile> {
    let text = |path: String, template: &str| (path, expand(template, name, language, uses).into_bytes());
    let own = language.templates().iter().chain(language.sdk()).chain(&COMMON);
    let mut files: Vec<ScaffoldFile> = own.map(|(path, template)| text((*path).to_owned(), template)).collect();
    let cases = CASES.iter().filter(|(_, part, _)| uses.has(part));
    files.extend(cases.map(|(case, _, template)| text(format!("cases/{case}.json"), template)));
    files.extend(wit::FILES.iter().map(|(path, content)| (format!("wit/{path}"), content.as_bytes().to_vec())));
    if language.has_world() {
        files.push(("wit/mine.wit".to_owned(), world(language, uses).into_bytes()));
    }
    if language == Language::C {
        let generated = uses.c_bindings().into_iter();
        files.extend(generated.map(|(path, content)| (format!("{BINDINGS}/{path}"), content.to_vec())));
    }
    files
}

fn world(language: Language, uses: Uses) -> String {
    let worlds = uses.worlds(language);
    let includes: String = worlds.iter().map(|world| format!("    include {world};\n")).collect();
    let all = listed(worlds.iter().copied(), "and");
    format!(
        "package banhook:plugin@0.1.0;\n\n/// What this plugin imports and exports: {all}.\nworld mine {{\n{includes}}}\n"
    )
}

fn expand(template: &str, name: &str, language: Language, uses: Uses) -> String {
    let mut text = String::with_capacity(template.len());
    let mut is_in = true;
    for line in template.split_inclusive('\n') {
        let directive = line.trim().trim_start_matches(['/', '#']).trim_start();
        if let Some(part) = directive.strip_prefix("@if ") {
            is_in = uses.has(part.trim()) || part.trim() == "world" && language.has_world();
        } else if directive == "@end" {
            is_in = true;
        } else if is_in {
            text.push_str(line);
        }
    }
    text.replace("{{name}}", name).replace("{{source}}", language.source())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    const ALL: Uses = Uses { history: true, geo: true, digest: true, check: true };

    #[test]
    fn every_template_is_in_a_scaffold() {
        fn add(folder: &Path, files: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if entry.is_dir() { add(&entry, files) } else { files.push(entry) }
            }
        }
        let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
        let mut sdk = Vec::new();
        add(&plugins.join("sdk/rust/src"), &mut sdk);
        for source in sdk {
            let path = Path::new("sdk").join(source.strip_prefix(plugins.join("sdk/rust")).unwrap());
            assert!(RUST_SDK.iter().any(|(name, _)| Path::new(name) == path), "{} is not in RUST_SDK", path.display());
        }
        let folder = plugins.join("scaffold");
        let mut templates = Vec::new();
        add(&folder, &mut templates);
        let scaffolds: Vec<_> =
            Language::value_variants().iter().flat_map(|language| files("x", *language, ALL)).collect();
        for template in templates {
            let path = template.strip_prefix(&folder).unwrap();
            let path: PathBuf = path.components().skip(1).collect();
            let path = path.to_str().unwrap().replace("gitignore", ".gitignore");
            assert!(scaffolds.iter().any(|(name, _)| *name == path), "{path} is in no scaffold");
        }
    }

    #[test]
    fn scaffold_has_what_is_used_and_no_directive() {
        for language in Language::value_variants() {
            for uses in [Uses::default(), Uses { history: true, ..Uses::default() }, ALL] {
                let files = files("my-plugin", *language, uses);
                for (path, content) in &files {
                    let text = String::from_utf8_lossy(content);
                    let left = ["@if", "@end", "{{name}}", "{{source}}"].iter().find(|mark| text.contains(**mark));
                    assert_eq!(left, None, "{path}");
                }
                let file = |wanted: &str| files.iter().find(|(path, _)| path == wanted);
                let source = &file(language.source()).unwrap().1;
                let plain = super::files("my-plugin", *language, Uses::default());
                let plain = &plain.iter().find(|(path, _)| path == language.source()).unwrap().1;
                assert_eq!(source == plain, uses == Uses::default(), "{language:?}");
                for (name, used) in [("history", uses.history), ("geo", uses.geo), ("digest", uses.digest)] {
                    assert_eq!(file(&format!("cases/{name}.json")).is_some(), used, "{name}");
                }
                assert!(file("wit/types.wit").is_some() && file("cases/hostile.json").is_some());
                assert_eq!(file("wit/mine.wit").is_some(), language.has_world());
            }
        }
        assert!(world(Language::Js, Uses::default()).ends_with("world mine {\n    include plugin;\n}\n"));
    }
}
