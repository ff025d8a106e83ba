//! `plugin dev`: the live page, in a real browser.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Stdio};

use serde_json::Value;

use crate::chromium::Chromium;
use crate::plugin_new::{author_command, link_tools};
use crate::polling::until;
use crate::test_env::TestEnv;

/// `banhook plugin dev`, with its page's address. Killed on drop.
struct Dev {
    process: Child,
    url: String,
    /// Its other lines, for which the pipe has room.
    _output: BufReader<ChildStdout>,
}

impl Dev {
    /// Makes a plugin in JavaScript and starts `plugin dev` for it.
    fn start(env: &TestEnv) -> Self {
        env.banhook(["plugin", "new", "mine", "--lang", "js"]).ok();
        link_tools(env, "js", "mine");
        let mut command = author_command(env);
        command.args(["plugin", "dev", "mine"]);
        let mut process = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut url = String::new();
        output.read_line(&mut url).unwrap();
        Self { process, url: url.trim().to_owned(), _output: output }
    }

    /// Sends a request of one's own and returns the status of the answer.
    fn status(&self, method: &str, path: &str, host: Option<&str>) -> u16 {
        let address = self.url.trim_start_matches("http://").split('/').next().unwrap();
        let host = host.unwrap_or(address);
        let mut stream = TcpStream::connect(address).unwrap();
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }

    fn path(&self) -> &str {
        self.url.trim_start_matches("http://").split_once('/').unwrap().1.trim_end_matches('/')
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn case(env: &TestEnv, name: &str) -> (PathBuf, Value) {
    let file = env.path("mine/cases").join(format!("{name}.json"));
    let case = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    (file, case)
}

/// The targets that a case is shown on.
const TARGETS: u32 = 10;

#[test]
#[ignore = "needs componentize-qjs and Chromium: cargo xtask test"]
fn page_follows_the_source_and_accepts_by_keyboard() {
    let env = TestEnv::new();
    let dev = Dev::start(&env);
    let mut page = Chromium::start();
    page.open(&dev.url);
    page.wait_for_text("#sum", "6 passed, 0 failed");
    page.wait_for_text("#build", "built in");
    page.wait_for_text("#plugin", "s old");

    // Each case on every target, in light and dark, and nothing of an attacker's text acts.
    assert_eq!(page.evaluate("document.querySelectorAll('#case-ban .target article').length"), TARGETS);
    page.wait_for_text("#case-ban [data-target=mattermost]", "203.0.113.7 banned in sshd");
    let (_, hostile) = case(&env, "hostile");
    let subject = hostile["event"]["subject"].as_str().unwrap();
    assert!(subject.contains('<'), "{subject}");
    page.wait_for_text("#case-hostile [data-target=slack]", &subject[..10]);
    assert_eq!(page.evaluate("document.querySelectorAll('#content script, #content img').length"), 0);
    let background = "getComputedStyle(document.body).backgroundColor";
    page.set_color_scheme("light");
    let light = page.evaluate(background);
    page.set_color_scheme("dark");
    assert_ne!(page.evaluate(background), light);

    // A change of the source: the page shows the difference, `a` makes it the expected decision.
    let source = env.path("mine/plugin.js");
    let before = fs::read_to_string(&source).unwrap();
    let after = before.replace("'banned'", "'blocked'");
    assert_ne!(after, before);
    fs::write(&source, &after).unwrap();
    page.wait_for_text("#case-ban .difference ins", "blocked in");
    page.press("j", false);
    page.press("j", false);
    page.press("k", false);
    page.wait_for_text("#case-ban:focus h2", "ban");
    page.wait_for_text("nav a[aria-current]", "ban");
    page.press("a", false);
    page.wait_for_text("#case-ban .result", "ok");
    let (_, accepted) = case(&env, "ban");
    assert!(accepted["decision"].to_string().contains("blocked in"), "{accepted}");
    // The next case is where the keyboard is, although the page was replaced.
    page.press("j", false);
    assert!(!page.text("nav a[aria-current]").is_empty());

    // A mistake in the source is shown above the last version that was built.
    fs::write(&source, format!("{after}\nfunction (")).unwrap();
    page.wait_for_text("#failure", "plugin.js");
    assert!(page.text("#case-ban [data-target=slack]").contains("blocked in"));
    fs::write(&source, &after).unwrap();
    page.wait_for_text("#build", "built in");
    until("the mistake to be gone", || match page.text("#failure") {
        text if text.is_empty() => Ok(()),
        text => Err(text),
    });

    // A case that is changed on disk is run again without a build.
    let (file, mut changed) = case(&env, "ban");
    changed["about"] = Value::from("changed on disk");
    fs::write(file, changed.to_string()).unwrap();
    page.wait_for_text("#case-ban .about", "changed on disk");

    let foreign: Vec<_> = page.requested().into_iter().filter(|url| !url.starts_with(&dev.url)).collect();
    assert_eq!(foreign, ["about:blank"; 0]);
}

#[test]
#[ignore = "needs componentize-qjs and Chromium: cargo xtask test"]
fn page_edits_a_case_and_is_only_for_those_who_know_its_address() {
    let env = TestEnv::new();
    let dev = Dev::start(&env);
    let mut page = Chromium::start();
    page.open(&dev.url);
    page.wait_for_text("#sum", "6 passed, 0 failed");
    page.press("j", false);
    page.wait_for_text("#case-ban:focus h2", "ban");
    page.press("e", false);
    page.wait_for_text("#editor label", "A case");
    page.evaluate("document.getElementById('source').select()");
    let edited = r#"{"event": {"action": "ban", "at": "2026-11-22T10:56:55Z", "host": "h", "jail": "edited", "subject": "198.51.100.9"}}"#;
    page.insert_text(edited);
    page.press("Enter", true);
    page.wait_for_text("#result [data-target=discord]", "198.51.100.9 banned in edited");
    // What is wrong is said, and nothing is stored.
    page.evaluate("document.getElementById('source').select()");
    page.insert_text(r#"{"evnt": {}}"#);
    page.press("Enter", true);
    page.wait_for_text("#tried", "did you mean \"event\"?");
    let (file, before) = case(&env, "ban");
    assert_eq!(before["event"]["jail"], "sshd");
    page.evaluate("document.getElementById('source').select()");
    page.insert_text(edited);
    page.evaluate("document.getElementById('save').click()");
    page.wait_for_text("#case-ban [data-target=slack]", "edited");
    let stored = fs::read_to_string(file).unwrap();
    assert!(stored.contains("\"decision\"") && stored.contains("198.51.100.9"), "{stored}");

    let token = dev.path();
    for (method, path, host, status) in [
        ("GET", format!("/{token}/"), None, 200),
        ("GET", "/".to_owned(), None, 404),
        ("GET", format!("/{}/", "0".repeat(token.len())), None, 404),
        ("GET", format!("/{token}/"), Some("evil.example"), 403),
        ("POST", format!("/{token}/accept?case=../../config"), None, 422),
        ("POST", format!("/{token}/save?case=.hidden"), None, 422),
        ("DELETE", format!("/{token}/"), None, 404),
    ] {
        assert_eq!(dev.status(method, &path, host), status, "{method} {path} {host:?}");
    }
}

#[test]
fn dev_without_a_plugin_says_so() {
    let env = TestEnv::new();
    env.banhook(["plugin", "dev", "."]).exits(2).complains(&["there is no plugin in", "banhook plugin new"]);
    env.banhook(["plugin", "dev", "nowhere"]).exits(2).complains(&["cannot find nowhere"]);
}
