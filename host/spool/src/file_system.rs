//! What the spool asks of the file system: the seam at which tests put every interleaving, crash and power failure.

use std::io;

/// The calls on one directory and its files. None of them waits for a lock or for another process.
pub trait FileSystem {
    /// An open file.
    type File;

    /// Returns whether several processes may append to one file: not where it is on another machine.
    fn is_local(&self) -> bool;

    /// Opens a regular file to read and append, without following a link.
    ///
    /// # Errors
    /// As the system says; a file that is not a regular one is `InvalidInput`.
    fn open(&self, name: &str) -> io::Result<Self::File>;

    /// Creates a file, which must not exist, to read and append.
    ///
    /// # Errors
    /// As the system says.
    fn create(&self, name: &str) -> io::Result<Self::File>;

    /// Gives a file a second name, which must not exist.
    ///
    /// # Errors
    /// As the system says.
    fn link(&self, name: &str, new_name: &str) -> io::Result<()>;

    /// Removes a name.
    ///
    /// # Errors
    /// As the system says.
    fn unlink(&self, name: &str) -> io::Result<()>;

    /// Returns all names.
    ///
    /// # Errors
    /// As the system says.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes the names durable.
    ///
    /// # Errors
    /// As the system says.
    fn sync_directory(&self) -> io::Result<()>;

    /// Takes a shared lock; `false` if another has an exclusive one.
    ///
    /// # Errors
    /// As the system says.
    fn lock_shared(&self, file: &Self::File) -> io::Result<bool>;

    /// Takes an exclusive lock; `false` if another has one.
    ///
    /// # Errors
    /// As the system says.
    fn lock_exclusive(&self, file: &Self::File) -> io::Result<bool>;

    /// Returns how many names a file has.
    ///
    /// # Errors
    /// As the system says.
    fn links(&self, file: &Self::File) -> io::Result<u64>;

    /// Appends with one write; returns how many bytes were written.
    ///
    /// # Errors
    /// As the system says.
    fn append(&self, file: &Self::File, bytes: &[u8]) -> io::Result<usize>;

    /// Reads from a place; fewer bytes than asked for only at the end of the file.
    ///
    /// # Errors
    /// As the system says.
    fn read_at(&self, file: &Self::File, offset: u64, bytes: usize) -> io::Result<Vec<u8>>;

    /// Makes a file's content and length durable.
    ///
    /// # Errors
    /// As the system says.
    fn sync(&self, file: &Self::File) -> io::Result<()>;
}
