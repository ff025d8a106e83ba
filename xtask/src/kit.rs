//! The plugin author's kit: how long cases take, and how soon a change is seen. Cases are compared with as many `/bin/sh -c`
//! in the same round, since machines differ.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::bench_env::{BenchDaemon, BenchDir};
use crate::command::{run, target_dir};
use crate::guests::{self, Guest};
use crate::statistics::{median, median_ratio};
use crate::webhook::Webhook;
use crate::{packages, programs};

/// Cases of one run of `banhook test`, and shells that they are compared with.
const CASES: usize = 100;

/// How often they are measured.
const ROUNDS: usize = 7;

/// How often a change is measured.
const CHANGES: usize = 5;

/// How soon a change has to be seen at all.
const SEEN_WITHIN: Duration = Duration::from_secs(120);

const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// A language, what finds its tools in a plugin's directory, and its targets: cases as a multiple of shells, and seconds until
/// a change is seen, where there is one.
struct Language {
    name: &'static str,
    source: &'static str,
    tools: Option<(&'static str, &'static str)>,
    at_most_of_shells: Option<f64>,
    at_most_seconds: Option<f64>,
}

const LANGUAGES: [Language; 4] = [
    Language {
        name: "rust",
        source: "src/lib.rs",
        tools: None,
        at_most_of_shells: Some(0.8),
        at_most_seconds: Some(0.5),
    },
    Language {
        name: "js",
        source: "plugin.js",
        tools: Some(("node_modules", ".tools/javascript/node_modules")),
        at_most_of_shells: Some(4.0),
        at_most_seconds: Some(0.5),
    },
    Language {
        name: "python",
        source: "app.py",
        tools: Some((".venv", ".tools/python")),
        at_most_of_shells: Some(30.0),
        at_most_seconds: None,
    },
    Language {
        name: "c",
        source: "plugin.c",
        tools: Some((".venv", ".tools/c")),
        at_most_of_shells: None,
        at_most_seconds: None,
    },
];

/// Measures and prints; `languages`: only these, or all. Fails if a target is missed.
pub fn bench(root: &Path, languages: &[String]) -> anyhow::Result<()> {
    packages::ensure(&packages::for_guest(Guest::Python))?;
    programs::build(root)?;
    guests::build(root, &[Guest::Python])?;
    guests::install_tools(root)?;
    let folder = BenchDir::new(root)?;
    let banhook = target_dir(root)?.join("release/banhook");
    let mut missed = Vec::new();
    let mut judge = |name: String, value: f64, at_most: Option<f64>| {
        let limit = at_most.map(|at_most| format!("   at most {at_most:.2}")).unwrap_or_default();
        println!("  {name:<58}{value:>9.2}{limit}");
        if at_most.is_some_and(|at_most| value.is_nan() || value > at_most) {
            missed.push(name);
        }
    };
    for language in LANGUAGES.iter().filter(|one| languages.is_empty() || languages.iter().any(|name| name == one.name))
    {
        println!("{}", language.name);
        let kit = Kit { root, banhook: &banhook, directory: folder.0.join(language.name), language };
        let building = kit.make()?;
        judge("first build, s".to_owned(), building, None);
        let (cases, shells) = kit.cases()?;
        judge(format!("{CASES} cases, whole process, ms"), median(&cases), None);
        let ratio = median_ratio(&cases, &shells);
        judge(format!("  of {CASES} /bin/sh -c"), ratio, language.at_most_of_shells);
        let reloads = kit.reloads(&folder.0)?;
        judge("new file to use by a daemon, s".to_owned(), median(&reloads), language.at_most_seconds);
        let pages = kit.pages()?;
        let of_page = language.at_most_seconds.map(|_| 1.0);
        judge("component built to page updated, s".to_owned(), median(&pages), of_page);
    }
    ensure!(missed.is_empty(), "the kit misses: {}", missed.join("; "));
    Ok(())
}

/// A plugin in one language.
struct Kit<'k> {
    root: &'k Path,
    banhook: &'k Path,
    directory: PathBuf,
    language: &'k Language,
}

