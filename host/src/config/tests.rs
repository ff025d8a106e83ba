//! The configuration as a whole: every error as a user sees it, and what a valid configuration is read as.
//!
//! `testdata/NAME.toml` is read as `config.toml` in a folder of its own, and what it yields is compared with
//! `testdata/NAME.txt`; `UPDATE_GOLDEN=1` rewrites those.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::fail2ban::Fail2ban;
use super::problem::Problem;
use super::proxy_url::ProxyUrl;
use super::{Config, HttpSettings, Mismatch, PluginSource, Proxy, Rate, Retention, Storm};
use crate::event::{Ban, Event, Kind, Timestamp};
use crate::message::Target;
use crate::plugin::{Grant, Grants, Limits};

/// Every secret in the tests ends in this.
const SECRET: &str = "s3cret";
const URL: &str = "https://hooks.slack.com/services/T01/B02/s3cret";
/// The certificate of an authority whose key nobody has.
const CA: &str = include_str!("testdata/ca.pem");

/// A folder with a configuration and the files that it names.
struct Etc(TempDir);

impl Etc {
    fn new(config: &str) -> Self {
        let etc = Self(tempfile::tempdir().unwrap());
        for (name, mode, text) in [
            ("config.toml", 0o600, config),
            ("security.url", 0o640, &format!("{URL}\n")),
            ("credentials/security", 0o400, URL),
            ("open.url", 0o644, URL),
            ("empty.url", 0o600, "\n"),
            ("two-lines.url", 0o600, &format!("{URL}\n{URL}\n")),
            ("marked.url", 0o600, &format!("\u{feff}{URL}\n")),
            ("quoted.url", 0o600, &format!("\"{URL}\"\n")),
            ("example.url", 0o600, "https://hooks.slack.com/services/T…/B…/…\n"),
            ("bare.url", 0o600, "hooks.slack.com/services/T/B/s3cret"),
            ("plugins/sec.wasm", 0o644, ""),
            ("geo/country.mmdb", 0o644, ""),
            ("geo/asn.mmdb", 0o644, ""),
            ("folder/x", 0o644, ""),
            ("corp-ca.pem", 0o644, CA),
            ("damaged.pem", 0o644, &CA.replace("MIIB", "****")),
            ("not-x509.pem", 0o644, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        ] {
            etc.write(name, mode, text);
        }
        etc
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, mode: u32, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn load(&self) -> Result<Config, String> {
        let env = |name: &str| match name {
            "BANHOOK_URL" => Some(URL.to_owned()),
            "CREDENTIALS_DIRECTORY" => Some(self.path("credentials").display().to_string()),
            _ => None,
        };
        let folder = format!("{}/", self.0.path().display());
        let errors = |errors: super::ConfigErrors| {
            assert!(!errors.0.is_empty());
            let shown = format!("{errors} {errors:?} {}", serde_json::to_string(&errors).unwrap());
            assert!(!shown.contains(SECRET), "{shown}");
            errors.to_string().replace(&folder, "")
        };
        let config = Config::load(&self.path("config.toml"), &env).map_err(errors)?;
        assert!(!format!("{config:?}").contains(SECRET), "{config:?}");
        Ok(config)
    }
}

fn in_env(name: &str) -> Option<String> {
    (name == "BANHOOK_URL").then(|| URL.to_owned())
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn parse(text: &str) -> Config {
    Config::parse(text, Path::new("/etc/banhook/config.toml"), &in_env).unwrap()
}

#[test]
fn load_testdata_reports_the_golden_errors() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/testdata");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    assert!(!paths.is_empty());
    let mut differing = Vec::new();
    for path in paths {
        let etc = Etc::new(&fs::read_to_string(&path).unwrap());
        let found = match etc.load() {
            Ok(config) => {
                let shown =
                    |warning: &Problem| warning.to_string().replace(&format!("{}/", etc.0.path().display()), "");
                let lines = config.warnings.iter().map(|warning| format!("warning: {}", shown(warning)));
                ["accepted".to_owned()].into_iter().chain(lines).collect::<Vec<_>>().join("\n")
            }
            Err(errors) => errors,
        };
        let golden = path.with_extension("txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, format!("{found}\n")).unwrap();
        } else if fs::read_to_string(&golden).unwrap_or_default() != format!("{found}\n") {
            differing.push(format!("{} differs from:\n{found}", golden.display()));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n\n"));
}

#[test]
fn load_full_configuration_reads_every_key() {
    let etc = Etc::new(include_str!("testdata/design.toml"));
    let config = etc.load().unwrap();
    assert_eq!(config.host.as_deref(), Some("web-1"));
    assert_eq!(config.labels["site"], "fra1");
    let webhook = &config.webhooks["security"];
    assert_eq!(webhook.target, Target::SLACK);
    assert_eq!(webhook.url.expose().as_str(), URL);
    assert_eq!(webhook.rate, Rate::STANDARD);
    assert_eq!((webhook.http.timeout, webhook.http.connect_timeout), (seconds(30), seconds(10)));
    assert_eq!(webhook.http.proxy, Proxy::Url(ProxyUrl::parse("http://proxy.example:3128").unwrap()));
    let ca_file = webhook.http.ca_file.as_ref().unwrap();
    assert_eq!((&ca_file.path, ca_file.certificates.len()), (&etc.path("corp-ca.pem"), 1));
    assert!(config.files.contains(&etc.path("corp-ca.pem")));
    assert_eq!(config.webhooks["ops"].http, HttpSettings { proxy: Proxy::None, ..HttpSettings::STANDARD });
    let [route] = config.routes.as_slice() else { panic!("{config:?}") };
    assert_eq!(route.name, "sec");
    assert_eq!(route.fallback_webhook.as_deref(), Some("ops"));
    assert_eq!((route.storm, route.digest_window), (Some(Storm::STANDARD), seconds(30)));
    assert_eq!((route.restart, route.max_age), (Some(seconds(5)), seconds(86_400)));
    assert_eq!(config.retention, Retention::STANDARD);
    assert_eq!(route.jails.patterns().unwrap(), ["sshd", "nginx-*"]);
    assert_eq!(route.events, [Kind::Ban, Kind::Unban].into());
    assert_eq!(route.plugin, PluginSource::File(etc.path("plugins/sec.wasm")));
    assert_eq!(route.webhook, "security");
    assert_eq!(route.timezone.iana_name(), Some("Europe/Berlin"));
    assert!(!route.mentions);
    assert_eq!(route.limits, Limits::STANDARD);
    assert!(route.settings["ban"].starts_with(":no_entry: *{{ ip }}*"));
    let files = vec![etc.path("geo/country.mmdb"), etc.path("geo/asn.mmdb")];
    assert_eq!(route.grants, Grants::from_iter([("history", Grant::Given), ("geo", Grant::Files(files))]));
    assert_eq!(config.warnings, []);
}

#[test]
fn settings_of_any_kind_become_text() {
    let text = "webhooks.main.url = 'http://127.0.0.1:1/'\n[[routes]]\n[routes.settings]\n\
        text = \"a\\nb\"\nnumber = 1_000\nhex = 0x1F\nfloat = 2.50\nflag = true\nlist = [\"a\", 5, false]\nempty = []";
    let config = Config::parse(text, Path::new("/config.toml"), &|_| None).unwrap();
    let settings: Vec<_> =
        config.routes[0].settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(
        settings,
        [
            ("empty", ""),
            ("flag", "true"),
            ("float", "2.5"),
            ("hex", "31"),
            ("list", "a\n5\nfalse"),
            ("number", "1000"),
            ("text", "a\nb"),
        ]
    );
}

#[test]
fn parse_route_reads_grouping_or_its_defaults() {
    for (text, storm, window, restart, max_age) in [
        ("", Some((8, 60)), 30, Some(5), 86_400),
        ("storm = {}", Some((8, 60)), 30, Some(5), 86_400),
        ("storm.threshold = 3", Some((3, 60)), 30, Some(5), 86_400),
        ("storm.within = '1h'", Some((8, 3_600)), 30, Some(5), 86_400),
        ("storm = false\nrestart = false\ndigest_window = '2m'\nmax_age = '1m'", None, 120, None, 60),
        ("restart = '60s'", Some((8, 60)), 30, Some(60), 86_400),
    ] {
        let config = parse(&format!("webhooks.ops.url_env = 'BANHOOK_URL'\n[[routes]]\n{text}"));
        let route = &config.routes[0];
        let storm = storm.map(|(threshold, within)| Storm { threshold, within: seconds(within) });
        assert_eq!((route.storm, route.digest_window), (storm, seconds(window)), "{text}");
        assert_eq!((route.restart, route.max_age), (restart.map(seconds), seconds(max_age)), "{text}");
    }
}

#[test]
fn same_subject_is_on_by_default_where_the_events_of_a_fleet_are() {
    let seed = nkeys::KeyPair::new_user().seed().unwrap();
    let fleet = format!("[fleet]\nrole = 'worker'\nservers = ['nats://127.0.0.1:4222']\nnkey = '{seed}'\n");
    let webhook = "[webhooks.ops]\nurl_env = 'BANHOOK_URL'\n";
    for (text, expected) in [
        (webhook.to_owned(), None),
        (format!("{webhook}[[routes]]\nsame_subject = '1m'"), Some(60)),
        (format!("{fleet}{webhook}"), Some(30)),
        (format!("{fleet}{webhook}[[routes]]\njails = ['sshd']"), Some(30)),
        (format!("{fleet}{webhook}[[routes]]\nsame_subject = false"), None),
    ] {
        assert_eq!(parse(&text).routes[0].same_subject, expected.map(seconds), "{text}");
    }
}

#[test]
fn load_webhook_reads_rate_and_http_settings() {
    let proxy = |url: &str| Proxy::Url(ProxyUrl::parse(url).unwrap());
    for (text, rate, http) in [
        ("", Rate::STANDARD, HttpSettings::STANDARD),
        ("rate = '30/m'", Rate { interval: seconds(2), burst: 4 }, HttpSettings::STANDARD),
        ("burst = 1", Rate { interval: seconds(1), burst: 1 }, HttpSettings::STANDARD),
        ("timeout = '5m'", Rate::STANDARD, HttpSettings { timeout: seconds(300), ..HttpSettings::STANDARD }),
        (
            "connect_timeout = '1s'",
            Rate::STANDARD,
            HttpSettings { connect_timeout: seconds(1), ..HttpSettings::STANDARD },
        ),
        ("proxy = false", Rate::STANDARD, HttpSettings { proxy: Proxy::None, ..HttpSettings::STANDARD }),
        (
            "proxy = 'http://me:s3cret@proxy.example'",
            Rate::STANDARD,
            HttpSettings { proxy: proxy("http://me:s3cret@proxy.example"), ..HttpSettings::STANDARD },
        ),
    ] {
        let config = Etc::new(&format!("[webhooks.x]\nurl_file = 'security.url'\n{text}")).load().unwrap();
        let webhook = &config.webhooks["x"];
        assert_eq!((webhook.rate, &webhook.http), (rate, &http), "{text}");
    }
}

#[test]
fn load_changed_ca_file_differs() {
    let etc = Etc::new("[webhooks.x]\nurl_file = 'security.url'\nca_file = 'corp-ca.pem'");
    let before = etc.load().unwrap();
    etc.write("corp-ca.pem", 0o644, &CA.repeat(2));
    assert_ne!(before.webhooks["x"].http, etc.load().unwrap().webhooks["x"].http);
}

#[test]
fn load_proxy_password_in_accessible_file_is_an_error() {
    let etc = Etc::new("");
    let text = "[webhooks.x]\nurl_file = 'security.url'\nproxy = 'http://me:s3cret@proxy.example'";
    etc.write("config.toml", 0o644, text);
    assert_eq!(
        etc.load().unwrap_err(),
        "config.toml:3:9: proxy contains a password, but this file is accessible to every user of this host (mode 0644); \
         run: chmod o-rwx config.toml"
    );
    etc.write("config.toml", 0o644, &text.replace("me:s3cret@", ""));
    assert!(etc.load().is_ok());
}

#[test]
fn parse_grants_are_absent_refused_or_given() {
    for (text, expected) in [
        ("", &[][..]),
        ("[routes.grants]", &[]),
        ("[routes.grants]\nhistory = false", &[("history", Grant::Refused)]),
        ("grants = { geo = false, history = true }", &[("history", Grant::Given), ("geo", Grant::Refused)]),
    ] {
        let config = parse(&format!("webhooks.ops.url_env = 'BANHOOK_URL'\n[[routes]]\n{text}"));
        assert_eq!(config.routes[0].grants, expected.iter().cloned().collect(), "{text}");
    }
}

#[test]
fn parse_fail2ban_database_is_the_default_another_or_none() {
    let usual = Some("/var/lib/fail2ban/fail2ban.sqlite3");
    for (text, database, configured) in [
        ("", usual, false),
        ("[fail2ban]", usual, false),
        ("[fail2ban]\ndatabase = false", None, false),
        ("fail2ban.database = '/var/lib/fail2ban/fail2ban.sqlite3'", usual, true),
        ("fail2ban.database = 'f.sqlite3'", Some("/etc/banhook/f.sqlite3"), true),
    ] {
        let fail2ban = parse(&format!("webhooks.ops.url_env = 'BANHOOK_URL'\n{text}")).fail2ban;
        assert_eq!(fail2ban, Fail2ban { database: database.map(Into::into), configured }, "{text}");
    }
}

#[test]
fn parse_single_webhook_without_routes_gets_every_event() {
    for text in ["webhooks.ops.url_env = 'BANHOOK_URL'", "webhooks.ops.url_env = 'BANHOOK_URL'\n[[routes]]"] {
        let config = parse(text);
        let [route] = config.routes.as_slice() else { panic!("{config:?}") };
        assert_eq!((route.name.as_str(), route.webhook.as_str()), ("ops", "ops"));
        assert_eq!((&route.plugin, route.limits), (&PluginSource::BuiltIn, Limits::STANDARD));
        assert!(route.events.len() == Kind::ALL.len() && route.jails.patterns().is_none() && !route.mentions);
        assert_eq!(route.timezone, jiff::tz::TimeZone::system());
    }
}

#[test]
fn route_matches_its_jails_and_kinds() {
    use crate::event::EventDetails;
    let config = parse(
        "webhooks.ops.url_env = 'BANHOOK_URL'\n[[routes]]\njails = ['sshd', 'nginx-*']\nevents = ['ban', 'stop']",
    );
    for (jail, details, matches) in [
        ("sshd", EventDetails::Ban(Ban::default()), true),
        ("nginx-auth", EventDetails::Stop, true),
        ("sshd", EventDetails::Unban(Ban::default()), false),
        ("dovecot", EventDetails::Ban(Ban::default()), false),
    ] {
        let event = Event {
            id: String::new(),
            at: Timestamp(0),
            host: String::new(),
            jail: jail.to_owned(),
            details,
            labels: [].into(),
        };
        assert_eq!(config.routes[0].matches(&event), matches, "{event:?}");
    }
}

#[test]
fn route_with_stop_keeps_its_events_from_later_routes() {
    let config = parse(
        "webhooks.ops.url_env = 'BANHOOK_URL'
         [[routes]]\nname = 'mail'\njails = ['postfix*', '!postfix-sasl']\nevents = ['ban']\nstop = true
         [[routes]]\nname = 'web'\njails = ['nginx-*']\nstop = true
         [[routes]]\nname = 'all'",
    );
    let [mail, web, all] = config.routes.as_slice() else { panic!("{config:?}") };
    for (jail, kind, mismatch) in [
        ("sshd", Kind::Ban, None),
        ("postfix", Kind::Ban, Some(Mismatch::Stopped("mail"))),
        ("postfix", Kind::Unban, None),
        ("postfix-sasl", Kind::Ban, None),
        ("nginx-auth", Kind::Unban, Some(Mismatch::Stopped("web"))),
    ] {
        assert_eq!(all.mismatch(jail, kind), mismatch, "{jail} {kind:?}");
    }
    assert_eq!(mail.mismatch("postfix", Kind::Ban), None);
    assert_eq!(mail.mismatch("postfix", Kind::Stop), Some(Mismatch::Kind));
    assert_eq!(web.mismatch("postfix", Kind::Ban), Some(Mismatch::Jail));
    assert_eq!(config.warnings, []);
}

/// The class of a check that took 51 s for 60,000 unknown keys.
#[test]
fn load_large_file_of_mistakes_is_fast() {
    const KEYS: usize = 20_000;
    let many = |key: &dyn Fn(usize) -> String, between: &str| (0..KEYS).map(key).collect::<Vec<_>>().join(between);
    for text in [
        many(&|number| format!("k{number} = 1"), "\n"),
        format!("x = {{ {} }}", many(&|number| format!("k{number} = 1"), ", ")),
        format!("[sandbox]\nx = 1\n{}", many(&|number| format!("é{number} ="), "\n")),
        format!("[webhooks]\n{}", many(&|number| format!("k{number}.u = 1"), "\n")),
        many(&|_| "[[routes]]\nx=1".to_owned(), "\n"),
    ] {
        let begun = std::time::Instant::now();
        assert!(Etc::new(&text).load().is_err());
        // A debug build takes some seconds on a busy machine; what was quadratic took minutes.
        assert!(begun.elapsed() < Duration::from_secs(30), "{}: {:?}", &text[..20], begun.elapsed());
    }
}

#[test]
fn load_url_from_each_source() {
    for (key, url) in [
        ("url_file = 'security.url'", URL),
        ("url_env = 'BANHOOK_URL'", URL),
        ("url_credential = 'security'", URL),
        ("url = 'https://hooks.slack.com/services/T01/B02/s3cret'", URL),
        ("url = 'http://localhost:1/'", "http://localhost:1/"),
    ] {
        let config = Etc::new(&format!("[webhooks.x]\n{key}")).load().unwrap();
        assert_eq!(config.webhooks["x"].url.expose().as_str(), url, "{key}");
    }
}

#[test]
fn load_secret_in_exposed_configuration_is_an_error() {
    let etc = Etc::new("");
    for url in [URL, "http://127.0.0.1:8080/s3cret"] {
        etc.write("config.toml", 0o644, &format!("[webhooks.x]\nurl = '{url}'"));
        assert_eq!(
            etc.load().unwrap_err(),
            "config.toml:2:7: url is a secret, but this file is accessible to every user of this host (mode 0644); \
             use url_file, or run: chmod o-rwx config.toml"
        );
    }
    etc.write("config.toml", 0o660, "[webhooks.x]\nurl_file = 'security.url'\nbasic_auth = 'me:s3cret'");
    assert_eq!(
        etc.load().unwrap_err(),
        "config.toml:3:14: basic_auth is a secret, but this file can be changed by other users (mode 0660); \
         use basic_auth_file, or run: chmod go-w config.toml"
    );
}

#[test]
fn load_secret_in_exposed_file_is_an_error() {
    for (mode, how, rights) in [
        (0o644, "is accessible to every user of this host (mode 0644)", "o-rwx"),
        (0o444, "is accessible to every user of this host (mode 0444)", "o-rwx"),
        (0o660, "can be changed by other users (mode 0660)", "go-w"),
        (0o666, "can be changed by other users (mode 0666)", "go-w,o-rwx"),
    ] {
        for (key, text) in [("url_file", URL), ("url_file", "http://127.0.0.1/"), ("basic_auth_file", "me:s3cret")] {
            let etc = Etc::new(&match key {
                "url_file" => "[webhooks.x]\nurl_file = 'exposed'".to_owned(),
                _ => format!("[webhooks.x]\nbasic_auth_file = 'exposed'\nurl = '{URL}'"),
            });
            etc.write("exposed", mode, text);
            let (line, path) = (if key == "url_file" { "2:12" } else { "2:19" }, etc.path("exposed"));
            let expected = format!(
                "config.toml:{line}: {0} contains a secret, but {how}; run: chmod {rights} {0}",
                path.strip_prefix(etc.0.path()).unwrap().display()
            );
            assert_eq!(etc.load().unwrap_err(), expected, "{key} {mode:o}");
        }
    }
}

#[test]
fn load_basic_auth_from_each_source() {
    for key in ["basic_auth_file = 'login'", "basic_auth_env = 'LOGIN'", "basic_auth = 'me:s3cret'"] {
        let etc = Etc::new(&format!("[webhooks.x]\nurl_file = 'security.url'\n{key}"));
        etc.write("login", 0o600, "me:s3cret\n");
        let env = |name: &str| (name == "LOGIN").then(|| "me:s3cret".to_owned());
        let config = Config::load(&etc.path("config.toml"), &env).unwrap();
        assert_eq!(config.webhooks["x"].http.basic_auth.as_ref().unwrap().expose(), ("me", "s3cret"), "{key}");
        assert!(!format!("{config:?}").contains("s3cret"));
        assert_eq!(config.files.contains(&etc.path("login")), key.contains("file"));
    }
}

#[test]
fn load_unusable_proxy_of_the_environment_warns() {
    let warnings = |lines: &str, proxy: &str| {
        let etc = Etc::new(&format!("[webhooks.x]\n{lines}"));
        let env = |name: &str| (name == "HTTPS_PROXY").then(|| proxy.to_owned());
        let config = Config::load(&etc.path("config.toml"), &env).unwrap();
        config.warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let found = warnings("url_file = 'security.url'", "quic://me:s3cret@proxy.example");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("HTTPS_PROXY is not used: only HTTP and SOCKS"), "{found:?}");
    assert!(!found[0].contains("s3cret"));
    assert_eq!(warnings("url_file = 'security.url'", "socks5h://proxy.example"), [""; 0]);
    assert_eq!(warnings("url_file = 'security.url'\nproxy = false", "quic://x"), [""; 0]);
    assert_eq!(warnings("url = 'http://localhost:1/'", "quic://x"), [""; 0]);
}

#[test]
fn load_merges_conf_d_by_name() {
    let etc = Etc::new("[webhooks.ops]\nurl_file = 'security.url'\n[labels]\na = '1'\n[[routes]]\nname = 'a'");
    etc.write(
        "conf.d/20-team.toml",
        0o644,
        "[[routes]]\nname = 'c'\nplugin = '../plugins/sec.wasm'\n[labels]\nb = '2'\n[retention]\nevents = 5000",
    );
    etc.write("conf.d/10-team.toml", 0o644, "host = 'h'\n[[routes]]\nname = 'b'\nwebhook = 'ops'");
    etc.write("conf.d/.#30.toml", 0o644, "not read");
    etc.write("conf.d/README", 0o644, "not read");
    let config = etc.load().unwrap();
    let names: Vec<_> = config.routes.iter().map(|route| route.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(config.host.as_deref(), Some("h"));
    assert_eq!(config.labels.len(), 2);
    assert_eq!(config.retention, Retention { events: 5_000, ..Retention::STANDARD });
}

#[test]
fn load_duplicate_definitions_are_errors() {
    let text = "host = 'a'\nlabels.site = 'fra1'\nwebhooks.ops.url_file = '../security.url'\n[[routes]]\nname = 'a'\n\
                [retention]";
    let etc = Etc::new(&text.replace("../", ""));
    etc.write("conf.d/a.toml", 0o600, text);
    assert_eq!(
        etc.load().unwrap_err(),
        "conf.d/a.toml:1:8: host is already defined at config.toml:1:8\n\
         conf.d/a.toml:2:8: the label \"site\" is already defined at config.toml:2:8\n\
         conf.d/a.toml:3:10: the webhook \"ops\" is already defined at config.toml:3:10\n\
         conf.d/a.toml:5:8: the route \"a\" is already defined at config.toml:5:8\n\
         conf.d/a.toml:6:2: [retention] is already defined at config.toml:6:2"
    );
}

#[test]
fn load_invalid_file_suppresses_errors_across_files() {
    let etc = Etc::new("[[routes]]\nname = 'a'\nwebhook = 'there'\nmention = true");
    etc.write("conf.d/a.toml", 0o600, "[webhooks.there\n");
    assert_eq!(
        etc.load().unwrap_err(),
        "config.toml:4:1: unknown key \"mention\" in [[routes]]; did you mean \"mentions\"?\n\
         conf.d/a.toml:1:16: unclosed table, expected `]`"
    );
}

#[test]
fn load_missing_file_suggests_what_to_do() {
    let etc = Etc::new("");
    fs::remove_file(etc.path("config.toml")).unwrap();
    assert_eq!(
        etc.load().unwrap_err(),
        "config.toml: the configuration does not exist; \
         run `banhook setup`, or name another file with --config or BANHOOK_CONFIG"
    );
    fs::create_dir(etc.path("config.toml")).unwrap();
    assert_eq!(etc.load().unwrap_err(), "config.toml: cannot read the file: it is not a regular file");
}

#[test]
fn parse_credential_outside_systemd_is_an_error() {
    let errors = Config::parse("webhooks.x.url_credential = 'hook'", Path::new("c"), &|_| None).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "c:1:29: systemd passes no credentials (CREDENTIALS_DIRECTORY is not set); \
         add LoadCredential=hook:FILE to the unit"
    );
}
