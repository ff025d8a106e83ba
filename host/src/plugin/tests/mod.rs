//! Loading, rejecting and caching. Running plugins is tested end to end and by their cases.

mod digests;
mod interface;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::*;
use crate::message::Decision;

pub(super) const LIMITS: Limits = Limits {
    time: Duration::from_secs(5),
    memory: 64 << 20,
    table: 10_000,
    instances: 20,
    transfer: 4 << 20,
    text: 64 << 10,
    items: 1_000,
    log_lines: 50,
    log_bytes: 1_000,
    printed: 1_000,
    component: 16 << 20,
    compile: Duration::from_secs(60),
};

pub(super) fn runtime(cache: Option<Cache>) -> Runtime {
    Runtime::new(Setup { cache, compiler: Compiler::Here, metering: Metering::Time, sandbox: Sandbox::STANDARD })
        .unwrap()
}

/// Loads a plugin for a route with these settings, which grants everything as `false`.
fn load(runtime: &Runtime, file: &[u8], settings: &[(&str, &str)]) -> Result<Plugin, PluginError> {
    let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let grants = grantable().into_iter().map(|(name, _)| (name, Grant::Refused)).collect();
    let (providers, _) = runtime.host().open(&PluginContext { settings, grants, ..PluginContext::default() });
    runtime.load(file, &providers, LIMITS)
}

/// A plugin that is built without that step works as well, three times as slow.
#[test]
fn built_in_plugin_is_preinitialized() {
    let exports: Vec<_> = wasmparser::Parser::new(0)
        .parse_all(BUILT_IN)
        .filter_map(|part| match part.unwrap() {
            wasmparser::Payload::ExportSection(exports) => Some(exports),
            _ => None,
        })
        .flatten()
        .map(|export| export.unwrap().name.to_owned())
        .collect();
    assert!(exports.iter().any(|name| name.contains("formatter")), "{exports:?}");
    assert!(!exports.iter().any(|name| name == "wizer-initialize"), "rebuild it with `cargo xtask plugins`");
}

fn refusal(file: &[u8]) -> String {
    load(&runtime(None), file, &[]).err().unwrap().to_string()
}

#[test]
fn smoke_test_built_in_plugin_passes_and_rejects_bad_settings() {
    let runtime = runtime(None);
    let plugin = load(&runtime, BUILT_IN, &[]).unwrap();
    assert!(plugin.smoke_test().is_empty(), "{:?}", plugin.smoke_test());
    for event in standard::events() {
        assert!(matches!(plugin.format(&event).decision, Ok(Decision::Post(_))), "{event:?}");
    }
    let plugin = load(&runtime, BUILT_IN, &[("ban", "one\n{{ oops")]).unwrap();
    let found: Vec<String> = plugin.smoke_test().iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("does not accept the setting \"ban\": line 2: "), "{found:?}");
}

#[test]
fn describe_names_the_plugin_and_finds_settings_that_it_does_not_have() {
    let runtime = runtime(None);
    let settings = |settings: &[(&str, &str)]| {
        settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let template = load(&runtime, BUILT_IN, &[]).unwrap();
    let (description, problems) = template.describe(&settings(&[("ban", "x"), ("bna", ""), ("nonsense", "")]));
    assert_eq!(description.unwrap().name, "template");
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems[0], "does not accept the setting \"bna\": unknown setting; did you mean \"ban\"?");
    let known = "does not accept the setting \"nonsense\": unknown setting; known are start, start_color";
    assert!(problems.len() == 2 && problems[1].starts_with(known), "{problems:?}");
    // One that does not say accepts all.
    let other = load(&runtime, &guest::digests(), &[]).unwrap();
    assert!(matches!(other.describe(&settings(&[("bna", "")])), (None, problems) if problems.is_empty()));
}

