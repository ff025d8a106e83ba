//! Arguments as fail2ban, administrators and attackers write them: which event they are, and what is warned of.

use std::os::unix::ffi::OsStringExt;

use super::*;

fn parse(arguments: &[&str]) -> Result<ActionArguments, ArgumentError> {
    parse_with(arguments).map(|(parsed, _)| parsed)
}

/// Parses the arguments around `notify`; returns the value of `--config` too.
fn parse_with(arguments: &[&str]) -> Result<(ActionArguments, Option<OsString>), ArgumentError> {
    let arguments: Vec<_> = arguments.iter().map(OsString::from).collect();
    let at = arguments.iter().position(|argument| argument == "notify");
    let (before, after) = at.map_or((&[][..], &arguments[..]), |at| (&arguments[..at], &arguments[at + 1..]));
    let mut others = [("config", None)];
    let parsed = ActionArguments::parse(before, after, &mut others)?;
    let [(_, config)] = others;
    Ok((parsed, config))
}

fn json(arguments: &[&str]) -> String {
    parse(arguments).unwrap().into_event(String::new(), Timestamp(0)).to_json()
}

#[test]
fn parse_options_of_the_action_file_keeps_each_value() {
    assert_eq!(
        json(&[
            "ban",
            "--jail=sshd",
            "--ip=203.0.113.7",
            "--failures=5",
            "--time=1763809015.601",
            "--bantime=600",
            "--bancount=2",
            "--restored=1",
            "--host=web-1",
        ]),
        r#"{"action":"ban","at":"1970-01-01T00:00:00.000Z","host":"web-1","jail":"sshd","subject":"203.0.113.7","family":"ipv4","failures":5,"count":2,"duration":600,"restored":true,"ticket_at":"2025-11-22T10:56:55.601Z"}"#
    );
    assert_eq!(
        json(&["--jail", "sshd", "start"]),
        r#"{"action":"start","at":"1970-01-01T00:00:00.000Z","jail":"sshd"}"#
    );
}

#[test]
fn parse_number_with_fraction_or_overflow_is_rounded_or_saturated() {
    let ban = |bantime: &str| parse(&["ban", "--jail=j", bantime]).unwrap().ban.duration;
    assert_eq!(ban("--bantime=-1"), Some(BanDuration::Permanent));
    assert_eq!(ban("--bantime=600.0"), Some(BanDuration::Seconds(600)));
    assert_eq!(ban("--bantime=1e99"), Some(BanDuration::Seconds(u32::MAX)));
}

#[test]
fn parse_literal_tags_are_absent_without_a_warning_of_each() {
    let parsed = parse(&[
        "ban",
        "--jail=j",
        "--ip=<ip>",
        "--failures=<failures>",
        "--bantime=<bantime>",
        "--bancount=<bancount>",
        "--restored=<restored>",
        "--time=<time>",
    ]);
    let parsed = parsed.unwrap();
    assert!(parsed.restored_is_unknown);
    assert_eq!(parsed.ban, Ban::default());
    // An event without an address is of little use.
    assert_eq!(parsed.warnings, ["notify: the ban has no address; the action file passes it as --ip=\"<ip>\""]);
}

#[test]
fn parse_invalid_optional_values_are_absent_with_a_warning() {
    let parsed =
        parse(&["ban", "--jail=j", "--failures=many", "--bantime=-x", "--time=nan", "--restored=2", "--new=1", "more"]);
    let parsed = parsed.unwrap();
    assert_eq!(parsed.ban, Ban::default());
    assert_eq!(parsed.warnings.len(), 7, "{:?}", parsed.warnings);
    assert_eq!(parsed.warnings[0], "notify: ignored the invalid value of --failures: \"many\"");
}

#[test]
fn parse_fails_only_without_kind_or_jail() {
    assert_eq!(parse(&[]), Err(ArgumentError::MissingKind));
    assert_eq!(parse(&["--jail=j"]), Err(ArgumentError::MissingKind));
    assert_eq!(parse(&["bann", "--jail=j"]), Err(ArgumentError::UnknownKind("bann".into())));
    for jail in [&["ban"][..], &["ban", "--jail="], &["ban", "--jail"], &["ban", "--jail=<name>"]] {
        assert_eq!(parse(jail), Err(ArgumentError::MissingJail), "{jail:?}");
    }
}

#[test]
fn parse_option_of_another_name_is_suggested() {
    for (option, name) in [
        ("adress", "ip"),
        ("address", "ip"),
        ("addr", "ip"),
        ("ip-adress", "ip"),
        ("jailname", "jail"),
        ("hostname", "host"),
        ("durations", "bantime"),
        ("fails", "failures"),
    ] {
        let parsed = parse(&["ban", "--jail=j", "--ip=x", &format!("--{option}=x")]).unwrap();
        let expected = format!("notify: ignored the unknown option \"--{option}\"; did you mean --{name}?");
        assert_eq!(parsed.warnings, [expected]);
    }
}

