//! Connections: what they depend on, and the HTTP clients that hold them.
//!
//! A client with TLS reads all certificates of the system, which takes long. So one is built when it is first needed, off
//! the thread that everything waits on, and is shared by all webhooks that are reached in the same way.

use std::collections::HashMap;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Certificate;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::OnceCell;

use crate::config::{HttpSettings, Proxy, is_private};

/// How long a connection stays open without a request.
pub(super) const KEPT_ALIVE: Duration = Duration::from_secs(90);

/// What a connection depends on: equal ones share a client.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Connection {
    connect_timeout: Duration,
    proxy: Proxy,
    trust: Trust,
    /// Whether it goes to private addresses only.
    private: bool,
}

/// Resolves names of private hosts only: a request without TLS never leaves the private network.
struct PrivateHosts;

impl Resolve for PrivateHosts {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if addresses.iter().any(|address| !is_private(address.ip())) {
                return Err("http_host has an address that is not private".into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Whom TLS trusts.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Trust {
    /// Nobody: there is no TLS, and no certificate has to be read.
    Nobody,
    /// The system's authorities, and these.
    SystemAnd(Arc<[Vec<u8>]>),
}

impl Connection {
    /// The connection to a URL.
    pub(super) fn new(url: &url::Url, settings: &HttpSettings) -> Self {
        let is_plain = match &settings.proxy {
            Proxy::None => url.scheme() == "http",
            Proxy::Url(proxy) => url.scheme() == "http" && (proxy.is_socks() || proxy.expose().scheme() == "http"),
            Proxy::Environment => false,
        };
        let certificates = || settings.ca_file.as_ref().map(|file| Arc::clone(&file.certificates)).unwrap_or_default();
        let trust = if is_plain { Trust::Nobody } else { Trust::SystemAnd(certificates()) };
        let private = url.scheme() == "http" && settings.proxy == Proxy::None;
        Self { connect_timeout: settings.connect_timeout, proxy: settings.proxy.clone(), trust, private }
    }

    /// The proxy of its own that it goes through.
    pub(super) const fn proxy(&self) -> Option<&url::Url> {
        match &self.proxy {
            Proxy::Url(url) => Some(url.expose()),
            Proxy::Environment | Proxy::None => None,
        }
    }

    fn build(&self) -> Result<reqwest::Client, reqwest::Error> {
        // An error means that it is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder()
            .user_agent(concat!("banhook/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(self.connect_timeout)
            .pool_idle_timeout(KEPT_ALIVE)
            .http1_only();
        let builder = if self.private { builder.dns_resolver(Arc::new(PrivateHosts)) } else { builder };
        let builder = match &self.proxy {
            Proxy::Environment => builder,
            Proxy::None => builder.no_proxy(),
            Proxy::Url(url) => builder.proxy(reqwest::Proxy::all(url.expose().clone())?),
        };
        let builder = match &self.trust {
            Trust::Nobody => builder.tls_certs_only([]),
            Trust::SystemAnd(certificates) => {
                let certificates: Result<Vec<_>, _> =
                    certificates.iter().map(|der| Certificate::from_der(der)).collect();
                builder.tls_certs_merge(certificates?)
            }
        };
        builder.build()
    }
}

/// The clients that were built so far.
#[derive(Clone, Default)]
pub(super) struct Connections(Arc<Mutex<HashMap<Connection, ClientSlot>>>);

/// Filled once; what could not be built is tried again.
type ClientSlot = Arc<OnceCell<reqwest::Client>>;

impl Connections {
    /// The client for a connection, built unless it is there already.
    pub(super) async fn client(&self, connection: &Connection) -> Result<reqwest::Client, String> {
        let slot = {
            let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(connection.clone()).or_default())
        };
        let build = || async {
            let connection = connection.clone();
            let built = tokio::task::spawn_blocking(move || connection.build()).await;
            let built = built.map_err(|error| format!("cannot set up HTTPS: {error}"))?;
            built.map_err(|error| format!("cannot set up HTTPS: {}", cause(&error)))
        };
        slot.get_or_try_init(build).await.cloned()
    }

    /// Drops all others, so that former configurations do not pile up.
    pub(super) fn keep(&self, used: &[&Connection]) {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|connection, _| used.contains(&connection));
    }
}

/// Why no answer came, in a line. Without the error's own text, which would hold the URL, and without those of the layers
/// between.
pub(super) fn failure(error: &reqwest::Error, connection: &Connection) -> String {
    let through = if connection.proxy().is_some() { " through the proxy" } else { "" };
    match (error.is_timeout(), error.is_connect()) {
        (true, true) => format!("no connection{through} within connect_timeout"),
        (true, false) => "no answer within timeout".to_owned(),
        (false, true) => format!("no connection{through}: {}", cause(error)),
        (false, false) => format!("no answer: {}", cause(error)),
    }
}

/// What caused an error in the first place.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    // Without a cause there is only its own text.
    if cause.is::<reqwest::Error>() { "the request failed".to_owned() } else { cause.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{CaFile, ProxyUrl};

    fn settings(proxy: Proxy) -> HttpSettings {
        HttpSettings { proxy, ..HttpSettings::STANDARD }
    }

    fn proxy(url: &str) -> Proxy {
        Proxy::Url(ProxyUrl::parse(url).unwrap())
    }

    fn url(text: &str) -> url::Url {
        text.parse().unwrap()
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().unwrap()
    }

    #[test]
    fn connection_without_tls_reads_no_certificates() {
        for (to, proxy, plain) in [
            ("http://127.0.0.1/", Proxy::None, true),
            ("http://127.0.0.1/", proxy("http://127.0.0.1:3128"), true),
            ("http://127.0.0.1/", proxy("socks5h://127.0.0.1"), true),
            ("https://127.0.0.1/", proxy("socks5h://127.0.0.1"), false),
            ("http://127.0.0.1/", proxy("https://127.0.0.1:3128"), false),
            ("http://127.0.0.1/", Proxy::Environment, false),
            ("https://127.0.0.1/", Proxy::None, false),
            ("https://127.0.0.1/", proxy("http://127.0.0.1:3128"), false),
        ] {
            let connection = Connection::new(&url(to), &settings(proxy));
            assert_eq!(matches!(connection.trust, Trust::Nobody), plain, "{to}");
        }
    }

    #[test]
    fn resolve_of_a_plain_request_accepts_private_hosts_only() {
        let resolve = |name: &str| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(PrivateHosts.resolve(name.parse().unwrap())).map(Iterator::count)
        };
        assert!(resolve("localhost").unwrap() > 0);
        // An address is a name that resolves without a server.
        assert_eq!(resolve("10.0.0.1").unwrap(), 1);
        let error = resolve("192.0.2.1").unwrap_err().to_string();
        assert_eq!(error, "http_host has an address that is not private");
    }

    #[test]
    fn equal_connections_share_a_client() {
        let connections = Connections::default();
        let get = |proxy| {
            let connection = Connection::new(&url("http://127.0.0.1/"), &settings(proxy));
            runtime().block_on(connections.client(&connection)).unwrap();
            connection
        };
        let built = || connections.0.lock().unwrap().len();
        let direct = get(Proxy::None);
        get(Proxy::None);
        assert_eq!(built(), 1);
        get(proxy("http://127.0.0.1:3128"));
        assert_eq!(built(), 2);
        connections.keep(&[&direct]);
        assert_eq!(built(), 1);
    }

    #[test]
    fn client_that_cannot_be_built_reports_why_and_is_retried() {
        let connections = Connections::default();
        let ca_file = CaFile { path: "ca.pem".into(), certificates: vec![b"no certificate".to_vec()].into() };
        let settings = HttpSettings { ca_file: Some(ca_file), ..settings(Proxy::None) };
        let connection = Connection::new(&url("https://127.0.0.1/"), &settings);
        for _ in 0..2 {
            let error = runtime().block_on(connections.client(&connection)).err().unwrap();
            assert!(error.starts_with("cannot set up HTTPS: "), "{error}");
        }
    }
}
