//! The `fields` parameter of the Graph API.

use serde_json::{Map, Value};

/// The named fields of an object and its id; all of them where none are named.
pub fn pick(object: Value, fields: Option<&str>) -> Value {
    let (Value::Object(mut object), Some(fields)) = (object.clone(), fields) else { return object };
    // A field may have a selection of its own: `throughput{level}`.
    let names = fields.split(',').map(|field| field.split(['{', '.', '(']).next().unwrap_or_default().trim());
    let mut picked = Map::new();
    for name in names.chain(["id"]) {
        if let Some((name, value)) = object.remove_entry(name) {
            picked.insert(name, value);
        }
    }
    Value::Object(picked)
}
