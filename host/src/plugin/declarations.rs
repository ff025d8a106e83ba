//! What a component declares: counted and bounded before anything is allocated for it.
//!
//! Compiler and linker allocate for each import, type, export and instance, and a few bytes of a file can name thousands.
//! The counts here are many times those of any known guest; what they cannot foresee, the bounds on the compiled component
//! and on loading it do (`compile_process`).

use wasmparser::{ComponentType, Encoding, Parser, Payload};

use super::PluginError;

/// What may be declared in a file, in all its modules and components together.
struct Declared {
    /// As the error names it.
    what: &'static str,
    most: u64,
    found: u64,
}

/// Interfaces that the outermost component imports; all of WASI and of banhook together have 35.
const IMPORTS: u64 = 100;
/// Bytes of an import's or export's name.
const NAME: usize = 256;
/// Exports of components. CPython's has 60.
const EXPORTS: u64 = 10_000;
/// Core modules. CPython's has 31.
const MODULES: u64 = 200;
/// Components in components.
const COMPONENTS: u64 = 200;
/// Instances of modules and components. CPython's has 94.
const INSTANCES: u64 = 1_000;
/// Types of components, with the members of types of instances and components.
const TYPES: u64 = 20_000;
/// Aliases and functions that cross between components and modules.
const LINKS: u64 = 20_000;
/// Types, imports, exports, globals and segments of core modules, each counted.
const CORE: u64 = 200_000;
/// Bytes of all sections that declare components: nothing of the code or data.
const BYTES: u64 = 4 << 20;

/// Checks what a component declares.
///
/// # Errors
/// When it is more than any plugin may declare. Whether it is valid is the compiler's to say.
pub(super) fn check(wasm: &[u8]) -> Result<(), PluginError> {
    let mut counts = Counts::default();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(wasm) {
        // What cannot be parsed ends here, and the compiler says why.
        let Ok(payload) = payload else { break };
        match &payload {
            Payload::Version { encoding: Encoding::Component, .. } => counts.components.add(1)?,
            Payload::Version { encoding: Encoding::Module, .. } => counts.modules.add(1)?,
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            _ => counts.add(&payload, depth == 0)?,
        }
    }
    Ok(())
}

struct Counts {
    imports: Declared,
    exports: Declared,
    modules: Declared,
    components: Declared,
    instances: Declared,
    types: Declared,
    links: Declared,
    core: Declared,
    bytes: Declared,
}

impl Default for Counts {
    fn default() -> Self {
        let declared = |what, most| Declared { what, most, found: 0 };
        Self {
            imports: declared("imports", IMPORTS),
            exports: declared("exports", EXPORTS),
            modules: declared("core modules", MODULES),
            components: declared("components", COMPONENTS),
            instances: declared("instances", INSTANCES),
            types: declared("types", TYPES),
            links: declared("aliases and canonical functions", LINKS),
            core: declared("parts of core modules", CORE),
            bytes: declared("bytes of declarations", BYTES),
        }
    }
}

impl Counts {
    /// Counts a section. `outermost`: it is the component's own.
    fn add(&mut self, payload: &Payload<'_>, outermost: bool) -> Result<(), PluginError> {
        let is_custom = matches!(payload, Payload::CustomSection(_));
        let is_core = matches!(
            payload,
            Payload::CodeSectionStart { .. }
                | Payload::CodeSectionEntry(_)
                | Payload::DataSection(_)
                | Payload::ElementSection(_)
        );
        if let Some((_, range)) = payload.as_section()
            && !is_core
            && !is_custom
        {
            self.bytes.add(range.len())?;
        }
        match payload {
            Payload::ComponentImportSection(imports) => {
                for import in imports.clone().into_iter().map_while(Result::ok) {
                    check_name(import.name.name)?;
                }
                if outermost { self.imports.add(imports.count()) } else { self.types.add(imports.count()) }
            }
            Payload::ComponentExportSection(exports) => {
                for export in exports.clone().into_iter().map_while(Result::ok) {
                    check_name(export.name.name)?;
                }
                self.exports.add(exports.count())
            }
            Payload::InstanceSection(instances) => self.instances.add(instances.count()),
            Payload::ComponentInstanceSection(instances) => self.instances.add(instances.count()),
            Payload::CoreTypeSection(types) => self.types.add(types.count()),
            Payload::ComponentTypeSection(types) => {
                for ty in types.clone().into_iter().map_while(Result::ok) {
                    self.types.add(members(&ty))?;
                }
                Ok(())
            }
            Payload::ComponentAliasSection(aliases) => self.links.add(aliases.count()),
            Payload::ComponentCanonicalSection(functions) => self.links.add(functions.count()),
            Payload::TypeSection(types) => self.core.add(types.count()),
            Payload::ImportSection(imports) => self.core.add(imports.count()),
            Payload::ExportSection(exports) => self.core.add(exports.count()),
            Payload::GlobalSection(globals) => self.core.add(globals.count()),
            Payload::ElementSection(elements) => self.core.add(elements.count()),
            Payload::DataSection(data) => self.core.add(data.count()),
            _ => Ok(()),
        }
    }
}

/// A type, with what it declares in it.
fn members(ty: &ComponentType<'_>) -> usize {
    1 + match ty {
        ComponentType::Component(declarations) => declarations.len(),
        ComponentType::Instance(declarations) => declarations.len(),
        _ => 0,
    }
}

fn check_name(name: &str) -> Result<(), PluginError> {
    if name.len() <= NAME {
        return Ok(());
    }
    Err(PluginError::Unfit(format!("a name of {} bytes, {NAME} are allowed", name.len())))
}

impl Declared {
    fn add(&mut self, count: impl TryInto<u64>) -> Result<(), PluginError> {
        self.found = self.found.saturating_add(count.try_into().unwrap_or(u64::MAX));
        let Self { what, most, found } = *self;
        if found <= most {
            return Ok(());
        }
        Err(PluginError::Unfit(format!("at least {found} {what}, {most} are allowed")))
    }
}
