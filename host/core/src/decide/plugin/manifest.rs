//! The contents of `plugin.yaml`, read and checked by the catalog.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Map, Value};

use super::Allowed;
use crate::decide::{Place, Source};

/// A plugin's manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Id: the name of the folder.
    pub id: String,
    /// Version, chosen by the author.
    pub version: String,
    /// Event types, as in a route; routes of the rules may name the plugin too.
    pub on: Vec<Source>,
    /// Configuration that the plugin reads.
    pub config: Map<String, Value>,
    /// Limits of a call.
    pub limits: Limits,
    /// Addresses to which it may send requests, if they are granted.
    pub http: Vec<Allowed>,
    /// Tables, by name.
    pub lookup: BTreeMap<String, Arc<Table>>,
    /// Names of secrets that headers of its requests may contain, if they are granted.
    pub secrets: Vec<String>,
    /// What happens if it fails (default park).
    pub on_failure: OnFailure,
    /// Team or person responsible for it.
    pub owner: String,
    /// Place of the manifest.
    pub place: Place,
}

/// Limits of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Running time, and time for requests: 1 ms to 10 s (default 200 ms).
    pub time: Duration,
    /// Memory in bytes: 1 MiB to 256 MiB (default 16 MiB).
    pub memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { time: Duration::from_millis(200), memory: 16 * 1024 * 1024 }
    }
}

/// Rows of a table, by key.
pub type Table = BTreeMap<String, Value>;

/// What happens if a plugin fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// The event is kept until `hookswitch plugin resume` re-runs it.
    #[default]
    Park,
    /// Nobody is notified.
    Skip,
    /// The plugin is called twice more at once, then the event is parked.
    Retry,
}
