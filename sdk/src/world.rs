//! What a plugin may ask of its host.

use jiff::Timestamp;
use serde::de::DeserializeOwned;

#[cfg(not(target_arch = "wasm32"))]
use crate::testing;

/// The level of a line in the log.
///
/// ```
/// use hookswitch_sdk::{Level, log};
///
/// log(Level::Warn, "the order has no customer");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Details for debugging.
    Debug,
    /// Information.
    Info,
    /// Something unexpected.
    Warn,
    /// An error.
    Error,
}

/// Writes a line to the host's log, with the plugin, its version and the event's id. At most 100 lines of 1,000 characters
/// per call are logged.
///
/// ```
/// use hookswitch_sdk::{Level, log, testing::World};
///
/// let world = World::new();
/// world.run(|| log(Level::Info, "hello"));
/// assert_eq!(world.lines(), [(Level::Info, "hello".to_owned())]);
/// ```
pub fn log(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    {
        use crate::bindings::hookswitch::plugin::log as host;
        let level = match level {
            Level::Debug => host::Level::Debug,
            Level::Info => host::Level::Info,
            Level::Warn => host::Level::Warn,
            Level::Error => host::Level::Error,
        };
        host::write(level, message);
    }
    #[cfg(not(target_arch = "wasm32"))]
    testing::current(|world| world.log(level, message));
}

/// Returns the time. It stands still during a call.
///
/// ```
/// use hookswitch_sdk::{now, testing::World};
///
/// let world = World::new().now("2026-11-23T09:00:00Z");
/// assert_eq!(world.run(now).to_string(), "2026-11-23T09:00:00Z");
/// ```
pub fn now() -> Timestamp {
    #[cfg(target_arch = "wasm32")]
    let now = crate::bindings::hookswitch::plugin::clock::now();
    #[cfg(not(target_arch = "wasm32"))]
    let now = testing::current(|world| world.time());
    now.parse().unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Returns a value under `config` in `plugin.yaml`; `None` if the key is missing.
///
/// # Errors
/// If the value has another type.
///
/// ```
/// use hookswitch_sdk::{config, testing::World};
///
/// let world = World::new().config("limit", 5);
/// assert_eq!(world.run(|| config::<u32>("limit")), Ok(Some(5)));
/// assert_eq!(world.run(|| config::<u32>("other")), Ok(None));
/// ```
pub fn config<T: DeserializeOwned>(key: &str) -> Result<Option<T>, String> {
    #[cfg(target_arch = "wasm32")]
    let value = crate::bindings::hookswitch::plugin::config::get(key);
    #[cfg(not(target_arch = "wasm32"))]
    let value = testing::current(|world| world.value(key));
    value
        .map(|value| {
            serde_json::from_str(&value).map_err(|error| format!("cannot read config `{key}`: {error}"))
        })
        .transpose()
}

/// Returns the row with this key of a table in `plugin.yaml`; `None` if there is no such row.
///
/// # Errors
/// If the table does not exist, or the row has another type.
///
/// ```
/// use hookswitch_sdk::{lookup, testing::World};
///
/// #[derive(serde::Deserialize)]
/// struct Customer {
///     name: String,
/// }
///
/// let world = World::new().row("customers", "7", serde_json::json!({"name": "Ann"}));
/// let found: Option<Customer> = world.run(|| lookup("customers", "7"))?;
/// assert_eq!(found.unwrap().name, "Ann");
/// # Ok::<(), String>(())
/// ```
pub fn lookup<T: DeserializeOwned>(table: &str, key: &str) -> Result<Option<T>, String> {
    #[cfg(target_arch = "wasm32")]
    let row = crate::bindings::hookswitch::plugin::lookup::get(table, key)?;
    #[cfg(not(target_arch = "wasm32"))]
    let row = testing::current(|world| world.find(table, key))?;
    row.map(|row| {
        serde_json::from_str(&row).map_err(|error| format!("cannot read row `{key}` of `{table}`: {error}"))
    })
    .transpose()
}
