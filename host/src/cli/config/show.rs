//! `banhook config show`: the configuration that is in force, with all defaults and without secrets.

use std::io::{self, Write as _};
use std::path::Path;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::cli::command_error::Outcome;
use crate::cli::global_options::{GlobalOptions, host_name};
use crate::config::{
    Config, Fleet, FleetRole, LogSource, PluginSource, Proxy, Report, Route, Webhook, duration_text, size_text,
};
use crate::event::Kind;
use crate::message::Access;
use crate::plugin::{Grant, Limits};

/// What is shown in place of a secret that no file contains.
const REDACTED: &str = "***";

/// Show the configuration that is in force: all files together, with the defaults, and without secrets
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the configuration.
pub(super) fn show(global: &GlobalOptions, arguments: &ShowArgs) -> Outcome {
    let config = global.config()?;
    let mut out = io::stdout();
    if arguments.json {
        writeln!(out, "{:#}", effective(&config, &host_name()))?;
    } else {
        write!(out, "{}", as_toml(&config)?)?;
    }
    Ok(true)
}

/// Returns the configuration that is in force, as a file would have it.
pub(crate) fn as_toml(config: &Config) -> anyhow::Result<String> {
    Ok(toml::to_string(&effective(config, &host_name()))?)
}

/// Returns the configuration as a file would have it. What is off is `false`, and what is not set and has no default is left
/// out.
fn effective(config: &Config, system_host: &str) -> Value {
    // A setting that comes later must be shown, or the compiler complains.
    let Config {
        host,
        labels,
        webhooks,
        routes,
        sandbox,
        retention,
        sources,
        fail2ban,
        health,
        metrics,
        reports,
        fleet,
        warnings: _,
        files: _,
    } = config;
    without_nulls(json!({
        "host": host.as_deref().unwrap_or(system_host),
        "labels": labels,
        "webhooks": webhooks.iter().map(|(name, hook)| (name.clone(), webhook(hook))).collect::<Map<_, _>>(),
        "routes": routes.iter().map(route).collect::<Vec<_>>(),
        "sandbox": { "stack": size(sandbox.stack) },
        "retention": {
            "history": duration_text(retention.history),
            "events": retention.events,
            "dead_message_max_age": duration_text(retention.dead_message_max_age),
            "dead_message_max_count": retention.dead_message_max_count,
        },
        "sources": sources.iter().flat_map(log_sources).collect::<Vec<_>>(),
        "fail2ban": { "database": fail2ban.database.as_deref().map_or(json!(false), path) },
        "health": health.as_ref().map(|webhook| json!({ "webhook": webhook })),
        "metrics": {
            "textfile": metrics.textfile.as_deref().map(path),
            "listen": metrics.listen.map(|listen| listen.to_string()),
        },
        "reports": reports.iter().map(report).collect::<Vec<_>>(),
        "fleet": fleet.as_ref().map(of_fleet),
    }))
}

fn of_fleet(fleet: &Fleet) -> Value {
    let Fleet { role, servers, nkey: _, nkey_file, ca_file, resend, lease, stream_size, replicas, silent, reporters } =
        fleet;
    let is_host = *role == FleetRole::Host;
    json!({
        "role": if is_host { "host" } else { "worker" },
        "servers": servers,
        "nkey_file": nkey_file.as_deref().map(path),
        "nkey": nkey_file.is_none().then_some(REDACTED),
        "ca_file": ca_file.as_ref().map(|file| path(&file.path)),
        "resend": is_host.then(|| duration_text(*resend)),
        "lease": (!is_host).then(|| duration_text(*lease)),
        "stream_size": (!is_host).then(|| size_text(*stream_size)),
        "replicas": replicas,
        "silent": (!is_host).then(|| silent.map_or(json!(false), |silent| json!(duration_text(silent)))),
        "reporters": (!reporters.is_empty()).then_some(reporters),
    })
}

fn report(report: &Report) -> Value {
    let Report { route, at, period, geo } = report;
    let geo: Vec<Value> = geo.iter().map(|file| path(file)).collect();
    json!({
        "route": route,
        "at": at.to_string(),
        "period": duration_text(*period),
        "geo": (!geo.is_empty()).then_some(geo),
    })
}