#[test]
fn description_checks_what_kind_a_value_is() {
    use description::{SettingDescription, SettingKind};
    let setting = |name: &str, kind| SettingDescription {
        name: name.to_owned(),
        kind,
        description: String::new(),
        default: None,
    };
    let description = Description {
        name: "x".to_owned(),
        version: None,
        settings: vec![
            setting("number", SettingKind::Number),
            setting("flag", SettingKind::Boolean),
            setting("text", SettingKind::Text),
        ],
    };
    for (name, value, problem) in [
        ("number", "2.5", None),
        ("number", "-3", None),
        ("number", "many", Some("expected a number")),
        ("flag", "true", None),
        ("flag", "yes", Some("expected true or false")),
        ("text", "a\nb", None),
    ] {
        let found = description.check(&[(name.to_owned(), value.to_owned())].into());
        let found = found.first().map(ToString::to_string);
        let expected = problem.map(|problem| format!("does not accept the setting \"{name}\": {problem}"));
        assert_eq!(found, expected, "{name} {value}");
    }
}

#[test]
fn smoke_test_warnings_of_the_check_are_no_errors() {
    let runtime = runtime(None);
    let found = |settings: &[(&str, &str)]| load(&runtime, BUILT_IN, settings).unwrap().smoke_test();
    let warnings = found(&[("ban", "one\n**{{ ip }}**")]);
    assert_eq!(
        warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [r#"warns of the setting "ban": line 2: "**{{ ip }}**" is not Slack's markup; write *{{ ip }}*"#]
    );
    assert!(warnings[0].is_warning());
    assert_eq!(warnings[0].setting_line(), Some(("ban", 2)));
    // An error is one next to a warning as well.
    assert_eq!(found(&[("ban", "**<ip>**")]).iter().filter(|found| !found.is_warning()).count(), 1);
}

#[test]
fn load_file_that_is_not_a_plugin_fails_with_advice() {
    assert!(refusal(b"#!/bin/sh").contains("not a WebAssembly component"));
    assert!(refusal(b"\0asm\x0d\0\x01\0junk").contains("not a valid component"));
    assert!(refusal(b"\0asm\x02\0\0\0").contains("version"));
    let other_world = wat::parse_str("(component)").unwrap();
    assert!(refusal(&other_world).contains("world \"plugin\""));
    let import = wat::parse_str(r#"(component (import "wasi:http/types@0.2.3" (instance)))"#).unwrap();
    assert!(refusal(&import).contains("imports wasi:http/types@0.2.3, which banhook does not offer"));
    // Without a component type, a core module becomes a component that exports nothing.
    let core = wat::parse_str("(module)").unwrap();
    let text = refusal(&core);
    assert!(text.contains("world \"plugin\"") || text.contains("wasm-tools component new"), "{text}");
}

/// What a component makes the host define and allocate was the daemon's memory: 40 KB took 545 MB.
#[test]
fn load_component_that_declares_too_much_is_rejected() {
    let functions =
        |count: usize| -> String { (0..count).map(|number| format!(r#"(export "f{number:05}" (func))"#)).collect() };
    let versions = |count: usize| -> String {
        let import = |patch| format!(r#"(import "wasi:cli/environment@0.2.{patch}" (instance (type $t)))"#);
        (0..count).map(import).collect()
    };
    let types = |count: usize| "(type (list u8))".repeat(count);
    for (text, words) in [
        (format!("(type $t (instance {})){}", functions(1_000), versions(900)), "900 imports, 100 are allowed"),
        (format!("(type $t (instance {})){}", functions(1_000), versions(1)), "#f00000, which WASI 0.2 does not have"),
        ("(core module)".repeat(201), "201 core modules, 200 are allowed"),
        ("(component)".repeat(201), "components, 200 are allowed"),
        (types(20_001), "20001 types, 20000 are allowed"),
        (format!("(type (instance {}))", functions(20_001)), "types, 20000 are allowed"),
        (format!("(core module $m){}", "(core instance (instantiate $m))".repeat(1_001)), "1001 instances"),
        (format!(r#"(import "{}" (func))"#, "f".repeat(257)), "a name of 257 bytes"),
        (format!("(core module {})", "(global i32 (i32.const 0))".repeat(200_001)), "200001 parts of core modules"),
        (
            r#"(core module (memory 256) (data (i32.const 0) "a") (data (i32.const 16777208) "b"))"#.repeat(3),
            "bytes once compiled",
        ),
    ] {
        let error = refusal(&wat::parse_str(format!("(component {text})")).unwrap());
        assert!(error.contains(words), "{words}: {error}");
        assert!(error.len() < 1_000, "{} bytes", error.len());
    }
}

#[test]
fn load_several_versions_of_an_interface_gets_all_its_functions() {
    let component = r#"(component
        (import "wasi:cli/environment@0.2.0" (instance (export "get-arguments" (func (result (list string))))))
        (import "wasi:cli/environment@0.2.9" (instance
            (export "initial-cwd" (func (result (option string))))
            (export "get-arguments" (func (result (list string))))))
        (import "wasi:cli/environment@0.2.10" (instance
            (export "get-environment" (func (result (list (tuple string string))))))))"#;
    let error = refusal(&wat::parse_str(component).unwrap());
    assert!(error.contains("world \"plugin\""), "{error}");
}

#[test]
fn format_trap_in_functions_with_long_names_has_a_short_backtrace() {
    let name = "x".repeat(90_000);
    let text = format!(
        r#"(module (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
            (func ${name} (param i32) (result i32)
                (if (i32.eqz (local.get 0)) (then unreachable))
                (call ${name} (i32.sub (local.get 0) (i32.const 1))))
            (func (export "banhook:plugin/formatter@0.1.0#format") (param i32) (result i32) (call ${name} (i32.const 100))))"#
    );
    let plugin = load(&runtime(None), &guest::plugin(&text, "plugin"), &[]).unwrap();
    let error = plugin.format(&standard::events()[0]).decision.unwrap_err();
    let lines: Vec<_> = error.details().collect();
    assert!(lines.iter().any(|line| line.contains("xxxx")), "{lines:?}");
    assert!(lines.iter().all(|line| line.len() <= 200), "{:?}", lines.iter().map(|line| line.len()));
    assert!((20..30).contains(&lines.len()), "{} lines", lines.len());
}

/// The bits of a NaN, and what relaxed SIMD leaves open, are the processor's otherwise.
#[test]
fn format_nan_and_relaxed_simd_have_the_same_bits_on_every_processor() {
    let guest = guest::plugin(include_str!("../testdata/arithmetic.wat"), "plugin");
    let plugin = load(&runtime(None), &guest, &[]).unwrap();
    let Ok(Decision::Skip(bits)) = plugin.format(&standard::events()[0]).decision else { panic!("no skip") };
    let [double, float] = ["7ff8000000000000", "000000007fc00000"];
    assert_eq!(
        bits.split_whitespace().collect::<Vec<_>>(),
        [
            double,
            double,
            double,
            double,
            float,
            "7fc000007fc00000",
            // Relaxed: an index out of range, a NaN as an integer, -1 times -1 in Q15, and a product that is rounded once.
            "0000000000000000",
            "0000000000000000",
            "7fff7fff7fff7fff",
            "3380000033800000",
        ]
    );
}

#[test]
fn format_without_memory_names_memory_and_not_fuel() {
    // It asks for memory again and again, as a garbage collector may.
    let text = r#"(module (memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
        (func (export "banhook:plugin/formatter@0.1.0#format") (param i32) (result i32)
            (loop $again (drop (memory.grow (i32.const 2000))) (br $again)) (unreachable)))"#;
    for metering in [Metering::Fuel, Metering::Time] {
        let sandbox = Sandbox::STANDARD;
        let runtime = Runtime::new(Setup { cache: None, compiler: Compiler::Here, metering, sandbox }).unwrap();
        let (providers, _) = runtime.host().open(&PluginContext::refusing());
        let limits = Limits { time: Duration::from_millis(50), ..LIMITS };
        let plugin = runtime.load(&guest::plugin(text, "plugin"), &providers, limits).unwrap();
        let error = plugin.format(&standard::events()[0]).decision.unwrap_err();
        assert!(matches!(error, PluginError::Memory { .. }), "{error}");
    }
}

/// A cache that holds the built-in plugin, and the file that it is in.
fn filled(folder: &Path) -> (Cache, PathBuf) {
    let cache = Cache::open(folder).unwrap();
    load(&runtime(Some(cache.clone())), BUILT_IN, &[]).unwrap();
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [file] = &files[..] else { panic!("{files:?}") };
    (cache, file.clone())
}

/// Whether the built-in plugin is loaded from the cache: compiling would replace its file.
fn is_loaded_from(cache: &Cache, file: &Path) -> bool {
    let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&fs::symlink_metadata(path).unwrap());
    let before = inode(file);
    // Held open, so that the inode's number is not used again.
    let _held = fs::File::open(file);
    let plugin = load(&runtime(Some(cache.clone())), BUILT_IN, &[]).unwrap();
    assert!(plugin.smoke_test().is_empty());
    inode(file) == before
}

#[test]
fn cache_file_that_others_could_write_is_not_used() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("cache");
    let (cache, file) = filled(&folder);
    assert!(is_loaded_from(&cache, &file));

    fs::set_permissions(&file, fs::Permissions::from_mode(0o620)).unwrap();
    assert!(!is_loaded_from(&cache, &file), "writable by the group");
    assert!(is_loaded_from(&cache, &file), "written again");

    fs::hard_link(&file, temp.path().join("other-name")).unwrap();
    assert!(!is_loaded_from(&cache, &file), "has a second name");

    let elsewhere = temp.path().join("elsewhere");
    fs::rename(&file, &elsewhere).unwrap();
    symlink(&elsewhere, &file).unwrap();
    assert!(!is_loaded_from(&cache, &file), "a link");
    assert!(is_loaded_from(&cache, &file), "the link was replaced, not followed");
}

#[test]
fn cache_damaged_file_is_compiled_again() {
    let temp = tempfile::tempdir().unwrap();
    let (cache, file) = filled(&temp.path().join("cache"));
    let whole = fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for (damage, bytes) in [("flipped bit", &flipped[..]), ("truncated", &whole[..whole.len() / 2]), ("empty", &[])] {
        fs::write(&file, bytes).unwrap();
        assert!(!is_loaded_from(&cache, &file), "{damage}");
    }
    assert!(is_loaded_from(&cache, &file));
}

#[test]
fn cache_folder_that_others_can_enter_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o750)).unwrap();
    assert!(Cache::open(temp.path()).unwrap_err().to_string().contains("0700"));
    let link = temp.path().join("link");
    let own = tempfile::tempdir().unwrap();
    symlink(own.path(), &link).unwrap();
    assert!(Cache::open(&link).is_err());
}

