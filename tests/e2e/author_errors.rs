//! What a plugin's author sees of a mistake, in each language: the author's own line or field, and what to do. The data is
//! in `author_errors/`, whose README describes it; `docs/src/plugin-errors.md` is made of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::binary::root;
use crate::command_output::CommandOutput;
use crate::plugin_new::{build, link_tools, run};
use crate::test_env::TestEnv;

/// The languages, by the names of the data's directories and for people.
const LANGUAGES: [(&str, &str); 4] = [("rust", "Rust"), ("js", "JavaScript"), ("python", "Python"), ("c", "C")];

/// The mistakes, in the order of the document.
const MISTAKES: [(&str, &str); 18] = [
    ("syntax", "Syntax"),
    ("wrong-type", "A value of the wrong type"),
    ("missing-field", "A field that is missing"),
    ("unknown-tag", "A decision or block that does not exist"),
    ("misspelt-field", "A misspelt field"),
    ("nothing-returned", "Nothing returned"),
    ("exception", "An exception, panic or crash"),
    ("wrong-setting", "A setting that is wrong"),
    ("misnamed-export", "An export with another name"),
    ("import-at-module-level", "A call of the host before there is an event"),
    ("recursion", "Recursion without end"),
    ("memory", "Too much memory"),
    ("loop", "A loop without end"),
    ("no-grant", "A question that the route does not grant"),
    ("header-long", "A header that is too long"),
    ("bad-url", "A link with a bad URL"),
    ("raw-no-json", "A raw block that is not JSON"),
    ("mention", "A mention that the route does not permit"),
];

struct Mistake {
    error: String,
    location: String,
    edit: Option<String>,
    case: Option<String>,
    shows: Vec<String>,
    remedy: String,
}

fn data(language: &str) -> PathBuf {
    root().join("tests/e2e/author_errors").join(language)
}

fn mistakes(language: &str) -> Vec<Mistake> {
    let file = data(language).join("expected.json");
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let list: Vec<Value> = serde_json::from_str(&text).unwrap();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let texts = |value: &Value| value.as_array().into_iter().flatten().filter_map(text).collect();
    list.iter()
        .map(|one| Mistake {
            error: text(&one["error"]).unwrap(),
            location: text(&one["where"]).unwrap(),
            edit: text(&one["edit"]),
            case: text(&one["case"]),
            shows: texts(&one["shows"]),
            remedy: text(&one["remedy"]).unwrap(),
        })
        .collect()
}

/// Makes a plugin with this source in place of the scaffold's.
fn plugin(env: &TestEnv, language: &str, name: &str, source: &str) {
    env.banhook(["plugin", "new", name, "--lang", language, "--history", "--check"]).ok();
    link_tools(env, language, name);
    let file = match language {
        "rust" => "src/lib.rs",
        "js" => "plugin.js",
        "python" => "app.py",
        _ => "plugin.c",
    };
    fs::copy(data(language).join(source), env.path(name).join(file)).unwrap();
}

#[track_caller]
fn shows(mistake: &Mistake, output: &CommandOutput) {
    let all = format!("{}{}", output.stdout, output.stderr);
    for text in mistake.shows.iter().chain([&mistake.remedy]) {
        assert!(all.contains(text.as_str()), "{}: {text:?} is not in what is shown: {output}", mistake.error);
    }
    assert_ne!(output.code, Some(0), "{}: {output}", mistake.error);
}

#[track_caller]
fn author_sees_their_mistakes(language: &str) {
    let env = TestEnv::new();
    let mistakes = mistakes(language);
    let found: Vec<_> = mistakes.iter().map(|mistake| mistake.error.as_str()).collect();
    for (error, _) in MISTAKES {
        assert!(found.contains(&error), "{language} has no mistake {error}");
    }
    // All that happen at run time are in one plugin, since a build takes time.
    let sources = ["lib.rs", "plugin.js", "app.py", "plugin.c"];
    let main = sources.into_iter().find(|name| data(language).join(name).exists()).unwrap();
    plugin(&env, language, "mine", main);
    build(&env, "mine").ok();
    let mut built = BTreeMap::new();
    for mistake in &mistakes {
        let output = match (mistake.location.as_str(), &mistake.edit, &mistake.case) {
            ("test", _, Some(case)) => {
                let case = data(language).join("cases").join(case);
                run(&env, &["test", "mine/plugin.wasm", case.to_str().unwrap()])
            }
            ("check", ..) => {
                env.configure("plugin = \"mine/plugin.wasm\"");
                run(&env, &["config", "check"])
            }
            // A compiler says several mistakes at once.
            ("build", Some(edit), _) => built
                .entry(edit.clone())
                .or_insert_with(|| {
                    let name = format!("mine-{}", edit.replace(['.', '_'], "-"));
                    plugin(&env, language, &name, edit);
                    build(&env, &name)
                })
                .clone(),
            other => panic!("{}: {other:?}", mistake.error),
        };
        shows(mistake, &output);
    }
}

#[test]
#[ignore = "needs Rust for WebAssembly: cargo xtask test"]
fn author_of_rust_sees_their_mistakes() {
    author_sees_their_mistakes("rust");
}

#[test]
#[ignore = "needs componentize-qjs: cargo xtask test"]
fn author_of_javascript_sees_their_mistakes() {
    author_sees_their_mistakes("js");
}

#[test]
#[ignore = "needs componentize-py: cargo xtask test"]
fn author_of_python_sees_their_mistakes() {
    author_sees_their_mistakes("python");
}

#[test]
#[ignore = "needs ziglang: cargo xtask test"]
fn author_of_c_sees_their_mistakes() {
    author_sees_their_mistakes("c");
}

/// `UPDATE_GOLDEN=1` writes the document.
#[test]
fn document_of_mistakes_is_what_the_tests_hold() {
    let mut by_mistake: BTreeMap<String, Vec<(&str, Mistake)>> = BTreeMap::new();
    for (language, name) in LANGUAGES {
        for mistake in mistakes(language) {
            by_mistake.entry(mistake.error.clone()).or_default().push((name, mistake));
        }
    }
    let file = root().join("docs/src/plugin-errors.md");
    let document = fs::read_to_string(&file).unwrap();
    let begin = "<!-- made by tests/e2e/author_errors.rs -->\n";
    let (head, found) = document.split_once(begin).unwrap();
    let mut table = String::new();
    for (error, title) in MISTAKES {
        table.push_str(&format!(
            "\n## {title}\n\n| language | found by | what is shown | what to do |\n| --- | --- | --- | --- |\n"
        ));
        for (language, mistake) in &by_mistake[error] {
            let command = match mistake.location.as_str() {
                "build" => "`plugin build`",
                "test" => "`test`",
                _ => "`config check`",
            };
            let shown: Vec<_> = mistake.shows.iter().map(|text| code(text)).collect();
            let is_shown = mistake.shows.iter().any(|text| text.contains(&mistake.remedy));
            let remedy = if is_shown { "the message says it".to_owned() } else { code(&mistake.remedy) };
            table.push_str(&format!("| {language} | {command} | {} | {remedy} |\n", shown.join(" … ")));
        }
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, format!("{head}{begin}{table}")).unwrap();
    } else {
        assert_eq!(found, table, "run it with UPDATE_GOLDEN=1");
    }
}

/// Returns text as code in a cell of a table.
fn code(text: &str) -> String {
    // A decision is shown as JSON.
    let text = text.trim().replace('|', "\\|").replace("\\\"", "\"");
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}
