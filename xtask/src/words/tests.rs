//! Each scope finds its words, and only those. The words are invented, since the check reads this file as well.

use std::path::Path;

use super::rule::Rule;
use super::rust::Lexer;
use super::{RULES, find, is_excluded};

/// The hits of a list in one file, as they are printed after its name.
fn hits(list: &str, path: &str, content: &str) -> Vec<String> {
    let rules = Rule::parse_all(list).unwrap();
    let lexer = Lexer::new().unwrap();
    find(&lexer, &rules, path, content).unwrap().iter().map(ToString::to_string).collect()
}

/// The positions and words of the hits of one rule.
fn places(rule: &str, path: &str, content: &str) -> Vec<String> {
    let term = ": use \"plain\"";
    let hits = hits(&format!("{rule}\tplain"), path, content);
    hits.iter().map(|hit| hit.strip_suffix(term).unwrap().to_owned()).collect()
}

#[test]
fn hit_names_line_column_word_and_term() {
    let found = hits("# a comment\n\nzorb\tprose\tmessage", "README.md", "One.\n\nÄ zorb, found.\n");
    assert_eq!(found, ["3:3: \"zorb\": use \"message\""]);
}

#[test]
fn identifier_in_lower_case_matches_words_in_any_case() {
    let source = "fn zorb_count() { ZORB_MAX; OldZorb; zorbs; bezorb; r#zorb }";
    let found = places("zorb\tidentifier", "a.rs", source);
    assert_eq!(found, ["1:4: \"zorb_count\"", "1:19: \"ZORB_MAX\"", "1:29: \"OldZorb\"", "1:53: \"r#zorb\""]);
    assert_eq!(places("zorb_max\tidentifier", "a.rs", source), ["1:19: \"ZORB_MAX\""]);
    assert_eq!(places("^zorb_\\w+$\tidentifier", "a.rs", source), ["1:4: \"zorb_count\"", "1:19: \"ZORB_MAX\""]);
}

#[test]
fn identifier_with_a_capital_matches_the_whole_name() {
    let source = "struct Zorb; struct ZorbError; enum E { A(Zorb), zorb }";
    assert_eq!(places("Zorb\tidentifier", "a.rs", source), ["1:8: \"Zorb\"", "1:43: \"Zorb\""]);
}

#[test]
fn identifier_ignores_prose_sql_and_other_files() {
    let source = "/// Zorb.\nfn a() { // zorb\n\"zorb\"; \"SELECT zorb FROM a\" }";
    assert!(places("zorb\tidentifier", "a.rs", source).is_empty());
    assert!(places("zorb\tidentifier", "a.md", "zorb").is_empty());
}

#[test]
fn identifier_in_a_format_string_is_one() {
    let source = "fn a() { format!(\"{zorb} {zorb:>4} {{zorb}} {0} zorb\") }";
    assert_eq!(places("zorb\tidentifier", "a.rs", source), ["1:20: \"zorb\"", "1:27: \"zorb\""]);
    assert_eq!(places("zorb\tprose", "a.rs", source), ["1:38: \"zorb\"", "1:49: \"zorb\""]);
}

#[test]
fn sql_matches_statements_and_not_their_comments() {
    let source = "const A: &str = \"\n-- A zorb.\nCREATE TABLE zorb (zorbs TEXT)\";\nfn a() { \"zorb\" }";
    assert_eq!(places("zorb\tsql", "host/src/store/a.rs", source), ["3:14: \"zorb\""]);
    assert_eq!(places("zorb\tprose", "host/src/store/a.rs", source), ["2:6: \"zorb\"", "4:11: \"zorb\""]);
}

#[test]
fn sql_lists_of_columns_are_in_the_store_only() {
    let source = "const A: &str = \"id, zorb, kind\";";
    assert_eq!(places("zorb\tsql", "host/src/store/a.rs", source), ["1:22: \"zorb\""]);
    assert!(places("zorb\tsql", "host/src/cli/a.rs", source).is_empty());
    assert_eq!(places("zorb\tprose", "host/src/cli/a.rs", source), ["1:22: \"zorb\""]);
}

#[test]
fn prose_is_comments_and_strings_of_rust() {
    let source =
        "//! zorb\n/* zorb */ fn zorb() {}\n/// A\n/// zorb.\n#[doc = \"zorb\"] // zorb\nconst Z: &str = r#\"zorb\"#;";
    let found = places("zorb\tprose", "a.rs", source);
    let expected = ["1:5", "2:4", "4:5", "5:10", "5:20", "6:20"].map(|place| format!("{place}: \"zorb\""));
    assert_eq!(found, expected);
}

#[test]
fn prose_is_no_character_and_no_lifetime() {
    assert!(places("z\tprose,sql", "a.rs", "fn a<'z>(z: &'z str) { ('z', '\"', b'z', 1_u8) }").is_empty());
}

