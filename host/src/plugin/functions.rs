//! The functions of a plugin as they were compiled, by what they were compiled from. The next version of the plugin has most
//! of them again; in JavaScript and Python all, since their code is the interpreter's, and only its data changes.
//!
//! Each is stored as its key, its length in 4 bytes (little-endian) and its code, as Cranelift serialized it. What is damaged
//! is compiled again.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use wasmtime::CacheStore;

/// A hash of the function, of Cranelift's version and of every setting that shapes the code.
type Key = [u8; 32];

/// Bytes of the length.
const LENGTH: usize = 4;

/// What the compiler asks for functions that it has compiled before, and gives those that it has not.
pub(super) struct Functions {
    before: HashMap<Key, Vec<u8>>,
    /// Those of the plugin that is compiled now.
    now: Mutex<HashMap<Key, Vec<u8>>>,
}

impl Functions {
    /// Reads what [`Self::to_bytes`] returned for an earlier version of the plugin; empty: there was none.
    pub(super) fn from_bytes(mut bytes: &[u8]) -> Self {
        let mut before = HashMap::new();
        while let Some((key, code, rest)) = first(bytes) {
            before.insert(*key, code.to_vec());
            bytes = rest;
        }
        Self { before, now: Mutex::default() }
    }

    /// Returns the functions of the plugin that was compiled.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = Vec::with_capacity(now.values().map(|code| code.len() + size_of::<Key>() + LENGTH).sum());
        for (key, code) in &*now {
            let Ok(length) = u32::try_from(code.len()) else { continue };
            bytes.extend_from_slice(key);
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(code);
        }
        bytes
    }
}

/// Returns the key and the code of the first function, and the bytes behind it.
fn first(bytes: &[u8]) -> Option<(&Key, &[u8], &[u8])> {
    let (key, rest) = bytes.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (code, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    Some((key, code, rest))
}

impl CacheStore for Functions {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        let key = Key::try_from(key).ok()?;
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        // Components repeat functions: many of the adapters that wasmtime makes are the same.
        if let Some(code) = now.get(&key) {
            return Some(Cow::Owned(code.clone()));
        }
        let code = self.before.get(&key)?;
        now.insert(key, code.clone());
        Some(Cow::Borrowed(code))
    }

    fn insert(&self, key: &[u8], code: Vec<u8>) -> bool {
        let Ok(key) = Key::try_from(key) else { return false };
        self.now.lock().unwrap_or_else(PoisonError::into_inner).insert(key, code);
        true
    }
}

impl std::fmt::Debug for Functions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Functions").field("before", &self.before.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::engine::compiling_engine;
    use super::super::{Metering, component, guest};
    use super::*;

    /// Counts what the compiler did not find.
    #[derive(Debug)]
    struct Counting(Functions, AtomicUsize);

    impl CacheStore for Counting {
        fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
            self.0.get(key)
        }

        fn insert(&self, key: &[u8], code: Vec<u8>) -> bool {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.insert(key, code)
        }
    }

    /// Compiles a plugin, and returns the component, its functions, and how many were compiled.
    fn compile(file: &[u8], before: &[u8]) -> (Vec<u8>, Vec<u8>, usize) {
        let functions = Arc::new(Counting(Functions::from_bytes(before), AtomicUsize::new(0)));
        let engine = compiling_engine(Metering::Time, Some(Arc::<Counting>::clone(&functions))).unwrap();
        let compiled = engine.precompile_component(&component::from_file(file).unwrap()).unwrap();
        (compiled, functions.0.to_bytes(), functions.1.load(Ordering::Relaxed))
    }

    #[test]
    fn next_version_is_the_same_as_if_it_was_compiled_whole() {
        let version = |tag: &str| {
            let text = include_str!("testdata/arithmetic.wat").replace("0123456789abcdef", tag);
            guest::plugin(&text, "plugin")
        };
        let (first, second) = (version("0123456789abcdef"), version("fedcba9876543210"));
        let (component, functions, compiled) = compile(&first, &[]);
        assert!(compiled > 1, "{compiled}");
        let (again, same, none) = compile(&second, &functions);
        assert!(none < compiled, "{none} of {compiled}");
        assert!(again == compile(&second, &[]).0 && again != component);
        assert_eq!(same.len(), functions.len());
    }

    #[test]
    fn functions_of_an_earlier_version_are_found_and_those_that_are_not_used_again_are_left_out() {
        let first = Functions::from_bytes(&[]);
        assert!(first.get(&[1; 32]).is_none());
        assert!(
            first.insert(&[1; 32], vec![1; 7]) && first.insert(&[2; 32], vec![]) && !first.insert(b"short", vec![])
        );
        assert_eq!(first.get(&[1; 32]).unwrap(), &[1; 7][..], "repeated in the same component");
        let second = Functions::from_bytes(&first.to_bytes());
        assert!(second.to_bytes().is_empty());
        assert_eq!(second.get(&[1; 32]).unwrap(), &[1; 7][..]);
        second.insert(&[3; 32], vec![3]);
        let third = Functions::from_bytes(&second.to_bytes());
        let found = [1, 2, 3].map(|byte| third.get(&[byte; 32]).map(Cow::into_owned));
        assert_eq!(found, [Some(vec![1; 7]), None, Some(vec![3])]);
    }

    #[test]
    fn functions_that_are_cut_are_read_up_to_the_cut() {
        let whole = Functions::from_bytes(&[]);
        whole.insert(&[1; 32], vec![1; 7]);
        let bytes = whole.to_bytes();
        for cut in 0..bytes.len() {
            assert!(Functions::from_bytes(&bytes[..cut]).get(&[1; 32]).is_none(), "{cut}");
        }
        let mut long = bytes;
        long[32..36].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(Functions::from_bytes(&long).get(&[1; 32]).is_none());
    }
}
