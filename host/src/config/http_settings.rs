//! How a webhook is reached: time-outs, proxy and certificates.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::bounded;
use super::proxy_url::ProxyUrl;
use super::reader::{Located, Table};
use super::source::Source;

/// What a request to a webhook goes by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Http {
    /// How long connecting may take, TLS included; 1 ms to 5 min. Default: 10 s.
    pub connect_timeout: Duration,
    /// How long a whole request may take, until the answer is there; 1 ms to 5 min. Default: 30 s.
    pub timeout: Duration,
    /// Default: what the environment says.
    pub proxy: Proxy,
    /// Certificates that are trusted besides the system's. Default: none.
    pub ca_file: Option<CaFile>,
}

/// What stands between us and a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Proxy {
    /// What `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say; nothing for a webhook on this host.
    #[default]
    Environment,
    /// `false`: nothing.
    None,
    /// This one, whatever the environment says, and for a webhook on this host too.
    At(ProxyUrl),
}

/// Certificates of authorities, as they were when the configuration was read.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CaFile {
    /// Where they are from; absolute.
    pub path: PathBuf,
    /// In DER; at least one, and each can be trusted in.
    pub certificates: Arc<[Vec<u8>]>,
}

impl fmt::Debug for CaFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The bytes would fill a screen.
        write!(f, "CaFile({}, {} certificates)", self.path.display(), self.certificates.len())
    }
}

impl Http {
    /// Time enough for a slow proxy and a busy chat, and not so much that a dead connection holds up the next message.
    pub const STANDARD: Self = Self {
        connect_timeout: Duration::from_secs(10),
        timeout: Duration::from_secs(30),
        proxy: Proxy::Environment,
        ca_file: None,
    };

    /// Of both time-outs. Who waits longer for one message waits too long with all behind it.
    const TIME: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(300);

    /// Reads its keys of a webhook.
    pub(super) fn read(webhook: &Table<'_>) -> Self {
        let mut http = Self::STANDARD;
        bounded::duration(webhook, "timeout", Self::TIME, "1ms and 5m", &mut http.timeout);
        bounded::duration(webhook, "connect_timeout", Self::TIME, "1ms and 5m", &mut http.connect_timeout);
        http.proxy = proxy(webhook);
        http.ca_file = ca_file(webhook);
        http
    }
}

fn proxy(table: &Table<'_>) -> Proxy {
    if table.is_false("proxy") {
        return Proxy::None;
    }
    let expected = "a URL like \"http://proxy.example:3128\", or false";
    let Some(Located { value, place }) = table.parsed("proxy", expected, |text| Some(text.to_owned())) else {
        return Proxy::Environment;
    };
    let url = match ProxyUrl::parse(&value) {
        Ok(url) => url,
        Err(error) => {
            table.problems.report_with(place, format!("proxy: {error}"), format!("write {expected}"));
            return Proxy::Environment;
        }
    };
    if let Some(mode) = table.source.open_to_others.filter(|_| url.is_secret()) {
        table.problems.report_with(
            place,
            format!("proxy holds a password, but this file is open to every user of this host (mode {mode:04o})"),
            format!("run: chmod o-rwx {}", table.source.path.display()),
        );
    }
    Proxy::At(url)
}

fn ca_file(table: &Table<'_>) -> Option<CaFile> {
    let Located { value, place } = table.reference("ca_file", "the name of a file with certificates")?;
    let path = table.source.beside(&value);
    let shown = path.display();
    let text = match Source::read(&path) {
        Ok(file) => file.text,
        Err(error) => {
            table.problems.report(place, format!("ca_file: cannot read {shown}: {error}"));
            return None;
        }
    };
    match certificates(&text) {
        Ok(certificates) => Some(CaFile { path, certificates }),
        Err(error) => {
            let hint = "it has to be PEM, with the lines \"-----BEGIN CERTIFICATE-----\"";
            table.problems.report_with(place, format!("ca_file: {shown}: {error}"), hint);
            None
        }
    }
}

/// All certificates of a PEM file; what else is in it does not matter.
fn certificates(text: &str) -> Result<Arc<[Vec<u8>]>, String> {
    let mut certificates = Vec::new();
    for (index, certificate) in CertificateDer::pem_slice_iter(text.as_bytes()).enumerate() {
        let damaged = || format!("certificate {} in it is damaged", index + 1);
        let certificate = certificate.map_err(|_| damaged())?;
        certificates.push(certificate.to_vec());
        RootCertStore::empty().add(certificate).map_err(|_| damaged())?;
    }
    if certificates.is_empty() {
        return Err("there is no certificate in it".to_owned());
    }
    Ok(certificates.into())
}
