//! The command of one action, as fail2ban has it: whether it is banhook's, what it does with what fail2ban fills in, and
//! what another action does next to it. It runs nothing.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::finding::Finding;
use crate::cli::global_options::GlobalOptions;
use crate::receive::ActionArguments;
use banhook_notify::{CONFIG_DEFAULT, CONFIG_OPTION, STATE_DIR_DEFAULT, STATE_DIR_OPTION};

const CHECK: &str = "action";

/// The programs that store an event.
const PROGRAMS: [&str; 2] = ["banhook", "banhook-notify"];

/// The subcommand that stores an event, where the program has others.
const NOTIFY: &str = "notify";

/// What ends a command within a line of a shell.
const OPERATORS: [&str; 6] = [";", "&&", "||", "|", "&", ">"];

/// The beginnings of the tags whose text an attacker wrote into a log, and may make as long as he likes.
const LOG_TEXT_TAGS: [&str; 4] = ["matches", "ipmatches", "ipjailmatches", "F-"];

/// What commands contain that block an address.
const BLOCKING: [&str; 13] = [
    "iptables",
    "ip6tables",
    "nft ",
    "ipset",
    "ufw ",
    "firewall-cmd",
    "pfctl",
    "ipfw",
    "route ",
    "hosts.deny",
    "npfctl",
    "shorewall",
    "cloudflare",
];

/// What the names and commands of actions contain that report, and block nothing.
const REPORTING: [&str; 17] = [
    "curl",
    "wget",
    "sendmail",
    "mail",
    "smtp",
    "abuseipdb",
    "blocklist_de",
    "dshield",
    "complain",
    "mynetwatchman",
    "xarf",
    "apprise",
    "ipthreat",
    "slack",
    "discord",
    "telegram",
    "dummy",
];

/// What commands contain that post to a chat.
const POSTING: [&str; 8] =
    ["hooks.slack.com", "/api/webhooks/", "/hooks/", "webhook", "api.telegram.org", "slack", "discord", "mattermost"];

/// Returns whether an action is banhook's, by its name or its command.
pub(crate) fn is_ours(name: &str, command: &str) -> bool {
    let is_program = |word: &str| word.rsplit('/').next().is_some_and(|file| PROGRAMS.contains(&file));
    name.starts_with("banhook") || command.split_whitespace().any(is_program)
}

/// Returns whether an action of another name blocks addresses. One that is not known to report only does.
pub(super) fn blocks(name: &str, command: &str) -> bool {
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part) || command.contains(part));
    has(&BLOCKING) || !has(&REPORTING)
}

/// Returns whether an action that is not banhook's posts to a chat.
pub(super) fn posts(name: &str, command: &str) -> bool {
    let sends = ["curl", "wget", "http"].iter().any(|program| command.contains(program));
    sends && POSTING.iter().any(|part| name.contains(part) || command.contains(part))
}

/// Fills in the tags of a command, as fail2ban would; none of the values may mean anything to a shell.
pub(super) fn with_values(command: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(command.to_owned(), |command, (tag, value)| command.replace(&format!("<{tag}>"), value))
}

/// What the tags of a ban may be, for a check that runs nothing.
const SAMPLE: [(&str, &str); 6] = [
    ("ip", "192.0.2.1"),
    ("failures", "3"),
    ("time", "1700000000.5"),
    ("bantime", "600"),
    ("bancount", "1"),
    ("restored", "0"),
];