/// A small plugin, in a version of its own: a custom section that nobody reads makes it another file.
fn version(number: u8) -> Vec<u8> {
    [&guest::asks_history()[..], &[0, 3, 1, b'v', number]].concat()
}

/// How many times files of a folder are mapped.
fn mapped(folder: &Path) -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let is_beginning = |line: &&str| line.split_whitespace().nth(2) == Some("00000000");
    maps.lines().filter(|line| line.contains(folder.to_str().unwrap())).filter(is_beginning).count()
}

#[test]
fn components_same_file_twice_is_mapped_once_and_freed_with_its_last_plugin() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("cache");
    let runtime = runtime(Some(Cache::open(&folder).unwrap()));
    let load_version = |number| load(&runtime, &version(number), &[]).unwrap();
    let old = (load_version(1), load_version(1));
    assert_eq!(mapped(&folder), 1);
    let new = load_version(2);
    assert_eq!(mapped(&folder), 2);
    drop(old.0);
    assert_eq!(mapped(&folder), 2);
    drop(old.1);
    assert_eq!(mapped(&folder), 1);
    drop((load_version(1), new));
    assert_eq!(mapped(&folder), 0);
}

#[test]
fn prepare_then_load_does_not_compile_again() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("cache");
    let runtime = runtime(Some(Cache::open(&folder).unwrap()));
    runtime.prepare(&version(1), &LIMITS).unwrap();
    let [file] = &files(&folder)[..] else { panic!("not one file") };
    fs::remove_file(folder.join(file)).unwrap();
    load(&runtime, &version(1), &[]).unwrap();
    assert_eq!(files(&folder), [] as [&str; 0]);
}

