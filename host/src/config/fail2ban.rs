//! `[fail2ban]`: the fail2ban on this host.

use std::path::{Path, PathBuf};

use super::reader::Table;

/// Where fail2ban keeps its database by default.
const DEFAULT_DATABASE: &str = "/var/lib/fail2ban/fail2ban.sqlite3";

/// The fail2ban on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fail2ban {
    /// Its database, which enriches bans; it need not exist. `None`: it is not read.
    pub database: Option<PathBuf>,
    /// Whether the configuration names the database. The default one is read only if that is permitted, without a warning if not.
    pub configured: bool,
}

impl Fail2ban {
    /// Returns the settings that apply without the table.
    pub(super) fn standard() -> Self {
        Self { database: Some(Path::new(DEFAULT_DATABASE).to_owned()), configured: false }
    }

    /// Reads the table of one file.
    pub(super) fn read(top: &Table<'_>) -> Option<Self> {
        let table = top.table("fail2ban", "[fail2ban]")?;
        let database = table.reference_or_false("database", "the path of fail2ban's database, or false");
        table.finish(&[]);
        Some(match database {
            Some(named) => {
                let path = named.map(|name| table.file.resolve(&name.value));
                Self { configured: path.is_some(), database: path }
            }
            None => Self::standard(),
        })
    }
}
