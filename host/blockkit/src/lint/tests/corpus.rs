//! Messages that other projects label valid or invalid, with their sources in `testdata/corpus/manifest.tsv`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::lint::{Finding, Rule, Severity, check};

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/corpus");

/// Invalid messages that only get a warning: of which rule, and why.
const ONLY_WARNED: &[(&str, Rule, &str)] = &[
    ("doc__unknown-block", Rule::UnknownType, "Slack adds new blocks faster than linters follow"),
    ("doc__duplicate-block-id", Rule::DuplicateBlockId, "the documents say should; nobody has seen it refused"),
    ("nodetypes__CardBlock-title-must-be-mrkdwn", Rule::TextType, "slack-messaging allows plain_text there"),
    ("pysdk__Attachment-color-attribute-must-be-good-warning-danger", Rule::Format, "an SDK's rule; Slack is lenient"),
    (
        "pysdk__VideoBlock-title-attribute-cannot-exceed-200-characters",
        Rule::TooLong,
        "it has exactly 200, which slackblocks and slack-messaging allow",
    ),
    ("slackblocks__card-too-many-actions", Rule::TooMany, "slackblocks alone names a limit"),
];

struct Case {
    name: String,
    valid: bool,
    findings: Vec<Finding>,
}

fn cases() -> Vec<Case> {
    let manifest = fs::read_to_string(Path::new(CORPUS).join("manifest.tsv")).unwrap();
    let cases: Vec<Case> = manifest.lines().skip(1).map(case).collect();
    let files = |folder: &str| fs::read_dir(Path::new(CORPUS).join(folder)).unwrap().count();
    assert_eq!(cases.len(), files("valid") + files("invalid"), "every file has a line in the manifest");
    cases
}

fn case(line: &str) -> Case {
    let mut columns = line.split('\t');
    let file = columns.next().unwrap();
    let valid = match columns.next().unwrap() {
        "valid" => true,
        "invalid" => false,
        other => panic!("{file}: {other}"),
    };
    let text = fs::read(Path::new(CORPUS).join(file)).unwrap();
    let body: Value = serde_json::from_slice(&text).unwrap();
    let name = Path::new(file).file_stem().unwrap().to_str().unwrap().to_owned();
    Case { name, valid, findings: check(&body) }
}

fn errors(case: &Case) -> Vec<String> {
    case.findings.iter().filter(|found| found.severity == Severity::Error).map(ToString::to_string).collect()
}

#[test]
fn check_of_valid_messages_has_no_error() {
    let cases: Vec<Case> = cases().into_iter().filter(|case| case.valid).collect();
    assert!(cases.len() >= 160, "{}", cases.len());
    let refused: Vec<_> =
        cases.iter().filter(|case| !errors(case).is_empty()).map(|case| (&case.name, errors(case))).collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

#[test]
fn check_of_invalid_messages_has_an_error() {
    let cases: Vec<Case> = cases().into_iter().filter(|case| !case.valid).collect();
    assert!(cases.len() >= 77, "{}", cases.len());
    for case in &cases {
        match ONLY_WARNED.iter().find(|(name, ..)| *name == case.name) {
            None => assert!(!errors(case).is_empty(), "{}: {:?}", case.name, case.findings),
            Some((_, rule, _)) => {
                assert_eq!(errors(case), [""; 0], "{} has an error, so it needs no exception", case.name);
                assert!(case.findings.iter().any(|found| found.rule == *rule), "{}: {:?}", case.name, case.findings);
            }
        }
    }
    for (name, ..) in ONLY_WARNED {
        assert!(cases.iter().any(|case| case.name == *name), "{name} is not in the corpus");
    }
}

#[test]
fn check_of_invalid_messages_has_one_error_each() {
    for case in cases().iter().filter(|case| !case.valid) {
        assert_eq!(errors(case).len().max(1), 1, "{}: {:?}", case.name, case.findings);
    }
}
