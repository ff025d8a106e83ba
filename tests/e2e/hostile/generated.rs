//! Attackers that cannot be written as text: too large, truncated, or of a future interface.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use wasm_encoder::{ComponentSection, Encode, InstanceSection, ModuleArg, RawSection};
use wit_parser::{PackageId, Resolve};

use super::corpus::{attacker, module_text};
use crate::binary::root;
use crate::component::component;

/// Section ids of the component binary format.
const CUSTOM: u8 = 0;
const CORE_MODULE: u8 = 1;

/// A component's header: magic, version and layer.
const HEADER: usize = 8;

/// A valid plugin with five hundred additional instances of an empty module.
pub fn instances_many(path: &Path) {
    fs::write(path, with_instances(attacker("trap"), "(module)", 500)).unwrap();
}

/// A valid plugin with three additional instances, each of which takes 62 MiB of memory and touches all of it. Each is
/// below the limit; together they take three times the limit.
pub fn memories_together(path: &Path) {
    let text = "(module (memory 992) (start $start)
        (func $start (memory.fill (i32.const 0) (i32.const 1) (i32.const 65011712))))";
    fs::write(path, with_instances(attacker("mentions"), text, 3)).unwrap();
}

/// `plugin` with an additional core module that is instantiated `count` times.
fn with_instances(mut plugin: Vec<u8>, module: &str, count: usize) -> Vec<u8> {
    let index = core_modules(&plugin);
    let mut instances = InstanceSection::new();
    for _ in 0..count {
        instances.instantiate::<[(&str, ModuleArg); 0], &str>(index, []);
    }
    let module = wat::parse_str(module).unwrap();
    append(&mut plugin, &RawSection { id: CORE_MODULE, data: &module });
    append(&mut plugin, &instances);
    plugin
}

fn append(component: &mut Vec<u8>, section: &impl ComponentSection) {
    component.push(section.id());
    section.encode(component);
}

/// The number of core modules in a component, without those of nested components.
fn core_modules(component: &[u8]) -> u32 {
    let mut count = 0;
    let mut rest = &component[HEADER..];
    while let [id, more @ ..] = rest {
        let (length, more) = leb128(more);
        count += u32::from(*id == CORE_MODULE);
        rest = &more[length..];
    }
    count
}

fn leb128(bytes: &[u8]) -> (usize, &[u8]) {
    let end = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    let value = bytes[..end].iter().rev().fold(0, |value, byte| value << 7 | usize::from(byte & 0x7f));
    (value, &bytes[end..])
}

/// A valid plugin without its last third.
pub fn truncated(path: &Path) {
    let plugin = attacker("trap");
    fs::write(path, &plugin[..plugin.len() * 2 / 3]).unwrap();
}

/// A valid plugin with a custom section of 200 MB of zeros. The file is sparse.
pub fn two_hundred_megabytes(path: &Path) {
    const PADDING: usize = 200_000_000;
    let name = "padding";
    let mut head = attacker("trap");
    head.push(CUSTOM);
    (1 + name.len() + PADDING).encode(&mut head);
    name.encode(&mut head);
    let mut file = File::create(path).unwrap();
    file.write_all(&head).unwrap();
    file.set_len(u64::try_from(head.len() + PADDING).unwrap()).unwrap();
}

/// A plugin of a later interface: it exports formatter 0.2.0.
pub fn newer_export(path: &Path) {
    let mut resolve = Resolve::default();
    let package = push_interface_of_0_2(&mut resolve);
    let text = module_text("(func $attack (result i32) (unreachable))").replace("@0.1.0", "@0.2.0");
    fs::write(path, component(&text, &resolve, package, "plugin")).unwrap();
}

/// Adds the current interface under the version 0.2.0.
pub fn push_interface_of_0_2(resolve: &mut Resolve) -> PackageId {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(root().join("wit")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "wit") {
            let text = fs::read_to_string(&path).unwrap().replace("0.1.0", "0.2.0");
            fs::write(folder.path().join(path.file_name().unwrap()), text).unwrap();
        }
    }
    resolve.push_dir(folder.path()).unwrap().0
}
