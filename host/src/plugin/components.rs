//! The compiled components in memory, each once, however many routes use it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::engine::Metering;
use super::limits::Limits;
use super::{Cache, Compiler, PluginError, cache, component};

/// The SHA-256 of a plugin's file.
pub(super) type FileHash = [u8; 32];

/// One component, once it is loaded. The plugins that use it keep it; the last one frees it.
pub(super) type Shared = Arc<Mutex<Option<Component>>>;

/// The components of one engine.
pub(super) struct Components {
    engine: Engine,
    metering: Metering,
    cache: Option<Cache>,
    compiler: Compiler,
    /// Each has a lock of its own, so that one that takes long to compile delays only those who need the same.
    loaded: Mutex<HashMap<FileHash, Weak<Mutex<Option<Component>>>>>,
    /// The component that was prepared last: kept, so that it is found even without a cache.
    prepared: Mutex<Shared>,
}

impl Components {
    pub(super) fn new(engine: Engine, metering: Metering, cache: Option<Cache>, compiler: Compiler) -> Self {
        Self { engine, metering, cache, compiler, loaded: Mutex::default(), prepared: Mutex::default() }
    }

    /// Loads the component that a file holds: from memory, from the cache, or by compiling it.
    ///
    /// # Errors
    /// When it cannot be compiled.
    pub(super) fn load(
        &self,
        file: &[u8],
        sha256: &FileHash,
        limits: &Limits,
    ) -> Result<(Shared, Component), PluginError> {
        component::check(file, limits.component)?;
        let shared = self.shared(sha256);
        let mut loaded = locked(&shared);
        if let Some(component) = &*loaded {
            let component = component.clone();
            drop(loaded);
            return Ok((shared, component));
        }
        let cache = self.cache.as_ref();
        let component = match cache.and_then(|cache| cache.get(&self.engine, sha256)) {
            Some(component) => component,
            None => {
                let compiled = self.compiler.compile(file, self.metering, limits.compile)?;
                // A cache that cannot be written costs time at the next start, nothing else.
                let kept = cache.and_then(|cache| {
                    cache.put(&self.engine, sha256, &compiled).ok()?;
                    cache.remove_unused(&self.engine, &self.in_use());
                    cache.get(&self.engine, sha256)
                });
                kept.map_or_else(|| cache::load(&self.engine, &compiled), Ok)?
            }
        };
        *loaded = Some(component.clone());
        drop(loaded);
        Ok((shared, component))
    }

    /// Compiles a component and keeps it, so that loading it takes no time.
    ///
    /// # Errors
    /// When it cannot be compiled.
    pub(super) fn prepare(&self, file: &[u8], limits: &Limits) -> Result<(), PluginError> {
        let (shared, _) = self.load(file, &Sha256::digest(file).into(), limits)?;
        *locked(&self.prepared) = shared;
        Ok(())
    }

    /// The place of the component with this hash, which may be loaded later.
    fn shared(&self, sha256: &FileHash) -> Shared {
        let mut components = locked(&self.loaded);
        if let Some(shared) = components.get(sha256).and_then(Weak::upgrade) {
            return shared;
        }
        components.retain(|_, shared| shared.strong_count() > 0);
        let shared = Shared::default();
        components.insert(*sha256, Arc::downgrade(&shared));
        shared
    }

    /// The hashes of all components that are loaded or being loaded.
    fn in_use(&self) -> Vec<FileHash> {
        let components = locked(&self.loaded);
        components.iter().filter(|(_, shared)| shared.strong_count() > 0).map(|(sha256, _)| *sha256).collect()
    }
}

/// Ignores poisoning: every value here changes in one step, so a panic leaves it whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
