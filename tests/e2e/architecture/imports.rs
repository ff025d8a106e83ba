//! Which source files of a crate use which others, read from their `use` declarations and paths.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A module by its path within the crate; empty: the crate's root.
pub type Module = Vec<String>;

/// The files of a crate, by module, without tests and comments.
pub struct Imports {
    sources: BTreeMap<Module, String>,
}

impl Imports {
    /// Reads all files below a crate's `src`, except `main.rs` and files of tests.
    pub fn read(src: &Path) -> Self {
        let mut sources = BTreeMap::new();
        read_directory(src, &[], &mut sources);
        Self { sources }
    }

    /// Returns the modules that each module uses: where it finds what it names, not the `mod.rs` that exports it again.
    pub fn graph(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let used = |(module, source): (&Module, &String)| {
            let paths = used_paths(source).into_iter().filter_map(|path| self.absolute(module, &path));
            let modules = paths.filter_map(|path| self.resolve(&path, 0));
            (module.clone(), modules.filter(|used| used != module && !used.is_empty()).collect())
        };
        self.sources.iter().map(used).collect()
    }

    /// Returns a path that begins with `crate`, `super`, `self` or a child module as one from the root.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Module> {
        let mut base = module.clone();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => (base, rest) = (Vec::new(), &path[1..]),
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|part| part == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            child => {
                let child = [module.as_slice(), &[child.to_owned()]].concat();
                self.sources.contains_key(&child).then_some(())?;
            }
        }
        base.extend_from_slice(rest);
        Some(base)
    }

    /// Returns the module of a path, following what a module exports again.
    fn resolve(&self, path: &[String], depth: u32) -> Option<Module> {
        let length = (0..=path.len()).rev().find(|length| self.sources.contains_key(&path[..*length]))?;
        let (module, item) = (path[..length].to_vec(), path.get(length));
        if let (Some(item), true) = (item, depth < 8) {
            let exported = exports(&self.sources[&module]).into_iter().find(|export| export.last() == Some(item));
            if let Some(path) = exported.and_then(|export| self.absolute(&module, &export))
                && let Some(found) = self.resolve(&path, depth + 1)
            {
                return Some(found);
            }
        }
        Some(module)
    }
}

/// Returns a circle in a graph, if there is one, as the modules along it.
pub fn circle(graph: &BTreeMap<Module, BTreeSet<Module>>) -> Option<Vec<Module>> {
    fn visit(
        module: &Module,
        graph: &BTreeMap<Module, BTreeSet<Module>>,
        path: &mut Vec<Module>,
        done: &mut BTreeSet<Module>,
    ) -> Option<Vec<Module>> {
        if let Some(begin) = path.iter().position(|on_path| on_path == module) {
            return Some(path[begin..].to_vec());
        }
        if !done.contains(module) {
            path.push(module.clone());
            let found = graph.get(module).into_iter().flatten().find_map(|used| visit(used, graph, path, done));
            if found.is_some() {
                return found;
            }
            path.pop();
            done.insert(module.clone());
        }
        None
    }
    let (mut path, mut done) = (Vec::new(), BTreeSet::new());
    graph.keys().find_map(|module| visit(module, graph, &mut path, &mut done))
}

fn read_directory(directory: &Path, module: &[String], sources: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let child = [module, std::slice::from_ref(&stem)].concat();
        if path.is_dir() {
            read_directory(&path, &child, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !stem.ends_with("tests")
            && stem != "main"
        {
            let module = if stem == "mod" || stem == "lib" { module.to_vec() } else { child };
            sources.insert(module, without_tests_and_comments(&fs::read_to_string(path).unwrap()));
        }
    }
}

fn without_tests_and_comments(source: &str) -> String {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    source.lines().map(|line| format!("{}\n", line.split("//").next().unwrap_or_default())).collect()
}

/// Returns all paths that a file uses: those of `use`, and those that it writes out from `crate` or `super`.
fn used_paths(source: &str) -> Vec<Module> {
    let mut paths = Vec::new();
    let mut code = String::new();
    for (is_use, statement) in statements(source) {
        // What a `mod.rs` exports again is used by others, and not by it.
        if is_use && !statement.trim_start().starts_with("pub") {
            expand(&[], tree(statement), &mut paths);
        } else if !is_use {
            code.push_str(statement);
        }
    }
    for start in ["crate::", "super::"] {
        for (position, _) in code.match_indices(start) {
            let end = code[position..].find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
            let path = &code[position..end.map_or(code.len(), |end| position + end)];
            paths.push(path.trim_end_matches(':').split("::").map(str::to_owned).collect());
        }
    }
    paths
}

/// Returns the paths that a module exports again.
fn exports(source: &str) -> Vec<Module> {
    let mut paths = Vec::new();
    for (is_use, statement) in statements(source) {
        if is_use && statement.trim_start().starts_with("pub") {
            expand(&[], tree(statement), &mut paths);
        }
    }
    paths
}

/// Splits a source into `use` declarations (true) and the rest.
fn statements(source: &str) -> Vec<(bool, &str)> {
    let mut statements = Vec::new();
    for piece in source.split_inclusive(';') {
        let begin = ["\nuse ", "\npub use ", "\npub(crate) use ", "\npub(super) use "]
            .iter()
            .filter_map(|start| piece.rfind(start))
            .max();
        // The first line of a file may be one as well.
        let begin = begin.or_else(|| piece.starts_with("use ").then_some(0));
        match begin {
            Some(begin) => {
                statements.push((false, &piece[..begin]));
                statements.push((true, &piece[begin..]));
            }
            None => statements.push((false, piece)),
        }
    }
    statements
}

/// Returns the tree of a `use` declaration.
fn tree(statement: &str) -> &str {
    statement.split_once("use ").map_or("", |(_, tree)| tree).trim_end_matches(';')
}

/// Expands `a::{b, c::{d, e}}` into `a::b`, `a::c::d` and `a::c::e`.
fn expand(prefix: &[String], tree: &str, paths: &mut Vec<Module>) {
    let tree = tree.trim();
    let (head, group) = match tree.split_once('{') {
        Some((head, group)) => (head, group.strip_suffix('}')),
        None => (tree.split(" as ").next().unwrap_or_default(), None),
    };
    let mut path = prefix.to_vec();
    path.extend(head.split("::").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned));
    let Some(group) = group else {
        paths.push(path);
        return;
    };
    let (mut depth, mut begin) = (0_u32, 0);
    for (position, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                expand(&path, &group[begin..position], paths);
                begin = position + 1;
            }
            _ => {}
        }
    }
    if !group[begin..].trim().is_empty() {
        expand(&path, &group[begin..], paths);
    }
}