#[test]
fn parse_hostile_text_is_kept_verbatim_and_bounded() {
    let id = "abc 1.2.3.4] Ban 9.9.9.9 $(id) `x` \"q\" 'é' <!channel> *b*";
    assert_eq!(parse(&["ban", "--jail=j", &format!("--ip={id}")]).unwrap().ban.subject, id);
    let bytes = OsString::from_vec(b"--ip=a\xff=b".to_vec());
    let parsed = ActionArguments::parse(&[], &["ban".into(), "--jail=j".into(), bytes], &mut []).unwrap();
    assert_eq!(parsed.ban.subject, "a\\xFF=b");
    let long = parse(&["ban", "--jail=j", &format!("--ip={}", "é".repeat(60_000))]).unwrap();
    assert!(long.ban.subject.len() < MAX_TEXT_BYTES + 20);
    assert_eq!(long.warnings.len(), 1);
}

#[test]
fn parse_options_of_the_command_are_returned_wherever_they_are() {
    let (parsed, config) =
        parse_with(&["--config", "c", "notify", "ban", "--no-spawn", "--jail=j", "--ip", "--config=x"]).unwrap();
    assert_eq!(config.unwrap(), "c");
    assert_eq!((parsed.no_spawn, parsed.ban.subject.as_str()), (true, "--config=x"));
    assert_eq!(parsed.warnings, [] as [&str; 0]);
}

/// Each of these is a ban of 203.0.113.7 in sshd, in spite of a mistake.
#[test]
fn parse_mistakes_in_options_lose_no_event() {
    let ban = ["ban", "--jail=sshd", "--ip=203.0.113.7"];
    let with = |before: &[&'static str], first: &[&'static str], last: &[&'static str]| {
        [before, &["notify"], first, &ban, last].concat()
    };
    for (arguments, host, warning) in [
        (with(&["--host", "mail-1"], &[], &[]), "mail-1", ""),
        (with(&["--host=mail-1"], &[], &[]), "mail-1", ""),
        (with(&["--host", "ban"], &[], &[]), "ban", ""),
        (with(&["--host"], &[], &[]), "", "--host has no value"),
        (with(&["--host", "--config=c"], &[], &[]), "", "--host has no value"),
        (with(&["--host="], &[], &[]), "", ""),
        (with(&["--dry-run"], &[], &[]), "", r#"ignored the unknown option "--dry-run""#),
        (with(&["mail-1"], &[], &[]), "", r#"ignored "mail-1""#),
        (with(&["ban"], &[], &[]), "", r#"ignored "ban""#),
        (with(&["-q", "--"], &[], &[]), "", r#"ignored "-q""#),
        (with(&["--config"], &[], &[]), "", "--config has no value"),
        (with(&["--config="], &[], &[]), "", "--config has no value"),
        (with(&[], &["--dry-run"], &[]), "", r#"ignored the unknown option "--dry-run""#),
        (with(&[], &["--hots", "mail-1"], &[]), "", r#"ignored the unknown option "--hots"; did you mean --host?"#),
        (with(&[], &["--host"], &[]), "", "--host has no value"),
        (with(&[], &["--host", "unban"], &[]), "unban", ""),
        (with(&[], &[], &["--host"]), "", "--host has no value"),
        (with(&[], &[], &["--host", "--no-spawn"]), "", "--host has no value"),
        (with(&[], &[], &["--ip"]), "", "--ip has no value"),
        (with(&[], &[], &["--ip=", "--jail=", "--host", "h", "--host="]), "h", ""),
        (with(&[], &[], &["--jail=<name>", "--failures"]), "", "--failures has no value"),
        (vec!["--jial=sshd", "notify", "ban", "--ip=203.0.113.7"], "", r#"took the unknown option "--jial" as --jail"#),
        (vec!["notify", "ban", "--jial", "sshd", "--ip=203.0.113.7"], "", "took the unknown option"),
        (vec!["notify", "--host", "ban", "--ip", "203.0.113.7", "--jail", "sshd"], "", "--host has no value"),
        (vec!["--jail", "sshd", "--ip", "203.0.113.7", "notify", "ban"], "", ""),
    ] {
        let (parsed, config) = parse_with(&arguments).unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
        let found = (parsed.kind, parsed.jail.as_str(), parsed.ban.subject.as_str(), parsed.host.as_str());
        assert_eq!(found, (Kind::Ban, "sshd", "203.0.113.7", host), "{arguments:?}");
        assert_eq!(config, arguments.contains(&"--config=c").then(|| "c".into()), "{arguments:?}");
        let warnings = parsed.warnings.join("\n");
        assert!(warnings.contains(warning) && warnings.is_empty() == warning.is_empty(), "{arguments:?}: {warnings}");
    }
    let forgotten = parse(&["ban", "--ip", "--jail=sshd"]).unwrap();
    assert_eq!((forgotten.jail.as_str(), forgotten.ban.subject.as_str()), ("sshd", ""));
    let hostile = parse(&["ban", "--ip", "--jail=other", "--jail=sshd"]).unwrap();
    assert_eq!((hostile.jail.as_str(), hostile.ban.subject.as_str()), ("sshd", "--jail=other"));
}

#[test]
fn parse_warnings_and_errors_show_no_url() {
    const URL: &str = "https://hooks.slack.com/services/T0/B0/SECRET";
    let stray = parse(&["--webhook", URL, "ban", "--jail=j", &format!("--failures={URL}"), &format!("--{URL}")]);
    let warnings = stray.unwrap().warnings;
    assert_eq!(warnings.len(), 5, "{warnings:?}");
    let error = parse(&[URL, "--jail=j"]).unwrap_err().to_string();
    assert!(!warnings.join(" ").contains("SECRET") && !error.contains("SECRET"), "{warnings:?} {error}");
}
