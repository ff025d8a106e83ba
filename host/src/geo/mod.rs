//! Where an address is registered, as local MMDB files say. No network is asked.
//!
//! Each file is in memory once, however many routes use it. Files come from elsewhere and may be damaged: everything that
//! is read from them is bounded, and no damage does more than leave an answer out.

mod address;
mod databases;
mod file;
#[cfg(test)]
pub(crate) mod mmdb;
mod record;
#[cfg(test)]
mod tests;

pub(crate) use databases::{GeoDatabases, GeoFiles};
pub(crate) use file::GeoError;
pub(crate) use record::GeoInfo;
