//! What `plugin.yaml` says, read and checked by the catalog.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Map, Value};

use super::Allowed;
use crate::decide::{Place, Source};

/// A plugin's manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The folder's name.
    pub id: String,
    /// The author's.
    pub version: String,
    /// Types of events, as in a route; a route of the rules may name the plugin beside.
    pub on: Vec<Source>,
    /// What the plugin reads as its configuration.
    pub config: Map<String, Value>,
    /// What a call may use.
    pub limits: Limits,
    /// Where it may send requests to.
    pub http: Vec<Allowed>,
    /// Its tables, by name.
    pub lookup: BTreeMap<String, Arc<Table>>,
    /// Names of secrets that may stand in its requests' headers.
    pub secrets: Vec<String>,
    /// What to do where it fails.
    pub on_failure: OnFailure,
    /// Who looks after it.
    pub owner: String,
    /// Where the manifest stands.
    pub place: Place,
}

/// What a call may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Running time, and time for requests.
    pub time: Duration,
    /// Memory, in bytes.
    pub memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { time: Duration::from_millis(200), memory: 16 * 1024 * 1024 }
    }
}

/// A table's rows, by key.
pub type Table = BTreeMap<String, Value>;

/// What to do where a plugin fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// Keep the event; `hookswitch plugin resume` decides it again.
    #[default]
    Park,
    /// Tell nobody, and go on.
    Skip,
    /// Ask twice more at once, then park.
    Retry,
}
