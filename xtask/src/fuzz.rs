//! Fuzzing with libFuzzer. The crates of this workspace are compiled a second time, with coverage; what they depend on is that
//! of the tests.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::command::{cargo, output, run, target_dir};

/// A target, and the folders of the tree that have inputs for it besides its own corpus.
struct Target {
    name: &'static str,
    inputs: &'static [&'static str],
    /// The longest input, in bytes.
    longest: u32,
    /// Needs plugins that the fuzzer makes, and hours; not one of those that CI runs.
    has_components: bool,
}

const TARGETS: [Target; 8] = [
    Target::text("configuration", &["host/src/config/testdata"], 2_048),
    Target::text("envelope", &[], 512),
    Target::text("event", &[], 1_024),
    Target::text("guard", &[], 2_048),
    Target::text("log", &["host/src/receive/log/testdata"], 4_096),
    Target::text("spool", &[], 2_048),
    Target::with_components("lifting", 8_192),
    Target::with_components("loading", 4_096),
];

impl Target {
    const fn text(name: &'static str, inputs: &'static [&'static str], longest: u32) -> Self {
        Self { name, inputs, longest, has_components: false }
    }

    const fn with_components(name: &'static str, longest: u32) -> Self {
        Self { name, inputs: &[], longest, has_components: true }
    }
}

/// Runs the targets of these names for some seconds each, two at a time; without names, those of CI. `keep`: then replaces the
/// kept corpus by the smallest that covers as much.
pub fn fuzz(root: &Path, names: &[String], seconds: u32, keep: bool) -> anyhow::Result<()> {
    let targets: Vec<_> = TARGETS
        .iter()
        .filter(|target| match names {
            [] => !target.has_components,
            _ => names.iter().any(|name| name == target.name),
        })
        .collect();
    if let Some(unknown) = names.iter().find(|name| TARGETS.iter().all(|target| target.name != **name)) {
        bail!("there is no target {unknown}; there are {}", TARGETS.map(|target| target.name).join(", "));
    }
    let programs = build(root, &targets)?;
    for pair in targets.chunks(2) {
        let running =
            pair.iter().map(|target| start(root, &programs, target, seconds)).collect::<anyhow::Result<Vec<_>>>()?;
        let ended =
            running.into_iter().map(|(mut child, log)| Ok((child.wait()?, log))).collect::<anyhow::Result<Vec<_>>>()?;
        for (target, (status, log)) in pair.iter().zip(ended) {
            let text = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
            let lines: Vec<_> = text.lines().collect();
            ensure!(
                status.success(),
                "{}\n{} found something: the input is in target/fuzz/{}, and becomes a test; repeat it with the file as argument of \
                 {}",
                lines.iter().rev().take(60).rev().copied().collect::<Vec<_>>().join("\n"),
                target.name,
                target.name,
                program(&programs, target)?.display()
            );
            let last = lines.iter().rev().find(|line| line.starts_with("Done") || line.starts_with("#"));
            println!("{}: {}", target.name, last.copied().unwrap_or("no output"));
        }
    }
    if keep {
        targets.iter().try_for_each(|target| replace_corpus(root, &programs, target))?;
    }
    Ok(())
}

/// Builds targets; returns their programs, by their names. All packages are selected, so that what these depend on has the
/// features that it has in the tests.
fn build(root: &Path, targets: &[&Target]) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let has_components = targets.iter().any(|target| target.has_components);
    let feature = if has_components { "banhook-fuzz/components" } else { "banhook-fuzz/libfuzzer" };
    let built = output(
        cargo(root)
            .args([
                "test",
                "--no-run",
                "--workspace",
                "--features",
                feature,
                "--message-format",
                "json-render-diagnostics",
            ])
            .args(targets.iter().flat_map(|target| ["--test".to_owned(), format!("fuzz-{}", target.name)]))
            .env("RUSTC_WORKSPACE_WRAPPER", root.canonicalize()?.join("tests/fuzz/instrument"))
            .stderr(Stdio::inherit()),
    )?;
    let lines = built.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let programs = lines.filter_map(|line| {
        let name = line.pointer("/target/name")?.as_str()?.strip_prefix("fuzz-")?.to_owned();
        Some((name, line.get("executable")?.as_str()?.into()))
    });
    Ok(programs.collect())
}

fn program<'a>(programs: &'a BTreeMap<String, PathBuf>, target: &Target) -> anyhow::Result<&'a Path> {
    programs.get(target.name).map(PathBuf::as_path).with_context(|| format!("cargo built no target {}", target.name))
}

/// Starts a target with the kept corpus, what earlier runs found, and its other inputs. Returns the file of its output as well.
fn start(
    root: &Path,
    programs: &BTreeMap<String, PathBuf>,
    target: &Target,
    seconds: u32,
) -> anyhow::Result<(Child, PathBuf)> {
    let folder = target_dir(root)?.join("fuzz").join(target.name);
    let (found, kept, log) = (folder.join("found"), unpack(root, target)?, folder.join("log"));
    fs::create_dir_all(&found)?;
    let output = fs::File::create(&log)?;
    let child = Command::new(program(programs, target)?)
        .arg(&found)
        .arg(kept)
        .args(target.inputs.iter().map(|inputs| root.join(inputs)))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={}", target.longest))
        .arg(format!("-artifact_prefix={}/", folder.display()))
        .args(["-timeout=20", "-rss_limit_mb=4096", "-print_final_stats=0", "-verbosity=1"])
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
        .with_context(|| format!("starting the target {}", target.name))?;
    Ok((child, log))
}

fn corpus(root: &Path, target: &Target) -> PathBuf {
    root.join(format!("tests/fuzz/corpus/{}.tar.gz", target.name))
}

/// Unpacks the kept corpus; returns its folder, which is empty if there is none.
fn unpack(root: &Path, target: &Target) -> anyhow::Result<PathBuf> {
    let folder = target_dir(root)?.join("fuzz").join(target.name).join("kept");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let corpus = corpus(root, target);
    if corpus.exists() {
        run(Command::new("tar").arg("-xzf").arg(corpus).arg("-C").arg(&folder))?;
    }
    Ok(folder)
}

/// Packs the smallest of all inputs that cover as much, in one file, since they are hundreds of a few bytes.
fn replace_corpus(root: &Path, programs: &BTreeMap<String, PathBuf>, target: &Target) -> anyhow::Result<()> {
    let folder = target_dir(root)?.join("fuzz").join(target.name);
    let smallest = folder.join("smallest");
    let _ = fs::remove_dir_all(&smallest);
    fs::create_dir_all(&smallest)?;
    run(Command::new(program(programs, target)?)
        .args(["-merge=1", "-verbosity=0"])
        .arg(format!("-max_len={}", target.longest))
        .arg(&smallest)
        .args([folder.join("kept"), folder.join("found")])
        .args(target.inputs.iter().map(|inputs| root.join(inputs)))
        .stderr(Stdio::null()))?;
    let corpus = corpus(root, target);
    corpus.parent().map_or(Ok(()), fs::create_dir_all)?;
    run(Command::new("tar")
        .args(["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "-czf"])
        .arg(&corpus)
        .arg("-C")
        .arg(&smallest)
        .arg("."))?;
    println!("{}: {} inputs kept", target.name, fs::read_dir(&smallest)?.count());
    Ok(())
}
