//! The MMDB files of all routes, each in memory once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::address::address;
use super::file::{GeoError, MmdbFile};
use super::record::{GeoInfo, Record};

/// The MMDB files of all routes.
#[derive(Debug, Default)]
pub(crate) struct GeoDatabases {
    /// A file that no route uses any more is freed.
    open: Mutex<HashMap<PathBuf, Weak<MmdbFile>>>,
}

/// The files of one route. Where two of them answer, the first one counts.
#[derive(Debug)]
pub(crate) struct GeoFiles {
    databases: Vec<Arc<MmdbFile>>,
}

impl GeoDatabases {
    /// Opens the files of a route, and returns their errors. One that cannot be used answers nothing until it
    /// can: see [`Self::reload_if_changed`].
    pub(crate) fn open(&self, paths: &[PathBuf]) -> (GeoFiles, Vec<GeoError>) {
        let mut errors = Vec::new();
        let databases = paths.iter().map(|path| self.database(path, &mut errors)).collect();
        (GeoFiles { databases }, errors)
    }

    /// Reads the files that have changed since they were read: replaced, overwritten, or there at last. Costs a `stat` of
    /// each other one. Lookups use the previous content meanwhile.
    ///
    /// Returns each file that has changed, and whether it can be used; if not, the previous content stays.
    pub(crate) fn reload_if_changed(&self) -> Vec<(PathBuf, Result<(), GeoError>)> {
        // Files are read without the lock.
        let open: Vec<_> = self.lock().values().filter_map(Weak::upgrade).collect();
        open.iter().filter_map(|database| Some((database.path().to_owned(), database.reload_if_changed()?))).collect()
    }

    /// The files that are in use.
    #[cfg(test)]
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.lock().iter().filter(|(_, database)| database.strong_count() > 0).map(|(path, _)| path.clone()).collect()
    }

    fn database(&self, path: &Path, errors: &mut Vec<GeoError>) -> Arc<MmdbFile> {
        let mut open = self.lock();
        open.retain(|_, database| database.strong_count() > 0);
        let database = open.get(path).and_then(Weak::upgrade).unwrap_or_else(|| {
            let database = Arc::new(MmdbFile::new(path));
            open.insert(path.to_owned(), Arc::downgrade(&database));
            database
        });
        drop(open);
        // The same error again for the second route that names the file: it concerns that one as well.
        if database.reader().is_none() {
            errors.extend(database.read().err());
        }
        database
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, Weak<MmdbFile>>> {
        // A panic while it was held leaves a map that is still whole.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GeoFiles {
    /// Looks up where an address, or a network's first address, is registered. `None` if the subject is neither, or no
    /// file knows it.
    ///
    /// # Errors
    /// When a file turns out to be damaged where the answer would be.
    pub(crate) fn lookup(&self, subject: &str) -> Result<Option<GeoInfo>, GeoError> {
        let Some(address) = address(subject) else { return Ok(None) };
        let mut info = None;
        for database in &self.databases {
            let Some(reader) = database.reader() else { continue };
            if address.is_ipv6() && reader.metadata().ip_version == 4 {
                continue;
            }
            let found = reader.lookup(address).and_then(|found| found.decode::<Record>());
            if let Some(record) = found.map_err(|reason| database.damaged(reason))? {
                record.complete(info.get_or_insert_default());
            }
        }
        Ok(info)
    }
}
