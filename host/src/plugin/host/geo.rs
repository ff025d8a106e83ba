//! `geo`: where an address is registered, as the route's MMDB files say.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize as _;

use super::context::PluginContext;
use super::grants::{Grant, GrantSyntax};
use super::interface::{Cx, EmptyProvider, HostInterface, Import, Linked, Opened, Provider, Reloaded};
use super::recorder::Recorder;
use crate::geo::{GeoDatabases, GeoError, GeoFiles, GeoInfo};
use crate::plugin::bindings::banhook::plugin::geo::Place;
use crate::plugin::bindings::banhook::plugin::types;

/// The interface, with the files of all routes.
#[derive(Default)]
pub(super) struct Geo {
    databases: GeoDatabases,
}

/// Knows where addresses are registered.
trait GeoSource: Send + Sync {
    /// Looks up an address, or a network's first address. `None` if the subject is neither, or unknown.
    ///
    /// # Errors
    /// When a file turns out to be damaged where the answer would be.
    fn lookup(&self, subject: &str) -> Result<Option<GeoInfo>, GeoError>;
}

/// A source whose answers are taken down.
struct Recording {
    source: Arc<dyn GeoSource>,
    recorder: Recorder,
}

/// The functions, answered by a source.
struct GeoFunctions(Arc<dyn GeoSource>);

impl HostInterface for Geo {
    fn name(&self) -> &'static str {
        "geo"
    }

    fn grant(&self) -> Option<GrantSyntax> {
        Some(GrantSyntax::Files { kind: "MMDB files", example: "FILE.mmdb" })
    }

    fn open(&self, grant: &Grant, route: &PluginContext) -> Opened {
        let (source, faults): (Arc<dyn GeoSource>, _) = match grant {
            Grant::Files(paths) => {
                let (files, errors) = self.databases.open(paths);
                (Arc::new(files), errors.iter().map(ToString::to_string).collect())
            }
            Grant::Answers(answers) => match BTreeMap::<String, GeoInfo>::deserialize(answers) {
                Ok(places) => (Arc::new(places), Vec::new()),
                Err(error) => (Arc::new(EmptyProvider), vec![error.to_string()]),
            },
            Grant::Refused | Grant::Given => (Arc::new(EmptyProvider), Vec::new()),
        };
        let source = match &route.recorder {
            Some(recorder) => Arc::new(Recording { source, recorder: recorder.clone() }),
            None => source,
        };
        Opened { provider: Box::new(GeoFunctions(source)), faults }
    }

    fn reload(&self) -> Vec<Reloaded> {
        let changed = self.databases.reload_if_changed().into_iter();
        changed.map(|(path, read)| (path, read.map_err(|error| error.to_string()))).collect()
    }
}

impl Provider for GeoFunctions {
    fn link(&self, to: &mut Linked<'_>, _import: &Import<'_>) -> wasmtime::Result<()> {
        let geo = Arc::clone(&self.0);
        to.func_wrap("lookup", move |mut cx: Cx<'_>, (subject,): (String,)| {
            Ok((geo.lookup(&subject).map(|found| found.map(lowered)).map_err(|error| {
                cx.data_mut().no_answer("geo.lookup", &error);
                types::Error { code: "unavailable".to_owned(), message: error.to_string() }
            }),))
        })
    }
}

fn lowered(info: GeoInfo) -> Place {
    Place {
        country: info.country,
        country_name: info.country_name,
        as_number: info.as_number,
        as_name: info.as_name,
        labels: info.labels.into_iter().collect(),
    }
}

impl GeoSource for GeoFiles {
    fn lookup(&self, subject: &str) -> Result<Option<GeoInfo>, GeoError> {
        self.lookup(subject)
    }
}

impl GeoSource for Recording {
    fn lookup(&self, subject: &str) -> Result<Option<GeoInfo>, GeoError> {
        let found = self.source.lookup(subject)?;
        if let Some(place) = found.as_ref().and_then(|info| serde_json::to_value(info).ok()) {
            self.recorder.found_place(subject, place);
        }
        Ok(found)
    }
}

/// Of a test case, by subject.
impl GeoSource for BTreeMap<String, GeoInfo> {
    fn lookup(&self, subject: &str) -> Result<Option<GeoInfo>, GeoError> {
        Ok(self.get(subject).cloned())
    }
}

impl GeoSource for EmptyProvider {
    fn lookup(&self, _subject: &str) -> Result<Option<GeoInfo>, GeoError> {
        Ok(None)
    }
}