/// Returns what is wrong with the command that reports bans. `global`: what this command was given itself.
pub(super) fn problems(command: &str, global: &GlobalOptions, is_program: &dyn Fn(&Path) -> bool) -> Vec<Finding> {
    let mut found = tag_problems(command);
    let filled_in = with_values(command, &SAMPLE);
    let Some(words) = shlex::split(&filled_in) else {
        found.push(Finding::fail(CHECK, "the quotes in actionban do not match", "copy the packaged action file again"));
        return found;
    };
    let end = words.iter().position(|word| OPERATORS.contains(&word.as_str())).unwrap_or(words.len());
    let mut words = words.into_iter().take(end).skip_while(|word| sets_variable(word));
    let Some(program) = words.next() else {
        found.push(Finding::fail(CHECK, "actionban is empty", "copy the packaged action file again"));
        return found;
    };
    if !is_program(Path::new(&program)) {
        let text = format!("actionban runs {program}, which is no program that can be run");
        found.push(Finding::fail(
            CHECK,
            text,
            "install banhook there, or set banhook[banhook=\"PATH\"] in jail.local, then restart fail2ban",
        ));
    }
    let mut before: Vec<OsString> = words.map(OsString::from).collect();
    let after = match before.iter().position(|word| word == NOTIFY) {
        Some(at) => before.split_off(at).into_iter().skip(1).collect(),
        None => std::mem::take(&mut before),
    };
    let mut paths = [(CONFIG_OPTION, None), (STATE_DIR_OPTION, None)];
    match ActionArguments::parse(&before, &after, &mut paths) {
        Ok(arguments) => found.extend(arguments.warnings.iter().map(|warning| {
            Finding::warn(
                CHECK,
                format!("actionban: {}", warning.trim_start_matches("notify: ")),
                "correct options= in jail.local, or the action file, then restart fail2ban",
            )
        })),
        Err(error) => {
            found.push(Finding::fail(
                CHECK,
                format!("actionban: {}", error.to_string().trim_start_matches("notify: ")),
                "copy the packaged action file again, then restart fail2ban",
            ));
        }
    }
    let [(_, config), (_, state_dir)] = paths;
    found.extend(other_path("state directory", STATE_DIR_OPTION, state_dir, STATE_DIR_DEFAULT, &global.state_dir));
    found.extend(other_path("configuration", CONFIG_OPTION, config, CONFIG_DEFAULT, &global.config));
    found
}

/// Returns whether a word before the program sets a variable for it.
fn sets_variable(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
}

/// Compares a path that the action passes with the one that this command was given.
fn other_path(what: &str, option: &str, given: Option<OsString>, default: &str, own: &Path) -> Option<Finding> {
    let given = PathBuf::from(given.unwrap_or_else(|| default.into()));
    let resolve = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path));
    let is_same = resolve(&given).ok() == resolve(own).ok();
    let text = || format!("the action uses the {what} {}, and this command {}", given.display(), own.display());
    let remedy = || {
        format!("give both the same --{option}: the action by options= in jail.local, and banhook on its command line")
    };
    (!is_same).then(|| Finding::fail(CHECK, text(), remedy()))
}

/// How a tag stands in a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quoting {
    None,
    Single,
    Double,
}

fn tag_problems(command: &str) -> Vec<Finding> {
    let tags = tags(command);
    let listed = |is_wrong: &dyn Fn(&str, Quoting) -> bool| {
        let wrong = tags.iter().filter(|(tag, quoting)| is_wrong(tag, *quoting));
        wrong.map(|(tag, _)| format!("<{tag}>")).collect::<Vec<_>>().join(", ")
    };
    let log_text = listed(&|tag, _| LOG_TEXT_TAGS.iter().any(|begin| tag.starts_with(begin)));
    let unquoted = listed(&|_, quoting| quoting == Quoting::None);
    let single = listed(&|_, quoting| quoting == Quoting::Single);
    let quote = "put each tag in double quotes, as in --ip=\"<ip>\", then restart fail2ban";
    let mut found = Vec::new();
    if !log_text.is_empty() {
        let text = format!(
            "actionban passes {log_text}: whoever writes to the log can make it so long that the ban is not reported"
        );
        found.push(Finding::fail(CHECK, text, "remove the tag: banhook reads the log lines in fail2ban's database"));
    }
    if !single.is_empty() {
        found.push(Finding::fail(
            CHECK,
            format!("in actionban {single} is in single quotes, where fail2ban's values do not arrive"),
            quote,
        ));
    }
    if !unquoted.is_empty() {
        found.push(Finding::fail(
            CHECK,
            format!("in actionban {unquoted} is not in quotes, so a value with spaces falls apart"),
            quote,
        ));
    }
    found
}