#[test]
fn phrase_is_found_across_the_end_of_a_line_and_not_of_a_paragraph() {
    let source = "/// It is zorbed\n    /// up again.\nfn a() { \"zorbed \\\n   up\" }";
    let found = places("zorbed up\tprose", "a.rs", source);
    assert_eq!(found, ["1:11: \"zorbed up\"", "3:11: \"zorbed up\""]);
    assert_eq!(places("zorbed up\tprose", "a.md", "* zorbed\n  up\n"), ["1:3: \"zorbed up\""]);
    assert!(places("zorbed up\tprose", "a.md", "zorbed\n\nup\n").is_empty());
}

#[test]
fn escape_sequences_belong_to_no_word() {
    let source = r#"fn a() { "\nzorb\tzorb\"" }"#;
    assert_eq!(places("zorb\tprose", "a.rs", source), ["1:13: \"zorb\"", "1:19: \"zorb\""]);
}

#[test]
fn toml_has_prose_in_comments_only() {
    let source =
        "# zorb\nzorb = \"# zorb\" # zorb\ntext = '''\n# zorb \"\n''' # zorb\na = \"\\\" # zorb\"\nb = 1 # zorb\n";
    let found = places("zorb\tprose", "a.toml", source);
    assert_eq!(found, ["1:3", "2:19", "5:7", "7:9"].map(|place| format!("{place}: \"zorb\"")));
}

#[test]
fn other_files_are_prose_as_a_whole() {
    for path in ["wit/types.wit", "a.j2", "a.conf", "a.json", ".ci/run"] {
        assert_eq!(places("zorb\tprose", path, "/// A zorb.\n"), ["1:7: \"zorb\""], "{path}");
    }
    let headings = "# Zorb is\n\nzorb is\n";
    assert_eq!(places("[#]+ Zorb is\tprose", "a.md", headings), ["1:1: \"# Zorb is\""]);
}

#[test]
fn any_is_all_three_scopes() {
    let source = "// zorb\nfn zorb() { \"DELETE FROM zorb\" }";
    let found = places("zorb\tany", "a.rs", source);
    assert_eq!(found, ["1:4: \"zorb\"", "2:4: \"zorb\"", "2:26: \"zorb\""]);
    assert_eq!(places("zorb\tidentifier,sql", "a.rs", source), found[1..]);
}

#[test]
fn scope_with_a_path_applies_below_it() {
    let rule = "zorb\tprose@host/src/store,prose@docs";
    assert_eq!(places(rule, "host/src/store/a.rs", "// zorb"), ["1:4: \"zorb\""]);
    assert_eq!(places(rule, "docs/a.md", "zorb"), ["1:1: \"zorb\""]);
    assert!(places(rule, "host/src/cli/a.rs", "// zorb").is_empty());
}

#[test]
fn prose_matches_whole_words_in_any_case_unless_written_with_a_capital() {
    let text = "Zorb zorb zorbs ZORB zorb_a --zorb zorb's";
    let found = places("zorb\tprose", "a.md", text);
    assert_eq!(found.len(), 5, "{found:?}");
    assert_eq!(places("Zorb\tprose", "a.md", text), ["1:1: \"Zorb\""]);
    assert_eq!(places("--zorb\tprose", "a.md", text), ["1:29: \"--zorb\""]);
    assert_eq!(places("zorb\\W+ZORBS\tprose", "a.md", "zorb ZORBS zorb zorbs"), ["1:1: \"zorb ZORBS\""]);
}

#[test]
fn exception_makes_an_overlapping_match_right() {
    let rule = "behind\tprose\tafter\tbehind a proxy";
    assert_eq!(hits(rule, "a.md", "behind a proxy, behind it"), ["1:17: \"behind\": use \"after\""]);
    let rule = "gone\tidentifier\tsuspended\tendpoint_gone";
    assert_eq!(hits(rule, "a.rs", "EndpointGone; Gone"), ["1:15: \"Gone\": use \"suspended\""]);
}

#[test]
fn rule_that_is_malformed_is_an_error_with_its_line() {
    for (line, because) in [
        ("zorb", "separated by tabs"),
        ("zorb\tprose\ta\tb\tc", "separated by tabs"),
        ("zorb\tcode\tplain", "unknown scope"),
        ("(zorb\tprose\tplain", "regex"),
        ("a)|(b\tprose\tplain", "regex"),
        ("z*\tprose\tplain", "empty text"),
    ] {
        let error = format!("{:#}", Rule::parse_all(&format!("# a comment\n{line}")).unwrap_err());
        assert!(error.contains("line 2") && error.contains(because), "{line}: {error}");
    }
}

#[test]
fn rust_that_cannot_be_parsed_is_an_error() {
    assert!(find(&Lexer::new().unwrap(), &[], "a.rs", "fn a() { \"").is_err());
}

#[test]
fn files_of_others_are_excluded() {
    for path in
        [".ci/words.txt", "Cargo.lock", "tests/fuzz/Cargo.lock", "plugins/dist/a.json", "host/testdata/slack/a.json"]
    {
        assert!(is_excluded(path), "{path}");
    }
    for path in ["README.md", "host/src/words.txt", "plugins/guests/README.md", ".ci/run"] {
        assert!(!is_excluded(path), "{path}");
    }
}

#[test]
fn committed_rules_are_well_formed() {
    let list = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(RULES)).unwrap();
    assert!(Rule::parse_all(&list).unwrap().len() > 50);
}
