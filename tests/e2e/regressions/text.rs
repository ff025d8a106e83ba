//! Text from outside, from `notify` to the body that a chat gets: what the chats' own parsers find in it.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::binary::root;
use crate::polling::within;
use crate::test_env::{QUICK, TestEnv};

const TARGETS: [&str; 9] =
    ["slack", "mattermost", "rocketchat", "discord", "zulip", "ntfy", "telegram", "teams", "json"];

/// How long hundreds of messages may take; other tests run at the same time.
const FORMATTING: Duration = Duration::from_secs(120);

/// Templates as people write them, around the subject `ip`.
const TEMPLATES: [&str; 6] = [
    // The built-in one.
    "",
    "[{{ jail }}] {{ ip | code }}",
    "*{{ ip }}* in _{{ jail }}_: {{ ip | lower }} {{ ip | upper }} {{ ip | replace('e', 'E') }}\\n{{ ip }}\\n{{ ip[:40] }}",
    "{{ ip }} <https://example.org/{{ ip }}|{{ ip }}> {{ ip | code }} ({{ ip }}) {{ [ip, jail] | join(', ') }}",
    ":no_entry: {{ ip | code }} {{ jail | code }} `[` {{ ip }}\\n---\\n{{ ip }}\\n{{ ip | default('?') }}",
    // Does not render for this event: the fallback message goes out.
    "{{ failures + 1 }}",
];

/// What is active in each of these bodies.
fn active(bodies: &[(&str, &Value)]) -> Vec<Vec<String>> {
    let packages =
        std::env::var_os("BANHOOK_CHAT_PARSERS").map_or_else(|| root().join(".tools/chat_parsers"), PathBuf::from);
    let mut node = Command::new("node")
        .arg(root().join("tests/e2e/chat_parsers/parse.js"))
        .env("CHAT_PARSERS", packages)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node, which `cargo xtask test` installs");
    let lines: String =
        bodies.iter().map(|(target, body)| json!({ "target": target, "body": body }).to_string() + "\n").collect();
    let mut stdin = node.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success(), "the parsers, which `cargo xtask test` installs: {}", output.status);
    writer.join().unwrap().unwrap();
    let found = String::from_utf8(output.stdout).unwrap();
    found.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The bodies that each route makes of a ban of each subject, by target, template and subject.
fn bodies(env: &TestEnv, subjects: &[String]) -> Vec<(&'static str, usize, Vec<Value>)> {
    let mut config = String::new();
    for target in TARGETS {
        // Nobody listens there: the messages stay.
        let address = match target {
            "telegram" => "api_url = \"http://127.0.0.1:9/\"\ntoken_file = \"bot.token\"\nchannel = \"@bans\"",
            "teams" => "url_file = \"workflow.url\"",
            _ => "url_file = \"closed.url\"",
        };
        config += &format!("[webhooks.{target}]\n{address}\ntarget = \"{target}\"\n{QUICK}\n");
    }
    for target in TARGETS {
        for (index, template) in TEMPLATES.iter().enumerate() {
            config += &format!(
                "[[routes]]\nname = \"{target}-{index}\"\nwebhook = \"{target}\"\nstorm = false\nrestart = false\n"
            );
            if !template.is_empty() {
                config += &format!("[routes.settings]\nban = \"{}\"\n", template.replace('"', "\\\""));
            }
        }
    }
    env.write("config.toml", config);
    env.write_secret("closed.url", "http://127.0.0.1:9/services/T0/B0/X");
    env.write_secret("workflow.url", "http://127.0.0.1:9/workflows/X?sig=X");
    env.write_secret("bot.token", "123456:XXX");
    for subject in subjects {
        // Also a jail that an attacker named, as the log source could find one.
        let ip = format!("--ip={subject}");
        env.banhook(["notify", "ban", "--no-spawn", "--jail", "[x", &ip]).ok();
    }
    let _daemon = env.daemon();
    let expected = subjects.len() * TARGETS.len() * TEMPLATES.len();
    let mut messages = Vec::new();
    within(FORMATTING, &format!("{expected} messages"), || {
        let list = env.banhook(["queue", "list", "--limit", "100000", "--format", "json"]).ok().stdout;
        messages = serde_json::from_str::<Vec<Value>>(&list).unwrap();
        if messages.len() == expected { Ok(()) } else { Err(messages.len().to_string()) }
    });
    let body = |message: &Value| -> Value {
        let shown = env.banhook(["queue", "show", &message["id"].to_string(), "--format", "json"]).ok().stdout;
        let mut shown: Value = serde_json::from_str(&shown).unwrap();
        shown["body"].take()
    };
    let mut found = Vec::new();
    for target in TARGETS {
        for index in 0..TEMPLATES.len() {
            let of_route = messages.iter().filter(|message| message["route"] == format!("{target}-{index}"));
            found.push((target, index, of_route.map(body).collect()));
        }
    }
    found
}

// Reviewer's samples on Rocket.Chat, Mattermost and Zulip, and values that filters or the cut had changed.
#[test]
#[ignore = "needs node and the chats' parsers, which `cargo xtask test` installs"]
fn foreign_text_in_templates_is_text_for_the_chats_own_parsers() {
    let env = TestEnv::new();
    let mut subjects: Vec<String> = [
        "harmless",
        "](https://evil.example/login)",
        "[x](https://evil.example/login)",
        "localhost:8080 \\(x^2\\) :) 8) (y) <3",
        "http:evil.example/login tel:110 mailto:a@evil.example",
        "evil.com/login",
        "x bitcoin:1BoatSLRHtKNngkdXEeobR76b53LETtpyT",
        "*b* :rotating_light: _i_ ~s~ `c` @all <!channel>",
        "*b*\n:rotating_light:\t> q\n# h\n- l",
        "\u{202e}*b* :rotating\u{200b}_light: *\u{200b}b*",
        "fe80:12::1",
    ]
    .map(str::to_owned)
    .to_vec();
    subjects.push(format!("*b* :rotating_light: https://evil.example/ {}", "x".repeat(400)));
    let bodies = bodies(&env, &subjects);
    let flat: Vec<_> =
        bodies.iter().flat_map(|(target, _, bodies)| bodies.iter().map(move |body| (*target, body))).collect();
    let active = active(&flat);
    let mut failures = Vec::new();
    for ((target, index, bodies), active) in bodies.iter().zip(active.chunks(subjects.len())) {
        for ((subject, body), found) in subjects.iter().zip(bodies).zip(active) {
            let mut gained = found.clone();
            for kind in &active[0] {
                gained.iter().position(|found| found == kind).map(|at| gained.remove(at));
            }
            if !gained.is_empty() {
                failures.push(format!("{target} {:?} {subject:?}: {gained:?}\n    {body}", TEMPLATES[*index]));
            }
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), flat.len(), failures.join("\n"));
}