/// Returns the tags of a command, each with its quotes.
fn tags(command: &str) -> Vec<(&str, Quoting)> {
    let mut tags = Vec::new();
    let mut quoting = Quoting::None;
    let mut escaped = false;
    for (at, char) in command.char_indices() {
        if std::mem::take(&mut escaped) {
            continue;
        }
        quoting = match (char, quoting) {
            ('\\', Quoting::None | Quoting::Double) => {
                escaped = true;
                quoting
            }
            ('"', Quoting::None) => Quoting::Double,
            ('\'', Quoting::None) => Quoting::Single,
            ('"', Quoting::Double) | ('\'', Quoting::Single) => Quoting::None,
            _ => quoting,
        };
        let rest = command.get(at..).and_then(|rest| rest.strip_prefix('<')?.split_once('>'));
        let is_name = |name: &str| {
            name.starts_with(|first: char| first.is_ascii_alphabetic())
                && name.chars().all(|char| char.is_ascii_alphanumeric() || "_-./".contains(char))
        };
        tags.extend(rest.map(|(name, _)| name).filter(|name| is_name(name)).map(|name| (name, quoting)));
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(command: &str) -> String {
        let global = GlobalOptions { config: CONFIG_DEFAULT.into(), state_dir: STATE_DIR_DEFAULT.into() };
        let is_program = |path: &Path| path == Path::new("/usr/bin/banhook");
        problems(command, &global, &is_program).iter().map(Finding::lines).collect()
    }

    #[test]
    fn problems_of_packaged_commands_are_none() {
        let tags = r#"--jail="sshd" --ip="<ip>" --failures="<failures>" --time="<time>" --bantime="<bantime>""#;
        for command in
            ["/usr/bin/banhook  notify ban", "/usr/bin/banhook ban ", "A=b /usr/bin/banhook notify ban --host web-1"]
        {
            assert_eq!(found(&format!("{command} {tags}")), "");
        }
        assert_eq!(found(&format!("/usr/bin/banhook notify ban {tags} || true")), "");
    }

    #[test]
    fn problems_are_found_one_by_one() {
        for (command, words) in [
            (r#"/usr/bin/banhook notify ban --jail="j" --ip='<ip>'"#, "<ip> is in single quotes"),
            (r#"/usr/bin/banhook notify ban --jail="j" --ip=<ip>"#, "<ip> is not in quotes"),
            (r#"/usr/bin/banhook notify ban --jail="j" --ip="<ip>" --host="<F-USER>""#, "passes <F-USER>"),
            (r#"/opt/banhook notify ban --jail="j" --ip="<ip>""#, "runs /opt/banhook"),
            (r#"/usr/bin/banhook notify ban --ip="<ip>""#, "--jail is missing"),
            (r#"/usr/bin/banhook notify ban --jail="j""#, "has no address"),
            (r#"/usr/bin/banhook --hots=a notify ban --jail="j" --ip="<ip>""#, "did you mean --host?"),
            (r#"/usr/bin/banhook --state-dir /srv notify ban --jail="j" --ip="<ip>""#, "state directory /srv"),
            (r#"/usr/bin/banhook notify ban --jail="j" --ip="<ip>" --config=/c"#, "configuration /c"),
            (r#"/usr/bin/banhook notify ban --jail="j"#, "quotes in actionban do not match"),
            ("", "empty"),
        ] {
            let found = found(command);
            assert!(found.contains(words) && found.matches('→').count() == 1, "{command}: {found}");
        }
    }

    #[test]
    fn actions_next_to_it_block_or_report() {
        for (name, command, expected) in [
            ("iptables-multiport", "<iptables> -I f2b-<name> 1 -s <ip> -j <blocktype>", (true, false)),
            ("cloudflare", "curl -s -X POST https://api.cloudflare.com/client/v4/", (true, false)),
            ("own", "/usr/local/sbin/deny <ip>", (true, false)),
            ("slack-notify", "curl -d '{}' https://hooks.slack.com/services/T/B/X", (false, true)),
            ("mail-whois", "printf %%b x | mail -s y <dest>", (false, false)),
            ("abuseipdb", "curl -sSf https://api.abuseipdb.com/api/v2/report", (false, false)),
        ] {
            assert_eq!((blocks(name, command), posts(name, command)), expected, "{name}");
        }
        assert!(is_ours("chat", "/usr/bin/banhook-notify ban") && is_ours("banhook", "x") && !is_ours("own", "x"));
    }
}
