//! The compiled components in memory, each once, however many routes use it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::engine::{Metering, Slot, Slots};
use super::limits::Limits;
use super::{Cache, Compiler, PluginError, cache, component};

/// Components that are compiled at once: each takes hundreds of megabytes and all processors. The wait for a turn does not
/// count against the time limit.
const COMPILING: u32 = 2;

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
    turns: Slots,
}

impl Components {
    pub(super) fn new(engine: Engine, metering: Metering, cache: Option<Cache>, compiler: Compiler) -> Self {
        let turns = Slots::new(COMPILING);
        Self { engine, metering, cache, compiler, loaded: Mutex::default(), prepared: Mutex::default(), turns }
    }

    /// Waits for the turn to compile.
    pub(super) fn turn(&self) -> Slot {
        self.turns.take()
    }

    /// Finds a component that is compiled already, in memory or in the cache; `None` also while it is being compiled.
    pub(super) fn find(&self, sha256: &FileHash) -> Option<(Shared, Component)> {
        let shared = self.shared(sha256);
        let component = {
            let mut loaded = shared.try_lock().ok()?;
            if loaded.is_none() {
                *loaded = self.cache.as_ref()?.get(&self.engine, sha256);
            }
            loaded.clone()?
        };
        Some((shared, component))
    }

    /// Compiles the component that a file holds, unless it is compiled already. `path`: where the file is, and where the
    /// plugin's version before was. The caller has a [`Self::turn`].
    ///
    /// # Errors
    /// When it cannot be compiled.
    pub(super) fn compile(
        &self,
        file: &[u8],
        sha256: &FileHash,
        path: Option<&Path>,
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
                let before = cache.zip(path).and_then(|(cache, path)| cache.functions(&self.engine, path));
                let before = before.unwrap_or_default();
                let compiled = self.compiler.compile(file, &before, self.metering, limits.compile)?;
                // A cache that cannot be written costs time at the next start, nothing else.
                let kept = cache.and_then(|cache| {
                    cache.make_room(&self.engine, &self.in_use(), &compiled).ok()?;
                    if let Some(path) = path {
                        // The component counts for more.
                        let _ = cache.put_functions(&self.engine, path, &compiled);
                    }
                    cache.put(&self.engine, sha256, &compiled).ok()?;
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
        let sha256 = Sha256::digest(file).into();
        let (shared, _) = match self.find(&sha256) {
            Some(found) => found,
            None => {
                let _turn = self.turn();
                self.compile(file, &sha256, None, limits)?
            }
        };
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
