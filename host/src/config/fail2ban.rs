//! `[fail2ban]`: what is known of the fail2ban on this host.

use std::path::{Path, PathBuf};

use super::reader::Table;

/// Where fail2ban keeps its database, where nothing else is said.
const DATABASE: &str = "/var/lib/fail2ban/fail2ban.sqlite3";

/// The fail2ban on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fail2ban {
    /// Its database, which need not be there: read for what a ban's event leaves open. `None`: it is left alone.
    pub database: Option<PathBuf>,
    /// Whether the configuration names it. The usual one is used only if it may be read, and nobody is told if not.
    pub configured: bool,
}

impl Fail2ban {
    /// What holds without the table.
    pub(super) fn standard() -> Self {
        Self { database: Some(Path::new(DATABASE).to_owned()), configured: false }
    }

    /// Reads the table of one file.
    pub(super) fn read(top: &Table<'_>) -> Option<Self> {
        let table = top.table("fail2ban", "[fail2ban]")?;
        let database = table.reference_or_false("database", "the path of fail2ban's database, or false");
        table.finish(&[]);
        Some(match database {
            Some(named) => {
                let path = named.map(|name| table.source.beside(&name.value));
                Self { configured: path.is_some(), database: path }
            }
            None => Self::standard(),
        })
    }
}
