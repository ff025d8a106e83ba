//! How a webhook is reached: timeouts, proxy and certificates.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::basic_auth::BasicAuth;
use super::proxy_url::ProxyUrl;
use super::quantity;
use super::reader::{Located, Table};
use super::text_file::TextFile;

/// How requests to a webhook are made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct HttpSettings {
    /// How long connecting may take, TLS included; 1 ms to 5 min. Default: 10 s.
    pub connect_timeout: Duration,
    /// How long a whole request may take, its response included; 1 ms to 5 min. Default: 30 s.
    pub timeout: Duration,
    /// Default: the proxy of the environment.
    pub proxy: Proxy,
    /// Certificates that are trusted in addition to the system's. Default: none.
    pub ca_file: Option<CaFile>,
    /// What a server before the chat asks for. Default: none.
    pub basic_auth: Option<BasicAuth>,
}

/// The proxy between banhook and a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) enum Proxy {
    /// As `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say; none for a webhook on this host.
    #[default]
    Environment,
    /// No proxy: `false`.
    None,
    /// This proxy, whatever the environment says, and for a webhook on this host too.
    Url(ProxyUrl),
}

/// Certificates of authorities, as they were when the configuration was read.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct CaFile {
    /// The absolute path of their file.
    pub path: PathBuf,
    /// In DER; at least one, and all of them valid.
    pub certificates: Arc<[Vec<u8>]>,
}

impl fmt::Debug for CaFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The bytes would fill a screen.
        write!(f, "CaFile({}, {} certificates)", self.path.display(), self.certificates.len())
    }
}

impl HttpSettings {
    /// Long enough for a slow proxy and a busy chat, and short enough that a dead connection does not delay the next message.
    pub(crate) const STANDARD: Self = Self {
        connect_timeout: Duration::from_secs(10),
        timeout: Duration::from_secs(30),
        proxy: Proxy::Environment,
        ca_file: None,
        basic_auth: None,
    };

    /// The bounds of both timeouts. A longer one would delay all messages after it.
    const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(300);

    /// Reads its keys of a webhook.
    pub(super) fn read(webhook: &Table<'_>) -> Self {
        let mut http = Self::STANDARD;
        quantity::duration(webhook, "timeout", Self::TIMEOUT, "1ms and 5m", &mut http.timeout);
        quantity::duration(webhook, "connect_timeout", Self::TIMEOUT, "1ms and 5m", &mut http.connect_timeout);
        http.proxy = proxy(webhook);
        http.ca_file = CaFile::read(webhook);
        http
    }
}

fn proxy(table: &Table<'_>) -> Proxy {
    if table.is_false("proxy") {
        return Proxy::None;
    }
    let expected = "a URL like \"http://proxy.example:3128\" or \"socks5h://proxy.example:1080\", or false";
    let Some(Located { value, location }) = table.parsed("proxy", expected, |text| Some(text.to_owned())) else {
        return Proxy::Environment;
    };
    let url = match ProxyUrl::parse(&value) {
        Ok(url) => url,
        Err(error) => {
            table.problems.report_with(location, format!("proxy: {error}"), format!("write {expected}"));
            return Proxy::Environment;
        }
    };
    if let Some(exposure) = table.file.exposure.filter(|_| url.is_secret()) {
        let (how, hint) = exposure.explain(&table.file.path);
        table.problems.report_with(location, format!("proxy contains a password, but this file {how}"), hint);
    }
    Proxy::Url(url)
}

impl CaFile {
    /// Reads the file that a table names, if it does.
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let Located { value, location } = table.reference("ca_file", "the name of a file with certificates")?;
        let path = table.file.resolve(&value);
        let shown = path.display();
        let text = match TextFile::read(&path) {
            Ok(file) => file.text,
            Err(error) => {
                table.problems.report_unreadable(location, format!("ca_file {shown}"), &path, &error);
                return None;
            }
        };
        match certificates(&text) {
            Ok(certificates) => Some(Self { path, certificates }),
            Err(error) => {
                let hint = "it must be PEM, with lines \"-----BEGIN CERTIFICATE-----\"";
                table.problems.report_with(location, format!("ca_file: {shown}: {error}"), hint);
                None
            }
        }
    }
}

/// Returns all certificates of a PEM file, and ignores everything else in it.
fn certificates(text: &str) -> Result<Arc<[Vec<u8>]>, String> {
    let mut certificates = Vec::new();
    for (index, certificate) in CertificateDer::pem_slice_iter(text.as_bytes()).enumerate() {
        let damaged = || format!("certificate {} is damaged", index + 1);
        let certificate = certificate.map_err(|_| damaged())?;
        certificates.push(certificate.to_vec());
        RootCertStore::empty().add(certificate).map_err(|_| damaged())?;
    }
    if certificates.is_empty() {
        return Err("it contains no certificate".to_owned());
    }
    Ok(certificates.into())
}
