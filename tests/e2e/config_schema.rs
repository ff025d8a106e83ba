//! `config schema`, judged by a validator that is not ours: every configuration of the documents is right by it, and each
//! mistake is found.

use std::fs;
use std::process::Command;

use toml::{Table, Value};

use crate::binary::root;
use crate::command_output::CommandOutput;
use crate::docs::configurations;
use crate::test_env::TestEnv;

/// Prints for each file after the schema whether it is right, and the first mistake.
const VALIDATE: &str = "
import json, jsonschema, sys, tomllib
schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
for name in sys.argv[2:]:
    error = next(validator.iter_errors(tomllib.load(open(name, 'rb'))), None)
    print(name, 'ok' if error is None else error.message.replace('\\n', ' '))
";

/// Validates texts; returns for each whether it is right, with the first mistake.
fn validate<'a>(env: &TestEnv, texts: impl IntoIterator<Item = &'a str>) -> Vec<Result<(), String>> {
    let schema = env.write("schema.json", env.banhook(["config", "schema"]).ok().stdout);
    let files: Vec<_> =
        texts.into_iter().enumerate().map(|(at, text)| env.write(&format!("{at}.toml"), text)).collect();
    let output = CommandOutput::of(Command::new("python3").args(["-c", VALIDATE]).arg(schema).args(&files)).ok();
    let answers: Vec<_> = output.stdout.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect();
    assert_eq!(answers.len(), files.len(), "{output}");
    answers.into_iter().map(|answer| if answer == "ok" { Ok(()) } else { Err(answer) }).collect()
}

#[test]
#[ignore = "needs python3-jsonschema: cargo xtask test"]
fn schema_accepts_every_configuration_of_the_documents_and_of_the_tests() {
    let env = TestEnv::new();
    let mut texts = configurations();
    assert!(texts.len() > 10, "{}", texts.len());
    texts.push(fs::read_to_string(root().join("host/packaging/examples/config.toml")).unwrap());
    texts.push(fs::read_to_string(root().join("host/src/cli/demo/config.toml")).unwrap());
    for entry in fs::read_dir(root().join("host/src/config/testdata")).unwrap().flatten() {
        let path = entry.path();
        let is_accepted = |golden: String| golden.starts_with("accepted");
        if path.extension().is_some_and(|end| end == "toml")
            && fs::read_to_string(path.with_extension("txt")).is_ok_and(is_accepted)
        {
            texts.push(fs::read_to_string(path).unwrap());
        }
    }
    env.write_url("ops.url", &env.webhook);
    let example = fs::read_to_string(root().join("host/packaging/examples/config.toml")).unwrap();
    env.write("config.toml", example);
    texts.push(env.banhook(["config", "show"]).ok().stdout);
    for (text, found) in texts.iter().zip(validate(&env, texts.iter().map(String::as_str))) {
        assert_eq!(found, Ok(()), "{text}");
    }
}

#[test]
#[ignore = "needs python3-jsonschema: cargo xtask test"]
fn schema_finds_each_unknown_key_and_each_wrong_type() {
    let env = TestEnv::new();
    let setting =
        |line: &str| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line).to_owned() + "\n";
    let example = fs::read_to_string(root().join("host/packaging/examples/config.toml")).unwrap();
    let whole: Table = example.lines().map(setting).collect::<String>().parse().unwrap();
    let mut broken = Vec::new();
    break_each(&Value::Table(whole.clone()), &mut |value| broken.push(toml::to_string(&value).unwrap()));
    assert!(broken.len() > 60, "{}", broken.len());
    for text in [
        "webhooks.main.target = \"irc\"",
        "retention.history = \"90 days\"",
        "[[routes]]\nevents = [\"bann\"]",
        "retention.events = 1",
        "[[routes]]\nstorm = true",
        "webhooks.main.rate = \"fast\"",
    ] {
        broken.push(text.to_owned());
    }
    let found = validate(&env, broken.iter().map(String::as_str));
    let missed: Vec<_> = broken.iter().zip(&found).filter(|(_, found)| found.is_ok()).map(|(text, _)| text).collect();
    assert!(missed.is_empty(), "{} of {}: {}", missed.len(), broken.len(), missed[0]);
}

/// Calls `each` with a value in which one key is misspelt, or one value has a type that no setting has, for every place.
fn break_each(value: &Value, each: &mut dyn FnMut(Value)) {
    match value {
        Value::Table(table) => {
            // Any keys are right there, with texts.
            for (key, inner) in table {
                let is_free = matches!(key.as_str(), "labels" | "settings" | "webhooks");
                let with = |key: &str, new: Value, without: &str| {
                    let mut changed = table.clone();
                    changed.remove(without);
                    changed.insert(key.to_owned(), new);
                    Value::Table(changed)
                };
                each(with(&format!("{key}x"), inner.clone(), key));
                each(with(key, Value::Float(1.5), key));
                if !is_free {
                    break_each(inner, &mut |new| each(with(key, new, key)));
                } else if key == "webhooks" {
                    let named = inner.as_table().unwrap();
                    for (name, hook) in named {
                        break_each(hook, &mut |new| {
                            let mut changed = named.clone();
                            changed.insert(name.clone(), new);
                            each(with(key, Value::Table(changed), key));
                        });
                    }
                }
            }
        }
        Value::Array(values) if values.iter().any(Value::is_table) => {
            for (at, inner) in values.iter().enumerate() {
                break_each(inner, &mut |new| {
                    let mut changed = values.clone();
                    changed[at] = new;
                    each(Value::Array(changed));
                });
            }
        }
        _ => {}
    }
}