/// The names of a folder's files.
fn files(folder: &Path) -> Vec<String> {
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    files
}

#[test]
fn cache_full_removes_what_was_used_longest_ago_and_is_not_in_use() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("cache");
    let (cache, used) = filled(&folder);
    let engine = used.file_name().unwrap().to_str().unwrap().split_once('-').unwrap().1.to_owned();
    let add = |number: u64, mebibytes: u64, minutes: u64| {
        let path = folder.join(format!("{number:064x}-{engine}"));
        let file = fs::File::create(&path).unwrap();
        file.set_len(mebibytes << 20).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(minutes * 60)).unwrap();
        path
    };
    let (old, older, new) = (add(1, 200, 20), add(2, 200, 30), add(3, 200, 10));
    let part = folder.join("part-AbCdEf");
    fs::File::create(&part).unwrap().set_modified(SystemTime::now() - Duration::from_secs(7_200)).unwrap();
    let runtime = runtime(Some(cache));
    let _loaded = load(&runtime, BUILT_IN, &[]).unwrap();
    fs::File::options().append(true).open(&used).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    load(&runtime, &version(1), &[]).unwrap();
    assert!(used.exists() && old.exists() && new.exists());
    assert!(!older.exists() && !part.exists());
    assert_eq!(files(&folder).len(), 4, "the new one is stored");
    // Nothing can be removed that is in use.
    fs::File::options().append(true).open(&used).unwrap().set_len(1 << 30).unwrap();
    load(&runtime, &version(2), &[]).unwrap();
    assert_eq!(files(&folder), [used.file_name().unwrap().to_str().unwrap()]);
}

