//! The command line and the configuration.

use crate::test_env::TestEnv;

const BAN: [&str; 3] = ["ban", "--jail=sshd", "--ip=203.0.113.7"];

/// Runs `banhook BEFORE notify FIRST ban --jail=sshd --ip=203.0.113.7`, checks that the ban is stored, and returns what was
/// printed on stderr, and the events as `queue export` prints them.
#[track_caller]
fn stored_in_spite_of(before: &[&str], first: &[&str]) -> (String, String) {
    let env = TestEnv::new();
    let arguments = [before, &["notify", "--no-spawn"], first, &BAN].concat();
    let output = env.banhook(arguments).ok();
    assert_eq!(env.ledger().received, 1, "{output}");
    let events = env.banhook(["queue", "export"]).ok().stdout;
    assert!(events.contains(r#""action":"ban""#) && events.contains(r#""subject":"203.0.113.7""#), "{events}");
    (output.stderr, events)
}

// An action with `options="--host mail-1"`.
#[test]
fn notify_with_its_options_before_the_command_stores_the_event() {
    for before in [&["--host", "mail-1"][..], &["--host=mail-1"], &["--host", "mail-1", "--no-spawn"]] {
        let (stderr, events) = stored_in_spite_of(before, &[]);
        assert_eq!(stderr, "", "{before:?}");
        assert!(events.contains(r#""host":"mail-1""#), "{events}");
    }
}

// `notify --dry-run ban …` swallowed the word `ban`.
#[test]
fn notify_with_an_unknown_option_stores_the_event_and_names_the_option() {
    for (before, first, named) in [
        (&[][..], &["--dry-run"][..], "--dry-run"),
        (&["--dry-run"], &[], "--dry-run"),
        (&["--hots", "mail-1"], &[], "did you mean --host?"),
        (&["--hots", "run"], &[], "--hots"),
        (&[], &["--hots", "mail-1"], "--hots"),
        (&[], &["--hots=mail-1"], "--hots"),
        (&["-v"], &["-v"], "-v"),
        (&["--"], &[], "--"),
    ] {
        let (stderr, _) = stored_in_spite_of(before, first);
        assert!(stderr.contains(named), "{before:?} {first:?}: {stderr}");
    }
}

#[test]
fn notify_with_a_forgotten_value_stores_the_event_and_names_the_option() {
    for (before, first) in [(&["--host"][..], &[][..]), (&["--host", "--no-spawn"], &[]), (&[], &["--host"])] {
        let (stderr, _) = stored_in_spite_of(before, first);
        assert!(stderr.contains("--host has no value"), "{before:?} {first:?}: {stderr}");
    }
    // The environment of the test says where the state is.
    for before in [&["--state-dir"][..], &["--state-dir="], &["--config", "--state-dir"]] {
        let (stderr, _) = stored_in_spite_of(before, &[]);
        assert!(stderr.contains("--state-dir has no value"), "{before:?}: {stderr}");
    }
}
