//! A real browser: Debian's Chromium without a window, driven over its pipe in the Chrome DevTools Protocol.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::polling::within;

/// How long an answer may take while other tests run.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// How long the page may take: it may wait for a build, while other tests run.
const SHOWN_WITHIN: Duration = Duration::from_secs(300);

/// A browser with one page.
pub struct Chromium {
    browser: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    next_id: u64,
    session: String,
    /// The addresses that the page has asked for.
    requested: Vec<String>,
    _profile: TempDir,
}

impl Chromium {
    /// Starts the browser. It fails where there is none.
    pub fn start() -> Self {
        let profile = tempfile::Builder::new().prefix("banhook-chromium-").tempdir().unwrap();
        // It takes commands on descriptor 3 and answers on 4. As root it has no sandbox of its own.
        let mut browser = Command::new("sh")
            .args(["-c", "exec 3<&0 4>&1 </dev/null >/dev/null 2>&1; exec chromium \"$@\"", "sh"])
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
            .args(["--disable-background-networking", "--remote-debugging-pipe", "--disable-extensions"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .env("HOME", profile.path())
            .env("XDG_CONFIG_HOME", profile.path())
            .env("XDG_CACHE_HOME", profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let commands = browser.stdin.take().unwrap();
        let mut answers = BufReader::new(browser.stdout.take().unwrap());
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while answers.read_until(0, &mut message).is_ok_and(|read| read > 0) {
                message.pop();
                if sender.send(serde_json::from_slice(&message).unwrap()).is_err() {
                    return;
                }
                message.clear();
            }
        });
        let mut chromium = Self {
            browser,
            commands,
            messages,
            next_id: 1,
            session: String::new(),
            requested: Vec::new(),
            _profile: profile,
        };
        let target = chromium.call("Target.createTarget", json!({ "url": "about:blank" }));
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        let session = chromium.call("Target.attachToTarget", target);
        chromium.session = session["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Network"] {
            chromium.call(&format!("{domain}.enable"), json!({}));
        }
        chromium
    }

    /// Opens an address.
    pub fn open(&mut self, url: &str) {
        let opened = self.call("Page.navigate", json!({ "url": url }));
        assert!(opened.get("errorText").is_none(), "{url}: {opened}");
    }

    /// Returns the value of an expression on the page.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", parameters);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Returns the text of the first element of a selector; empty if there is none.
    pub fn text(&mut self, selector: &str) -> String {
        let found = self.evaluate(&format!("document.querySelector({})?.innerText ?? ''", json!(selector)));
        found.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the text of an element holds this.
    #[track_caller]
    pub fn wait_for_text(&mut self, selector: &str, text: &str) {
        within(SHOWN_WITHIN, &format!("{text:?} in {selector}"), || {
            let found = self.text(selector);
            if found.contains(text) { Ok(()) } else { Err(found) }
        });
    }

    /// Presses a key. `control`: with that key.
    pub fn press(&mut self, key: &str, control: bool) {
        let text = match key {
            "Enter" => "\r",
            key if key.len() == 1 => key,
            _ => "",
        };
        let code = match key {
            "Enter" => 13,
            "Escape" => 27,
            "Tab" => 9,
            key => u32::from(key.to_ascii_uppercase().as_bytes()[0]),
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({ "type": kind, "key": key, "windowsVirtualKeyCode": code, "modifiers": if control { 2 } else { 0 } });
            if kind == "keyDown" && !control && !text.is_empty() {
                event["text"] = json!(text);
            }
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Types text where the cursor is.
    pub fn insert_text(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Shows pages as to somebody who prefers this.
    pub fn set_color_scheme(&mut self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", features);
    }

    /// Returns the addresses that the page has asked for until now.
    pub fn requested(&mut self) -> Vec<String> {
        // An answer comes after all that happened before it.
        self.evaluate("1");
        self.requested.clone()
    }

    /// Calls a method and waits for its answer.
    fn call(&mut self, method: &str, parameters: Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        let mut command = json!({ "id": id, "method": method, "params": parameters });
        if !self.session.is_empty() {
            command["sessionId"] = json!(self.session);
        }
        let sent = self.commands.write_all(format!("{command}\0").as_bytes());
        sent.unwrap_or_else(|error| panic!("no Chromium ({error}); `cargo xtask test` installs it"));
        let deadline = Instant::now() + ANSWER_WITHIN;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = self.messages.recv_timeout(left);
            let message = message.unwrap_or_else(|error| panic!("Chromium does not answer {method}: {error}"));
            if message["method"] == "Network.requestWillBeSent" {
                self.requested.extend(message["params"]["request"]["url"].as_str().map(str::to_owned));
            }
            if message["id"] == id {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].clone();
            }
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // Its children end with it.
        self.browser.kill().ok();
        self.browser.wait().ok();
    }
}
