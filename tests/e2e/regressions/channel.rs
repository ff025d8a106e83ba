//! What a person reads in the channel: digests, and the templates that write messages.

use crate::test_env::TestEnv;
use crate::webhook::shown;

/// A storm after one message, with a window that is over soon.
const STORM: &str = "storm = { threshold = 1, within = \"60s\" }\ndigest_window = \"2s\"\nrestart = false";

fn ban_many(env: &TestEnv, count: usize) {
    for number in 0..count {
        env.notify(&format!("--no-spawn ban --jail=sshd --ip=203.0.113.{number}"));
    }
}

// 46 bans were "46 subjects", and not one address.
#[test]
fn digest_of_many_bans_names_the_first_addresses() {
    let env = TestEnv::as_shipped("", STORM);
    ban_many(&env, 47);
    let _daemon = env.daemon();
    let messages = env.webhook.wait_for(2);
    let names: Vec<String> = (1..=20).map(|number| format!("203.0.113.{number}")).collect();
    let mut words = vec!["⛔ 46 more bans on ", " in ", " s", "sshd: "];
    words.extend(names.iter().map(String::as_str));
    words.push(" and 26 more");
    assert!(messages[1].contains(&words), "{:#?}", shown(&messages));
}

// House words ended at the first storm.
#[test]
fn digest_template_formats_storms_in_its_color() {
    let digest = "{{ totals.bans }} Sperren: {{ subjects | tally(totals.subjects) }}";
    let settings = format!("settings = {{ digest = \"{digest}\", digest_color = \"danger\" }}");
    let env = TestEnv::as_shipped("", &format!("{STORM}\n{settings}"));
    ban_many(&env, 4);
    let _daemon = env.daemon();
    let messages = env.webhook.wait_for(2);
    assert!(
        messages[1].contains(&["3 Sperren: `203.0.113.1` · `203.0.113.2` · `203.0.113.3`"]),
        "{:#?}",
        shown(&messages)
    );
    assert!(String::from_utf8_lossy(messages[1].body()).contains("\"color\""), "{:#?}", shown(&messages));
}

// A mistake hid the next one, and none had a place in the file.
#[test]
fn config_check_reports_every_mistake_of_a_template_with_its_place() {
    let env = TestEnv::as_shipped(
        "",
        "[routes.settings]\nban = \"\"\"\n<ip> in {{ jial }}\n{{ ip | cod }}\n\"\"\"\nlinks = [\"shodam\"]",
    );
    let config = env.config();
    let place = |line: usize| format!("{}:{line}: ", config.display());
    let lines = std::fs::read_to_string(&config).unwrap();
    let first = lines.lines().position(|line| line.starts_with("<ip>")).unwrap() + 1;
    let checked = env.banhook(["config", "check"]).exits(2);
    for words in [
        format!("{}route \"all\": ", place(first)),
        "\"<ip>\" is not a variable of a template; write {{ ip }}".to_owned(),
        "unknown variable \"jial\"; did you mean \"jail\"?".to_owned(),
        place(first + 1),
        "unknown filter \"cod\"; did you mean \"code\"?".to_owned(),
        place(first + 3),
        "did you mean \"shodan\"?".to_owned(),
    ] {
        assert!(checked.stderr.contains(&words), "{words}: {checked}");
    }
}