fn webhook(webhook: &Webhook) -> Value {
    let Webhook { url, app, program, token, target, url_file, basic_auth_file, allowed, rate, http } = webhook;
    let is_shown = url_file.is_none() && app.is_none();
    let of_app = app.as_ref().map(|app| app.token_file.as_deref());
    let token_file = of_app.or(token.as_ref().map(|(_, file)| file.as_deref()));
    let has_history = matches!(target.access(), Access::Channel(form) if form.has_history);
    let program = program.as_ref();
    let headers = program.and_then(|program| program.headers.as_ref()).map(|(_, file)| file.as_deref());
    let signing_key = program.and_then(|program| program.signing_key.as_ref()).map(|(_, file)| file.as_deref());
    json!({
        "url_file": url_file.as_deref().map(path),
        "url": is_shown.then(|| url.redacted()),
        "api_url": app.as_ref().map(|app| &app.api_url),
        "channel": app.as_ref().map(|app| &app.channel),
        "topic": app.as_ref().and_then(|app| app.topic),
        "check_history": app.as_ref().filter(|_| has_history).map(|app| app.check_history),
        "token_file": token_file.flatten().map(path),
        "token": (token_file == Some(None)).then_some(REDACTED),
        "body": program.and_then(|program| Some(program.body.as_ref()?.as_json().to_string())),
        "headers_file": headers.flatten().map(path),
        "headers": (headers == Some(None)).then_some(REDACTED),
        "signing_key_file": signing_key.flatten().map(path),
        "signing_key": (signing_key == Some(None)).then_some(REDACTED),
        "success": program.and_then(|program| Some(program.success.as_ref()?.to_text())),
        "target": target.as_str(),
        "rate": rate.to_string(),
        "burst": rate.burst,
        "timeout": duration_text(http.timeout),
        "connect_timeout": duration_text(http.connect_timeout),
        "proxy": match &http.proxy {
            Proxy::Environment => Value::Null,
            Proxy::None => json!(false),
            Proxy::Url(url) => json!(url.redacted()),
        },
        "ca_file": http.ca_file.as_ref().map(|file| path(&file.path)),
        "basic_auth_file": basic_auth_file.as_deref().map(path),
        "basic_auth": (basic_auth_file.is_none() && http.basic_auth.is_some()).then_some(REDACTED),
        "http_host": allowed.http,
        "relay_host": allowed.relay,
    })
}

fn route(route: &Route) -> Value {
    let Route {
        name,
        jails,
        events,
        stop,
        earlier: _,
        plugin,
        sha256,
        webhook,
        fallback_webhook,
        plugin_webhooks,
        timezone,
        redacted_fallback,
        mentions,
        limits,
        grants,
        storm,
        digest_window,
        restart,
        same_subject,
        max_age,
        change_fallback,
        quiet,
        settings,
    } = route;
    json!({
        "name": name,
        "webhook": webhook,
        "jails": jails.patterns().map_or_else(|| json!(["*"]), |patterns| json!(patterns)),
        "events": Kind::ALL.into_iter().filter(|kind| events.contains(kind)).map(Kind::as_str).collect::<Vec<_>>(),
        "stop": stop.then_some(true),
        "plugin": match plugin {
            PluginSource::BuiltIn => Value::Null,
            PluginSource::File(file) => path(file),
        },
        "sha256": sha256,
        "fallback_webhook": fallback_webhook,
        "plugin_webhooks": (!plugin_webhooks.is_empty()).then_some(plugin_webhooks),
        "timezone": timezone.iana_name(),
        "fallback": if *redacted_fallback { "redacted" } else { "full" },
        "mentions": mentions,
        "storm": storm.map_or(json!(false), |storm| {
            json!({ "threshold": storm.threshold, "within": duration_text(storm.within) })
        }),
        "digest_window": duration_text(*digest_window),
        "restart": restart.map_or(json!(false), |quiet| json!(duration_text(quiet))),
        "same_subject": same_subject.map_or(json!(false), |within| json!(duration_text(within))),
        "max_age": duration_text(*max_age),
        "change_fallback": change_fallback.as_str(),
        "quiet": quiet.map_or(json!(false), |quiet| json!(duration_text(quiet))),
        "limits": limits_of(limits),
        "grants": grants.iter().map(|(name, grant)| (name.to_owned(), granted(grant))).collect::<Map<_, _>>(),
        "settings": settings,
    })
}

fn limits_of(limits: &Limits) -> Value {
    // `log_bytes` sets `printed`.
    let Limits {
        time,
        memory,
        table,
        instances,
        transfer,
        text,
        items,
        log_lines,
        log_bytes,
        component,
        compile,
        printed: _,
    } = limits;
    json!({
        "time": duration_text(*time),
        "memory": size(*memory),
        "table": table,
        "instances": instances,
        "transfer": size(*transfer),
        "text": size(*text),
        "items": items,
        "log_lines": log_lines,
        "log_bytes": log_bytes,
        "component": size_text(*component),
        "compile": duration_text(*compile),
    })
}

fn granted(grant: &Grant) -> Value {
    match grant {
        Grant::Refused => json!(false),
        Grant::Given => json!(true),
        Grant::Files(files) => files.iter().map(|file| path(file)).collect(),
        // Only of test cases.
        Grant::Answers(_) => Value::Null,
    }
}