#[test]
fn cache_unused_and_foreign_engine_files_are_removed() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("cache");
    let days_ago = |days: u64| SystemTime::now() - Duration::from_secs(days * 86_400);
    let age = |file: &Path, days| {
        fs::File::options().append(true).create(true).open(file).unwrap().set_modified(days_ago(days)).unwrap();
    };
    let (cache, file) = filled(&folder);
    let name = file.file_name().unwrap().to_str().unwrap();
    let (component, engine) = name.split_once('-').unwrap();
    let stay = [
        format!("{:064x}-{engine}", 1),
        "notes".to_owned(),
        ".tmpAbCdEf".to_owned(),
        format!("{component}.cwasm"),
        format!("{name}.old"),
        format!("copy-{engine}"),
        format!("{component}-00.cwasm"),
    ];
    let go = [format!("{component}-{:016x}.cwasm", 0), format!("{:064x}-{engine}", 2)];
    stay.iter().for_each(|name| age(&folder.join(name), 400));
    age(&folder.join(&stay[0]), 29);
    age(&folder.join(&go[0]), 0);
    age(&folder.join(&go[1]), 31);
    age(&file, 400);

    let runtime = runtime(Some(cache));
    let _loaded = load(&runtime, BUILT_IN, &[]).unwrap();
    assert!(fs::metadata(&file).unwrap().modified().unwrap() > days_ago(1), "used now");
    assert_eq!(files(&folder).len(), 1 + stay.len() + go.len(), "nothing new was stored");
    // In use all the time, though loaded long ago.
    age(&file, 400);
    load(&runtime, &version(1), &[]).unwrap();
    let left = files(&folder);
    assert!(left.iter().any(|left| left == name), "in use: {left:?}");
    assert!(stay.iter().all(|name| left.contains(name)), "{left:?}");
    assert!(!go.iter().any(|name| left.contains(name)), "{left:?}");
    assert_eq!(left.len(), 2 + stay.len());
}

#[test]
fn cache_has_the_functions_of_the_plugin_that_was_last_at_a_path() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("plugin.wasm");
    let cache = Cache::open(&temp.path().join("cache")).unwrap();
    let runtime = runtime(Some(cache.clone()));
    let grants = grantable().into_iter().map(|(name, _)| (name, Grant::Refused)).collect();
    let (providers, _) = runtime.host().open(&PluginContext { grants, ..PluginContext::default() });
    let engine = engine::engine(Metering::Time, Sandbox::STANDARD).unwrap();
    let functions = || cache.functions(&engine, &path);
    let load = |file: &[u8]| {
        fs::write(&path, file).unwrap();
        runtime.load_file(&path, &providers, LIMITS, None).unwrap();
        functions().unwrap()
    };
    assert!(cache.functions(&engine, &path).is_none());
    let first = load(BUILT_IN);
    assert!(first.len() > 10_000, "{}", first.len());
    assert_ne!(load(&guest::digests()), first);
    assert!(cache.functions(&engine, &temp.path().join("other.wasm")).is_none());
    let file = files(&temp.path().join("cache")).into_iter().find(|name| name.ends_with(".functions")).unwrap();
    let file = temp.path().join("cache").join(file);
    let mut damaged = fs::read(&file).unwrap();
    damaged[10] ^= 1;
    fs::write(&file, damaged).unwrap();
    assert!(functions().is_none());
    assert!(!load(&version(1)).is_empty(), "it is compiled whole");
}
