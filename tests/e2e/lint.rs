//! `lint`, `preview`, and how `test` lints messages.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;

use crate::binary::{banhook, root};
use crate::command_output::CommandOutput;
use crate::test_env::TestEnv;

const TOO_LONG: &str = r#"{"text": "x", "blocks": [
  {"type": "divider"},
  {"type": "header", "text": {"type": "plain_text", "text": "LONG"}},
  {"type": "alert", "text": {"type": "plain_text", "text": "SHORTER"}}
]}"#;

fn too_long() -> String {
    TOO_LONG.replace("LONG", &"é".repeat(151)).replace("SHORTER", &"a".repeat(201))
}

fn corpus(folder: &str) -> Vec<PathBuf> {
    let folder = root().join("host/blockkit/testdata/corpus").join(folder);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn lint_prints_one_line_per_finding() {
    let env = TestEnv::new();
    let file = env.write("message.json", too_long());
    let output = env.banhook(["lint".as_ref(), file.as_os_str()]).exits(1);
    let name = file.to_str().unwrap();
    assert_eq!(
        output.stdout,
        format!(
            "{name}: error: /blocks/1/text/text: 151 characters, at most 150 (too-long)\n\
             {name}: warning: /blocks/2/text/text: 201 characters; some sources allow 200, others 3000 (too-long)\n"
        )
    );
    assert_eq!(output.stderr, "");
}

#[test]
fn lint_warnings_only_succeeds() {
    let env = TestEnv::new();
    let warned = env.write("warned.json", r#"{"text": "x", "channel": "C1"}"#);
    let output = env.banhook(["lint".as_ref(), warned.as_os_str()]).ok();
    assert!(output.stdout.contains(": warning: /channel: "), "{output}");
    let fine = env.write("fine.json", r#"{"text": "x"}"#);
    let output = env.banhook(["lint".as_ref(), fine.as_os_str()]).ok();
    assert_eq!(output.stdout, "");
}

#[test]
fn lint_corpus_accepts_valid_and_reports_invalid() {
    let env = TestEnv::new();
    let mut arguments = vec!["lint".into()];
    arguments.extend(corpus("valid").into_iter().map(PathBuf::into_os_string));
    let output = env.banhook(&arguments).ok();
    assert!(!output.stdout.contains(": error: "), "{output}");
    for file in corpus("invalid") {
        let output = env.banhook(["lint".as_ref(), file.as_os_str()]);
        assert!(matches!(output.code, Some(0 | 1)), "{output}");
        assert!(!output.stdout.is_empty(), "no finding for {}", file.display());
        assert_eq!(output.code == Some(1), output.stdout.contains(": error: "), "{output}");
    }
}

#[test]
fn lint_json_lists_findings() {
    let env = TestEnv::new();
    let files = ["a.json", "b.json"].map(|name| env.write(name, too_long()));
    let mut arguments = vec!["lint".into(), "--format=json".into()];
    arguments.extend(files.iter().map(|file| file.clone().into_os_string()));
    let output = env.banhook(&arguments).exits(1);
    let findings: Vec<Value> = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(findings.len(), 4, "{output}");
    assert_eq!(
        findings[2],
        serde_json::json!({
            "file": files[1].to_str().unwrap(),
            "severity": "error",
            "path": "/blocks/1/text/text",
            "rule": "too-long",
            "message": "151 characters, at most 150",
            "value": 151,
            "limit": 150,
            "sources": ["@slack/types 3.2.0", "slack_sdk 3.47.0"],
        })
    );
    let fine = env.write("fine.json", r#"{"text": "x"}"#);
    assert_eq!(env.banhook(["lint".as_ref(), "--format=json".as_ref(), fine.as_os_str()]).ok().stdout, "[]\n");
}

#[test]
fn lint_reads_standard_input() {
    let env = TestEnv::new();
    let mut child =
        env.command(banhook()).args(["lint", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{}").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let expected = "(stdin): error: /: no text, blocks or attachments to show (no-content)\n";
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}

#[test]
fn lint_invalid_json_names_line_and_column() {
    let env = TestEnv::new();
    for (content, complaint) in [
        ("{\n  \"text\": \"a\"\n  \"blocks\": []\n}", "line 3 column 3"),
        ("", "it is empty"),
        ("{\"text\": \"a\"", "line 1"),
        ("text=a", "line 1 column 2"),
    ] {
        let file = env.write("bad.json", content);
        let output = env.banhook(["lint".as_ref(), file.as_os_str()]).exits(2);
        output.complains(&["bad.json", "not JSON", complaint]);
        assert_eq!(output.stdout, "");
    }
    let latin1 = env.write("bad.json", b"{\"text\": \"caf\xe9\"}");
    env.banhook(["lint".as_ref(), latin1.as_os_str()]).exits(2).complains(&["bad.json", "line 1"]);
    let deep = env.write("bad.json", format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)));
    env.banhook(["lint".as_ref(), deep.as_os_str()]).exits(2).complains(&["bad.json", "recursion limit"]);
}

#[test]
fn lint_unreadable_file_does_not_hide_other_findings() {
    let env = TestEnv::new();
    let (missing, folder) = (env.path("missing.json"), env.path(""));
    let last = env.write("last.json", "{}");
    let output = env.banhook(["lint".as_ref(), missing.as_os_str(), folder.as_os_str(), last.as_os_str()]).exits(2);
    assert!(output.stdout.contains("last.json: error: "), "{output}");
    assert!(output.stderr.contains("missing.json") && output.stderr.contains("directory"), "{output}");
    let huge = fs::File::create(env.path("huge.json")).unwrap();
    huge.set_len(1 << 40).unwrap();
    env.banhook(["lint".as_ref(), env.path("huge.json").as_os_str()]).exits(2).complains(&["huge.json", "bytes"]);
    env.banhook(["lint"]).exits(2);
}

#[test]
fn lint_needs_no_configuration_or_state() {
    let env = TestEnv::new();
    fs::remove_file(env.config()).unwrap();
    let file = env.write("fine.json", r#"{"text": "x"}"#);
    env.banhook(["lint".as_ref(), file.as_os_str()]).ok();
    assert!(!env.state().exists());
}

#[test]
fn lint_hostile_file_prints_no_control_characters() {
    let env = TestEnv::new();
    let hostile = "\\u001b[31m\\u202e\\u009b\\n<evil>";
    let content = format!(
        r#"{{"text": "x", "{hostile}": 1, "blocks": [{{"type": "{hostile}"}}, {{"type": "header", "{hostile}": {{}}}}]}}"#
    );
    let file = env.write("a\u{1b}[31mb.json", content);
    for format in ["text", "json"] {
        let output = CommandOutput::of(env.command(banhook()).args(["lint", "--format", format]).arg(&file)).exits(1);
        let hidden = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(
            !output.stdout.contains(hidden) && !output.stderr.contains(hidden),
            "{output:?}",
            output = output.to_string()
        );
        assert!(output.stdout.contains("evil"), "{output}");
    }
    let lines = env.banhook(["lint".as_ref(), file.as_os_str()]).stdout.lines().count();
    assert_eq!(lines, 4, "a line for each finding: two fields, a type, no text");
}

#[test]
fn lint_draw_prints_and_writes_html() {
    let env = TestEnv::new();
    let text = r#"{"text": "x", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "*203.0.113.7* \u001b[31m"}}]}"#;
    env.write("drawn.json", text);
    let drawn = env.banhook(["lint", "--draw", "--html", "page.html", "drawn.json"]).ok().stdout;
    assert!(drawn.contains("── drawn.json ──\n203.0.113.7"), "{drawn}");
    assert!(!drawn.contains('\u{1b}'), "{drawn:?}");
    let page = fs::read_to_string(env.path("page.html")).unwrap();
    assert!(page.contains("203.0.113.7") && page.contains("default-src 'none'") && !page.contains("<script"), "{page}");
}

#[test]
fn preview_cases_prints_and_writes_html() {
    let env = TestEnv::new();
    let cases = root().join("plugins/template/cases");
    let shown = env.banhook(["preview".as_ref(), "template".as_ref(), cases.as_os_str()]).ok().stdout;
    assert!(shown.contains("── ban-v4: The usual ban of an IPv4 address. ──\n⛔ `203.0.113.7` banned in"), "{shown}");
    assert!(shown.contains("skipped: the template \"ban\" came out empty"), "{shown}");
    let page = env.path("page.html");
    let arguments = ["preview".as_ref(), "template".as_ref(), cases.as_os_str(), "--html".as_ref(), page.as_os_str()];
    env.banhook(arguments).ok();
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("203.0.113.7") && page.contains("ban-v4"), "{page}");
    env.banhook(["preview", "no-such.wasm", "no-such.json"]).exits(2).complains(&["no-such.wasm"]);
}

#[test]
fn test_case_with_invalid_message_fails() {
    let env = TestEnv::new();
    env.write("blank.wasm", crate::component::faulty());
    env.write(
        "blank.json",
        r#"{"event": {"action": "ban", "at": "2026-11-22T10:00:00Z", "host": "web-1", "jail": "~blank", "subject": "203.0.113.7"}}"#,
    );
    let tested = env.banhook(["test", "blank.wasm", "blank.json", "--update"]).exits(1);
    assert!(tested.stdout.contains("FAILED") && tested.stdout.contains("Slack would reject"), "{}", tested.stdout);
}
