//! The files of a configuration: `config.toml`, then `conf.d/*.toml` next to it in the order of their names.

use std::io;
use std::path::{Path, PathBuf};

use super::problem::{Location, Problems};
use super::text_file::TextFile;

/// The folder of further files, next to the main one.
const FOLDER: &str = "conf.d";

/// Reads all files, and reports those that cannot be read.
pub(super) fn read_files(main: &Path, problems: &Problems) -> Vec<TextFile> {
    let mut files = Vec::new();
    match TextFile::read(main) {
        Ok(file) => files.push(file),
        Err(error) => report_main(main, &error, problems),
    }
    for path in further_files(main, problems) {
        match TextFile::read(&path) {
            Ok(file) => files.push(file),
            Err(error) => problems.report_unreadable(Location::whole(&path), "the file", &path, &error),
        }
    }
    files
}

/// Returns the files of a configuration that can be listed: the main one first.
pub(crate) fn paths(main: &Path) -> Vec<PathBuf> {
    let mut paths = vec![main.to_owned()];
    paths.extend(further_files(main, &Problems::default()));
    paths
}

/// Returns the folder of further files.
pub(super) fn folder(main: &Path) -> PathBuf {
    main.parent().unwrap_or(Path::new("")).join(FOLDER)
}

fn report_main(path: &Path, error: &io::Error, problems: &Problems) {
    if error.kind() == io::ErrorKind::NotFound {
        problems.report_with(
            Location::whole(path),
            "the configuration does not exist",
            "run `banhook setup`, or name another file with --config or BANHOOK_CONFIG",
        );
    } else {
        problems.report_unreadable(Location::whole(path), "the file", path, error);
    }
}

/// Returns the files of `conf.d` by name, without hidden ones, which editors leave.
fn further_files(main: &Path, problems: &Problems) -> Vec<PathBuf> {
    let folder = folder(main);
    let listed = std::fs::read_dir(&folder)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>());
    let mut paths = match listed {
        Ok(paths) => paths,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            problems.report_unreadable(Location::whole(&folder), "the directory", &folder, &error);
            Vec::new()
        }
    };
    paths.retain(|path| {
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        path.extension().is_some_and(|extension| extension == "toml") && !hidden
    });
    paths.sort();
    paths
}
