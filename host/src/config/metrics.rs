//! `[metrics]`: where a daemon writes and serves its metrics.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::problem::quoted;
use super::reader::Table;

/// node_exporter reads files with this ending.
const TEXTFILE_EXTENSION: &str = "prom";

/// Where a daemon writes and serves its metrics; nowhere by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Metrics {
    /// A file for node_exporter.
    pub textfile: Option<PathBuf>,
    /// An address on which Prometheus asks.
    pub listen: Option<SocketAddr>,
}

impl Metrics {
    /// Reads the table of one file.
    pub(super) fn read(top: &Table<'_>) -> Option<Self> {
        let table = top.table("metrics", "[metrics]")?;
        let textfile = table.reference("textfile", "the path of a file that ends in .prom");
        let listen =
            table.parsed("listen", "an address and a port such as \"127.0.0.1:9888\"", |text| text.parse().ok());
        table.finish(&[]);
        let textfile = textfile.and_then(|name| {
            let path = table.file.resolve(&name.value);
            if path.extension().is_none_or(|extension| extension != TEXTFILE_EXTENSION) {
                let message = format!("textfile: {} does not end in .prom", quoted(&name.value));
                table.problems.report_with(name.location, message, "node_exporter reads no other files");
                return None;
            }
            Some(path)
        });
        let listen = listen.map(|listen| {
            let address: SocketAddr = listen.value;
            if !address.ip().is_loopback() {
                table.problems.warn(
                    listen.location,
                    format!("others in the network can read the metrics at {address}, without a login"),
                    "use 127.0.0.1 or [::1], or a network that you trust",
                );
            }
            address
        });
        Some(Self { textfile, listen })
    }
}