fn log_sources(source: &LogSource) -> impl Iterator<Item = Value> {
    let LogSource { logs, timezone, from_start, host, tag, own_hosts: _ } = source;
    logs.iter().map(move |log| {
        json!({
            "log": path(log),
            "timezone": timezone.iana_name(),
            "from_start": from_start,
            "host": host,
            "tag": tag,
        })
    })
}

fn path(path: &Path) -> Value {
    json!(path.to_string_lossy())
}

fn size(bytes: usize) -> String {
    size_text(bytes as u64)
}

/// Leaves out what is not set, and the tables that are empty then.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.into_iter().map(|(key, value)| (key, without_nulls(value)));
            let is_empty = |value: &Value| {
                value.is_null()
                    || value.as_object().is_some_and(Map::is_empty)
                    || value.as_array().is_some_and(Vec::is_empty)
            };
            Value::Object(kept.filter(|(_, value)| !is_empty(value)).collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema;

    /// A configuration in which every setting is set.
    const ALL: &str = include_str!("../../../packaging/examples/config.toml");

    fn parse(text: &str, folder: &Path) -> Config {
        Config::parse(text, &folder.join("config.toml"), &|_| None).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
    }

    #[test]
    fn show_is_a_configuration_that_means_the_same_and_has_every_setting() {
        let folder = tempfile::tempdir().unwrap();
        let seed = nkeys::KeyPair::new_user().seed().unwrap();
        for name in [
            "main.url",
            "ops.url",
            "login",
            "ca.pem",
            "my.wasm",
            "country.mmdb",
            "fleet.nkey",
            "slack.token",
            "ntfy.url",
            "program.url",
            "program.headers",
            "program.key",
            "telegram.token",
        ] {
            let text = match name {
                "fleet.nkey" => seed.as_str(),
                "ca.pem" => include_str!("../../config/testdata/ca.pem"),
                "login" => "user:SECRET",
                "slack.token" => "xoxb-1-SECRET",
                "ntfy.url" => "https://ntfy.sh/SECRET",
                "telegram.token" => "123456:SECRET",
                "program.url" => "https://example.org/SECRET",
                "program.headers" => "X-Key: SECRET",
                "program.key" => "whsec_SECRETSECRETSECRETSECRETSECRETSECRET",
                _ => "https://hooks.slack.com/services/T0/B0/SECRET",
            };
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        }
        let setting =
            |line: &str| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line).to_owned() + "\n";
        let all: String = ALL.lines().map(setting).collect();
        let all = all.replace("url_file = \"main.url\"\n", "url_file = \"main.url\"\nbasic_auth_file = \"login\"\n");
        let pinned = format!("plugin = \"my.wasm\"\nsha256 = \"{}\"\n", "0".repeat(64));
        let all = all.replace("plugin = \"my.wasm\"\n", &pinned);
        for text in [all.as_str(), ALL] {
            let shown = effective(&parse(text, folder.path()), "host");
            assert!(!shown.to_string().contains("SECRET") && !shown.to_string().contains(&seed), "{shown}");
            let written = toml::to_string(&shown).unwrap();
            assert_eq!(effective(&parse(&written, Path::new("/")), "other"), shown, "{written}");
        }
        let shown = effective(&parse(&all, folder.path()), "host");
        for (name, form) in schema()["properties"].as_object().unwrap() {
            let forms = [form, &form["items"], &form["additionalProperties"]];
            let keys = forms.into_iter().find_map(|form| form["properties"].as_object());
            let tables: Vec<&Value> = match &shown[name] {
                Value::Array(tables) => tables.iter().collect(),
                Value::Object(tables) if name == "webhooks" => tables.values().collect(),
                table => vec![table],
            };
            assert!(!tables.iter().all(|table| table.is_null()), "without {name}");
            for key in keys.into_iter().flat_map(Map::keys) {
                let is_other_place = ["_env", "_credential"].iter().any(|end| key.ends_with(end))
                    || [
                        "url",
                        "basic_auth",
                        "http_host",
                        "relay_host",
                        "nkey",
                        "resend",
                        "token",
                        "headers",
                        "signing_key",
                    ]
                    .contains(&key.as_str());
                assert!(is_other_place || tables.iter().any(|table| table.get(key).is_some()), "without {name}.{key}");
            }
        }
    }

    #[test]
    fn show_has_no_secret_that_no_file_has() {
        let text = "[webhooks.main]\nurl = 'https://hooks.slack.com/services/T0/B0/SECRET'\nbasic_auth = 'me:SECRET'\n\
            proxy = 'http://me:SECRET@127.0.0.1:3128'\n";
        let shown = effective(&parse(text, Path::new("/")), "host");
        let hook = &shown["webhooks"]["main"];
        assert!(
            hook["url"].as_str().unwrap().starts_with("https://hooks.slack.com/") && hook["basic_auth"] == REDACTED
        );
        assert!(!shown.to_string().contains("SECRET"), "{shown}");
    }
}