impl Kit<'_> {
    fn banhook(&self) -> Command {
        let mut command = Command::new(self.banhook);
        command.env("XDG_CACHE_HOME", self.directory.with_extension("cache"));
        command
    }

    /// Makes the plugin and builds it; returns the seconds of the build.
    fn make(&self) -> anyhow::Result<f64> {
        let parent = self.directory.parent().context("the plugin's directory has no parent")?;
        run(self.banhook().current_dir(parent).args([
            "plugin",
            "new",
            self.language.name,
            "--lang",
            self.language.name,
        ]))?;
        if let Some((link, tools)) = self.language.tools {
            std::os::unix::fs::symlink(self.root.join(tools).canonicalize()?, self.directory.join(link))?;
        }
        let began = Instant::now();
        run(self.banhook().args(["plugin", "build"]).arg(&self.directory))?;
        Ok(began.elapsed().as_secs_f64())
    }

    /// Runs cases and shells in turn; in milliseconds.
    fn cases(&self) -> anyhow::Result<(Vec<f64>, Vec<f64>)> {
        let case = fs::read(self.directory.join("cases/ban.json"))?;
        let many = self.directory.with_extension("cases");
        fs::create_dir_all(&many)?;
        for number in 0..CASES {
            fs::write(many.join(format!("{number:03}.json")), &case)?;
        }
        let test = || {
            let mut test = self.banhook();
            test.arg("test").arg(self.directory.join("plugin.wasm")).arg(&many).stdout(Stdio::null());
            milliseconds(|| run(&mut test))
        };
        // Compiles the plugin, which is cached then.
        test()?;
        let shells = || milliseconds(|| (0..CASES).try_for_each(|_| run(Command::new("/bin/sh").args(["-c", ":"]))));
        let rounds = (0..ROUNDS).map(|_| Ok((test()?, shells()?))).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(rounds.into_iter().unzip())
    }

    /// Gives a daemon another version of the plugin; returns the seconds until it uses that.
    fn reloads(&self, folder: &Path) -> anyhow::Result<Vec<f64>> {
        let built = fs::read(self.directory.join("plugin.wasm"))?;
        let folder = folder.join(format!("{}-daemon", self.language.name));
        fs::create_dir_all(&folder)?;
        let installed = folder.join("plugin.wasm");
        fs::write(&installed, &built)?;
        let webhook = Webhook::open()?;
        let daemon = BenchDaemon::start(self.root, &folder, &webhook, "", "plugin = \"plugin.wasm\"\n")?;
        wait(|| daemon.is_loaded())?;
        let log = folder.join("run.log");
        (0..CHANGES)
            .map(|number| {
                let new = installed.with_extension("new");
                fs::write(&new, different(&built, number))?;
                let before = fs::read_to_string(&log)?.matches(RELOADED).count();
                let began = Instant::now();
                fs::rename(&new, &installed)?;
                wait(|| Ok(fs::read_to_string(&log)?.matches(RELOADED).count() > before))?;
                Ok(began.elapsed().as_secs_f64())
            })
            .collect()
    }

    /// Changes the source while `plugin dev` runs; returns the seconds from the new component to the new page.
    fn pages(&self) -> anyhow::Result<Vec<f64>> {
        let mut dev = Dev::start(self.banhook().args(["plugin", "dev"]).arg(&self.directory))?;
        let source = self.directory.join(self.language.source);
        let component = self.directory.join("plugin.wasm");
        dev.wait_for("built in")?;
        (0..CHANGES)
            .map(|number| {
                let text = fs::read_to_string(&source)?;
                let word = |number| if number == 0 { "banned".to_owned() } else { format!("blocked{number}") };
                let (from, to) = (word(number), word(number + 1));
                // In each language the word is a text by itself, or begins one.
                let quoted = |text: &str, open: &str, close: &str| {
                    text.replace(&format!("{open}{from}{close}"), &format!("{open}{to}{close}"))
                };
                let text = quoted(&quoted(&text, "'", "'"), "\"", "\"");
                fs::write(&source, quoted(&text, " ", " in "))?;
                dev.wait_for(&to)?;
                let seen = std::time::SystemTime::now();
                let built = component.metadata()?.modified()?;
                Ok(seen.duration_since(built)?.as_secs_f64())
            })
            .collect()
    }
}

/// What a daemon logs when it uses a new version.
const RELOADED: &str = "new version of the route or its plugin installed";

/// Returns the same plugin with another hash: with a custom section, which is ignored, at its end.
fn different(plugin: &[u8], number: usize) -> Vec<u8> {
    let name = format!("bench-{number}");
    let mut section =
        vec![0, u8::try_from(name.len() + 1).unwrap_or_default(), u8::try_from(name.len()).unwrap_or_default()];
    section.extend(name.as_bytes());
    [plugin, &section].concat()
}

/// A running `banhook plugin dev`. Killed on drop.
struct Dev {
    process: Child,
    address: String,
    path: String,
    revision: u64,
}

impl Dev {
    fn start(command: &mut Command) -> anyhow::Result<Self> {
        let mut process = command.stdout(Stdio::piped()).spawn()?;
        let mut output = BufReader::new(process.stdout.take().context("no output")?);
        let mut url = String::new();
        output.read_line(&mut url)?;
        // Its other lines are read, so that it never waits.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        let rest = url.trim().strip_prefix("http://").context("no address")?;
        let (address, path) = rest.split_once('/').context("no path")?;
        Ok(Self { process, address: address.to_owned(), path: format!("/{path}"), revision: 0 })
    }

    /// Follows the page until it has this text.
    fn wait_for(&mut self, text: &str) -> anyhow::Result<()> {
        let deadline = Instant::now() + SEEN_WITHIN;
        loop {
            ensure!(Instant::now() < deadline, "the page does not show {text:?}");
            let mut stream = TcpStream::connect(&self.address)?;
            let Self { address, path, revision, .. } = self;
            write!(
                stream,
                "GET {path}content?after={revision} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
            )?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            if let Some(revision) = header(&answer, "x-revision: ") {
                self.revision = revision.parse()?;
            }
            if answer.contains(text) {
                return Ok(());
            }
        }
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let line = answer.lines().find(|line| line.to_ascii_lowercase().starts_with(name))?;
    line.get(name.len()..)
}

fn milliseconds(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let began = Instant::now();
    work()?;
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

fn wait(mut is_done: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let deadline = Instant::now() + SEEN_WITHIN;
    while !is_done()? {
        ensure!(Instant::now() < deadline, "nothing changed within {SEEN_WITHIN:?}");
        std::thread::sleep(POLL_INTERVAL);
    }
    Ok(())
}
